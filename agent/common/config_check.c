// SPDX-License-Identifier: GPL-2.0
/*
 * A tree against the table: types, ranges, patterns, unknown and duplicate
 * keys, defaults, the environment. Rules between keys are config_rules.c's.
 */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#define ENV_PREFIX "HOLDFAST_"
#define SERIAL_MAX 31 /* HOLDFAST_LABEL_LEN without its NUL */

struct check {
	struct hf_config *config;
	struct hf_config_errors *errors;
	bool no_memory;
};

static void err_at(struct check *c, const struct hf_node *n, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void err_at(struct check *c, const struct hf_node *n, const char *path, const char *fmt, ...)
{
	char text[HF_ERR_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hf_config_err(c->errors, n->line, n->column, path, "%s", text);
}

void hf_config_join(char out[HF_CONFIG_PATH], const char *parent, const char *name)
{
	snprintf(out, HF_CONFIG_PATH, "%s%s%s", parent, *parent ? "." : "", name);
}

void hf_config_join_index(char out[HF_CONFIG_PATH], const char *parent, size_t index)
{
	snprintf(out, HF_CONFIG_PATH, "%s.%zu", parent, index);
}

static void place(struct check *c, const struct hf_node *n, const char *path)
{
	if (n->from_file &&
	    json_object_set_new(c->config->places, path, json_pack("[i, i]", n->line, n->column)))
		c->no_memory = true;
}

/* --------------------------------------------------------- nearest words */

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance of words of at most 40 characters; longer ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[41];

	if (la > 40 || lb > 40)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[lb];
}

static void nearest(const char *word, const char *candidate, const char **best, size_t *least)
{
	size_t d = distance(word, candidate);

	if (d < *least) {
		*least = d;
		*best = candidate;
	}
}

/* A known key near enough to be meant, or NULL. */
static const char *nearest_key(const struct hf_config_key *table, const char *word)
{
	size_t least = strlen(word) / 3 + 2;
	const char *best = NULL;

	for (; table->name; table++)
		nearest(word, table->name, &best, &least);
	return best;
}

static bool looks_secret(const char *word)
{
	static const char *const words[] = { "passw", "secret", "token", "credential", "private" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(word, words[i]))
			return true;
	return false;
}

static void unknown_key(struct check *c, const struct hf_config_key *table, const struct hf_node *n,
			const char *path)
{
	const char *best = nearest_key(table, n->text);

	if (looks_secret(n->text))
		err_at(c, n, path,
		       "there is no such key; secrets never stand here, see holdfastctl secret set");
	else if (best)
		err_at(c, n, path, "there is no such key; \"%s\" is one", best);
	else
		err_at(c, n, path, "there is no such key here; holdfast.yaml(5) lists them");
}

/* --------------------------------------------------------- single values */

/* "an integer from 10 to 2000 (ms)": what would be right. */
static const char *wanted(const struct hf_config_key *k, char *buf, size_t len)
{
	size_t used = 0;

	switch (k->type) {
	case HF_C_INT:
		snprintf(buf, len, "a whole number from %lld to %lld%s%s%s", (long long)k->min,
			 (long long)k->max, k->unit ? " (" : "", k->unit ? k->unit : "",
			 k->unit ? ")" : "");
		break;
	case HF_C_BOOL:
		snprintf(buf, len, "true or false");
		break;
	case HF_C_ENUM:
		for (const char *const *w = k->words; *w && used < len; w++)
			used += (size_t)snprintf(buf + used, len - used, "%s%s",
						 w == k->words ? "" :
						 w[1]	       ? ", " :
								 " or ",
						 *w);
		break;
	case HF_C_TEXT:
		snprintf(buf, len, "%s (%lld to %lld bytes)", k->looks, (long long)k->min,
			 (long long)k->max);
		break;
	case HF_C_MATCH:
		snprintf(
			buf, len,
			"an index from 0 to %lld, or in quotes a serial of at most %d characters or \"*\"",
			(long long)k->max, SERIAL_MAX);
		break;
	case HF_C_MAP:
		snprintf(buf, len, "keys and values, each on its own line, indented");
		break;
	case HF_C_LIST:
		snprintf(buf, len, "a list of %lld to %lld elements, each beginning with \"- \"",
			 (long long)k->min, (long long)k->max);
		break;
	}
	return buf;
}

static void wrong(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
		  const char *path, const char *what)
{
	char want[160];

	wanted(k, want, sizeof(want));
	if (n->kind == HF_N_SCALAR)
		err_at(c, n, path, "\"%.40s\" %s; wanted: %s", n->text, what, want);
	else
		err_at(c, n, path, "%s %s; wanted: %s",
		       n->kind == HF_N_MAP ? "a mapping" : "a list", what, want);
}

/* What is wrong with the form of this integer; NULL: nothing. */
static const char *integer_fault(const char *s)
{
	const char *digits = s + (*s == '-');
	size_t n = strspn(digits, "0123456789");

	if (!*s)
		return "is empty";
	if (*s == '+')
		return "has a plus sign";
	if (digits[0] == '0' &&
	    (digits[1] == 'x' || digits[1] == 'X' || digits[1] == 'o' || digits[1] == 'b'))
		return "is not decimal";
	if (!n)
		return "is no number";
	if (digits[n] == '.' || digits[n] == ',' || digits[n] == '_' || digits[n] == ':')
		return "is no whole number in digits alone";
	if ((digits[n] == 'e' || digits[n] == 'E') && isdigit((unsigned char)digits[n + 1]))
		return "has an exponent";
	if (digits[n])
		return "has more than digits: the unit belongs to the key";
	if (n > 1 && digits[0] == '0')
		return "begins with 0";
	if (*s == '-' && digits[0] == '0')
		return "is zero with a sign";
	return NULL;
}

static json_t *value_int(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			 const char *path)
{
	const char *fault = n->plain ? integer_fault(n->text) : "stands in quotes";
	long long v;

	if (fault) {
		wrong(c, k, n, path, fault);
		return NULL;
	}
	errno = 0;
	v = strtoll(n->text, NULL, 10);
	if (errno || v < k->min || v > k->max) {
		wrong(c, k, n, path,
		      !errno && v < k->min     ? "is too small" :
		      errno && *n->text == '-' ? "is too small" :
						 "is too large");
		return NULL;
	}
	return json_integer(v);
}

static json_t *value_bool(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			  const char *path)
{
	if (n->plain && !strcmp(n->text, "true"))
		return json_true();
	if (n->plain && !strcmp(n->text, "false"))
		return json_false();
	wrong(c, k, n, path, n->plain ? "is neither" : "stands in quotes");
	return NULL;
}

/* Would another YAML reader take this plain scalar for something else than text? */
static bool ambiguous(const char *s)
{
	static const char *const words[] = { "",    "~", "null", "true", "false", "yes", "no", "on",
					     "off", "y", "n",	 ".nan", ".inf",  "=",	 "<<" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(s, words[i]))
			return true;
	s += *s == '-' || *s == '+';
	return isdigit((unsigned char)*s) || (*s == '.' && isdigit((unsigned char)s[1]));
}

static const char *pattern_fault(const struct hf_config_key *k, const char *text)
{
	regex_t re;
	int ret;

	if (regcomp(&re, k->pattern, REG_EXTENDED | REG_NOSUB))
		abort(); /* the table's own pattern: a mistake of ours */
	ret = regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	return ret ? "is not of that form" : NULL;
}

static json_t *value_text(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			  const char *path)
{
	size_t len = strlen(n->text);
	const char *fault = NULL;

	if (n->plain && n->from_file && ambiguous(n->text))
		fault = "could be read as something else than text; put it in quotes";
	else if (len < (size_t)k->min || len > (size_t)k->max)
		fault = len < (size_t)k->min ? "is too short" : "is too long";
	else
		fault = pattern_fault(k, n->text);
	if (fault) {
		wrong(c, k, n, path, fault);
		return NULL;
	}
	return json_string(n->text);
}

static json_t *value_enum(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			  const char *path)
{
	size_t least = strlen(n->text) / 3 + 2;
	const char *best = NULL;
	char what[64];

	for (const char *const *w = k->words; *w; w++) {
		if (!strcmp(*w, n->text))
			return json_string(*w);
		nearest(n->text, *w, &best, &least);
	}
	snprintf(what, sizeof(what), "is no such word%s%s%s", best ? " (\"" : "", best ? best : "",
		 best ? "\" is near)" : "");
	wrong(c, k, n, path, what);
	return NULL;
}

static json_t *value_match(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			   const char *path)
{
	size_t len = strlen(n->text);

	if (n->plain && isdigit((unsigned char)*n->text) && !integer_fault(n->text))
		return value_int(c, k, n, path);
	if (n->plain && ambiguous(n->text)) {
		wrong(c, k, n, path, "could be read as something else than text; put it in quotes");
		return NULL;
	}
	if (!len || len > SERIAL_MAX) {
		wrong(c, k, n, path, len ? "is too long" : "is empty");
		return NULL;
	}
	for (size_t i = 0; i < len; i++) {
		if (n->text[i] < ' ' || n->text[i] > '~') {
			wrong(c, k, n, path, "has other characters than printable ASCII");
			return NULL;
		}
	}
	return json_string(n->text);
}

static json_t *value_single(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			    const char *path)
{
	if (n->kind != HF_N_SCALAR) {
		wrong(c, k, n, path, "is no single value");
		return NULL;
	}
	switch (k->type) {
	case HF_C_INT:
		return value_int(c, k, n, path);
	case HF_C_BOOL:
		return value_bool(c, k, n, path);
	case HF_C_ENUM:
		return value_enum(c, k, n, path);
	case HF_C_MATCH:
		return value_match(c, k, n, path);
	default:
		return value_text(c, k, n, path);
	}
}

/* --------------------------------------------------------- lists and maps */

static json_t *value_any(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			 const char *path);

static json_t *value_list(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			  const char *path)
{
	/* a list of mappings is checked by the table of their keys */
	const struct hf_config_key element = { .name = "", .type = HF_C_MAP, .sub = k->sub };
	json_t *list = json_array();
	size_t i = 0;

	if (n->kind != HF_N_LIST) {
		wrong(c, k, n, path,
		      n->kind == HF_N_SCALAR && !*n->text ? "is empty (no list is written [])" :
							    "is no list");
		return list;
	}
	for (const struct hf_node *e = n->first; e; e = e->next, i++) {
		char sub[HF_CONFIG_PATH];
		json_t *v;

		hf_config_join_index(sub, path, i);
		v = value_any(c, *k->sub->name ? &element : k->sub, e, sub);
		if (v && json_array_append_new(list, v))
			c->no_memory = true;
	}
	if (i < (size_t)k->min || i > (size_t)k->max)
		wrong(c, k, n, path, i ? "has too many or too few elements" : "is empty");
	return list;
}

/* "a,b,c" of the table. */
static json_t *default_list(const struct hf_config_key *k)
{
	const char *s = k->def, *comma;
	json_t *list = json_array();

	for (; s && *s; s = *comma ? comma + 1 : comma) {
		comma = strchrnul(s, ',');
		json_array_append_new(list, json_stringn(s, (size_t)(comma - s)));
	}
	return list;
}

static json_t *value_map(struct check *c, const struct hf_config_key *table,
			 const struct hf_node *n, const char *path);

static json_t *value_default(struct check *c, const struct hf_config_key *k, const char *path)
{
	static const struct hf_node nothing = { .kind = HF_N_MAP };
	struct hf_node n = { .kind = HF_N_SCALAR, .plain = true };
	json_t *v;

	if (k->type == HF_C_MAP)
		return value_map(c, k->sub, &nothing, path);
	if (k->type == HF_C_LIST)
		return default_list(k);
	n.text = (char *)k->def;
	v = value_single(c, k, &n, path);
	if (!v)
		abort(); /* the table's own default: a mistake of ours */
	return v;
}

static json_t *value_any(struct check *c, const struct hf_config_key *k, const struct hf_node *n,
			 const char *path)
{
	place(c, n, path);
	if (k->type == HF_C_LIST)
		return value_list(c, k, n, path);
	if (k->type == HF_C_MAP)
		return value_map(c, k->sub, n, path);
	return value_single(c, k, n, path);
}

/* What the text states, into @map. */
static void map_stated(struct check *c, const struct hf_config_key *table, const struct hf_node *n,
		       const char *path, json_t *map, json_t *seen)
{
	for (const struct hf_node *key = n->first; key; key = key->next->next) {
		const struct hf_config_key *k;
		char sub[HF_CONFIG_PATH];
		json_t *v;

		if (key->kind != HF_N_SCALAR) {
			err_at(c, key, path, "a key that is no word");
			continue;
		}
		hf_config_join(sub, path, key->text);
		if (json_object_get(seen, key->text)) {
			err_at(c, key, sub, "stands here a second time; the first is in line %d",
			       (int)json_integer_value(json_object_get(seen, key->text)));
			continue;
		}
		if (json_object_set_new(seen, key->text, json_integer(key->line)))
			c->no_memory = true;
		k = hf_config_key_find(table, key->text);
		if (!k) {
			unknown_key(c, table, key, sub);
			continue;
		}
		v = value_any(c, k, key->next, sub);
		if (v && json_object_set_new(map, k->name, v))
			c->no_memory = true;
	}
}

static json_t *value_map(struct check *c, const struct hf_config_key *table,
			 const struct hf_node *n, const char *path)
{
	json_t *stated = json_object(), *seen = json_object(), *map = json_object();

	if (n->kind == HF_N_MAP)
		map_stated(c, table, n, path, stated, seen);
	else
		wrong(c, &(struct hf_config_key){ .type = HF_C_MAP }, n, path, "is no mapping");
	/* in the table's order, so that the same values always look the same */
	for (const struct hf_config_key *k = table; k->name; k++) {
		json_t *v = json_object_get(stated, k->name);
		char sub[HF_CONFIG_PATH];

		hf_config_join(sub, path, k->name);
		if (v)
			json_incref(v);
		else if (k->flags & HF_CF_REQUIRED && n->kind == HF_N_MAP &&
			 !json_object_get(seen, k->name))
			err_at(c, n, sub, "is missing: %s", k->help);
		else if (!(k->flags & (HF_CF_REQUIRED | HF_CF_OPTIONAL)))
			v = value_default(c, k, sub);
		if (v && json_object_set_new(map, k->name, v))
			c->no_memory = true;
	}
	json_decref(stated);
	json_decref(seen);
	return map;
}

/* --------------------------------------------------------- environment */

/* The value of @name in @envp, or NULL. */
static const char *env_find(char *const envp[], const char *name)
{
	size_t len = strlen(name);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, name, len) && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

static void env_take(struct check *c, const struct hf_config_key *k, const char *path, json_t *map,
		     const char *name, const char *value)
{
	const struct hf_node n = { .kind = HF_N_SCALAR, .plain = true, .text = (char *)value };
	unsigned int before = c->errors->count + c->errors->more;
	json_t *v = value_single(c, k, &n, path);

	if (c->errors->count + c->errors->more != before) {
		struct hf_config_error *e = &c->errors->e[c->errors->count - 1];
		char text[HF_ERR_LEN];

		snprintf(text, sizeof(text), "%s", e->text);
		snprintf(e->text, sizeof(e->text), "%s (environment): %.200s", name, text);
		return;
	}
	if (json_object_set_new(map, k->name, v) ||
	    json_object_set_new(c->config->places, path, json_string(name)))
		c->no_memory = true;
}

static void env_map(struct check *c, const struct hf_config_key *table, const char *path,
		    json_t *map, char *const envp[])
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		char sub[HF_CONFIG_PATH], name[HF_CONFIG_PATH + 16];
		const char *value;

		hf_config_join(sub, path, k->name);
		if (k->type == HF_C_MAP)
			env_map(c, k->sub, sub, json_object_get(map, k->name), envp);
		if (!hf_config_key_env(sub, name, sizeof(name)))
			continue;
		value = env_find(envp, name);
		if (value)
			env_take(c, k, sub, map, name, value);
	}
}

/* Is there a key that this variable's name stands for? */
static bool env_known(const struct hf_config_key *table, const char *path, const char *var)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		char sub[HF_CONFIG_PATH], name[HF_CONFIG_PATH + 16];

		hf_config_join(sub, path, k->name);
		if (k->type == HF_C_MAP && env_known(k->sub, sub, var))
			return true;
		if (hf_config_key_env(sub, name, sizeof(name)) &&
		    !strncmp(var, name, strlen(name)) && var[strlen(name)] == '=')
			return true;
	}
	return false;
}

/* A name of ours that means nothing is a mistake; other HOLDFAST_ variables have no "__". */
static void env_unknown(struct check *c, char *const envp[])
{
	for (; envp && *envp; envp++) {
		int len = (int)strcspn(*envp, "=");

		if (strncmp(*envp, ENV_PREFIX, strlen(ENV_PREFIX)) ||
		    !memmem(*envp, (size_t)len, "__", 2) || env_known(hf_config_schema, "", *envp))
			continue;
		hf_config_err(
			c->errors, 0, 0, NULL,
			"%.*s (environment): stands for no key; HOLDFAST_KEEPER__BEAT_MS would be keeper.beat_ms",
			len < 80 ? len : 80, *envp);
	}
}

int hf_config_check(const struct hf_node *root, char *const envp[], struct hf_config *config,
		    struct hf_config_errors *errors)
{
	struct check c = { .config = config, .errors = errors };

	config->values = value_map(&c, hf_config_schema, root, "");
	if (!config->values || c.no_memory)
		return -ENOMEM;
	env_map(&c, hf_config_schema, "", config->values, envp);
	env_unknown(&c, envp);
	return c.no_memory ? -ENOMEM : 0;
}
