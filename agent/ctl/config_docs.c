// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration's table as a manual page and as markdown. The sentences
 * around the table stand here once and serve both.
 */
#include <string.h>

#include "config.h"
#include "config_docs.h"

static const char *const about[] = {
	"One YAML file, by default " HF_CONFIG_FILE ", holds the configuration of holdfastd. "
	"Everything has a default; what is written is checked whole, and nothing of it is taken "
	"unless all of it is right. \"holdfastctl config check\" checks a file without an agent.",
	"The file is read more strictly than YAML allows: UTF-8 without tabs; every value on one "
	"line; no anchors, aliases, tags, directives or further documents; no key twice; at most "
	"256 KiB, 4096 keys and values, 8 levels. Integers are decimal digits without unit, sign "
	"(but \"-\"), exponent, fraction or leading zero, and not in quotes. Truth values are true "
	"and false. Texts that another reader could take for a number or a truth value stand in "
	"quotes.",
	"Secrets never stand in it: it names files and entries of the secret store (holdfastctl "
	"secret).",
	"Changes: \"live\" keys change at once when a configuration is applied; \"restart\" keys when "
	"holdfastd is started the next time; \"sealed\" ones at once if they tighten. Once arrays are "
	"sealed, loosening a limit is refused until reboot: edit the file and reboot.",
	"Single values outside of lists can be set in the environment of holdfastd; the variable "
	"stands with each key and counts more than the file. A variable of that form which stands "
	"for no key is an error.",
	NULL,
};

static const char *const production[] = {
	"keeper.seal: true",
	"keeper.audit_grace_ms at most 10000",
	"auth.argon2_kib at least 19456 and auth.argon2_passes at least 2",
	"auth.password_min at least 15, or auth.totp_required: true",
	"log.level other than debug",
	"paths.state outside of /tmp, /var/tmp, /dev and /run",
	NULL,
};

/* What a value may be: "100 (10 to 2000 ms)" without its default. */
static void range_print(FILE *f, const struct hf_config_key *k)
{
	switch (k->type) {
	case HF_C_INT:
		fprintf(f, "%lld to %lld%s%s", (long long)k->min, (long long)k->max,
			k->unit ? " " : "", k->unit ? k->unit : "");
		break;
	case HF_C_BOOL:
		fputs("true or false", f);
		break;
	case HF_C_ENUM:
		for (const char *const *w = k->words; *w; w++)
			fprintf(f, "%s%s", w == k->words ? "" : w[1] ? ", " : " or ", *w);
		break;
	case HF_C_TEXT:
		fprintf(f, "%s, %lld to %lld bytes", k->looks, (long long)k->min,
			(long long)k->max);
		break;
	case HF_C_MATCH:
		fprintf(f, "index 0 to %lld, or in quotes a serial or \"*\" for all",
			(long long)k->max);
		break;
	case HF_C_LIST:
		fprintf(f, "list of %lld to %lld", (long long)k->min, (long long)k->max);
		if (!*k->sub->name) {
			fputs(", each: ", f);
			range_print(f, k->sub);
		}
		break;
	case HF_C_MAP:
		fputs("keys", f);
		break;
	}
}

static const char *default_text(const struct hf_config_key *k)
{
	if (k->flags & HF_CF_REQUIRED)
		return "required";
	if (k->flags & HF_CF_OPTIONAL)
		return "not set";
	return k->def ? k->def : k->type == HF_C_LIST ? "none" : "";
}

struct page {
	FILE *f;
	bool man;
	bool shared; /* within the tables that several keys share */
};

/* @text, with what troff would take for commands escaped. */
static void man_text(FILE *f, const char *text)
{
	for (const char *s = text; *s; s++) {
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else if ((*s == '.' || *s == '\'') && (s == text))
			fprintf(f, "\\&%c", *s);
		else
			fputc(*s, f);
	}
}

/* In a markdown table "|" separates, and "*" and "_" would be emphasis. */
static void markdown_text(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (strchr("|*_<>", *text))
			fputc('\\', f);
		fputc(*text, f);
	}
}

static void text_print(const struct page *p, const char *text)
{
	if (p->man)
		man_text(p->f, text);
	else
		markdown_text(p->f, text);
}

static void range_text(const struct page *p, const struct hf_config_key *k)
{
	char buf[512] = "";
	FILE *m = fmemopen(buf, sizeof(buf), "w");

	range_print(m, k);
	fclose(m);
	text_print(p, buf);
}

static void row(struct page *p, const struct hf_config_key *k, const char *path,
		enum hf_config_reload reload)
{
	char env[HF_CONFIG_PATH + 16];
	bool has_env = !p->shared && hf_config_key_env(path, env, sizeof(env));
	const char *when = p->shared ? "" : hf_config_reload_name(reload);

	if (p->man) {
		fputs(".TP\n.B ", p->f);
		text_print(p, path);
		fputc('\n', p->f);
		text_print(p, k->help);
		fputs(".\n", p->f);
		range_text(p, k);
		if (k->type != HF_C_MAP) {
			fputs("; default: ", p->f);
			text_print(p, default_text(k));
		}
		fprintf(p->f, "%s%s.\n", p->shared ? "" : "; ", when);
		if (has_env)
			fprintf(p->f, ".br\n%s\n", env);
		return;
	}
	fprintf(p->f, "| `%s` | ", path);
	range_text(p, k);
	fprintf(p->f, " | %s%s%s | %s | ", k->def ? "`" : "", default_text(k), k->def ? "`" : "",
		when);
	text_print(p, k->help);
	fprintf(p->f, "%s%s%s |\n", has_env ? "<br>`" : "", has_env ? env : "", has_env ? "`" : "");
}

static enum hf_config_reload stricter(enum hf_config_reload a, enum hf_config_reload b)
{
	return a > b ? a : b;
}

static void rows(struct page *p, const struct hf_config_key *table, const char *path,
		 enum hf_config_reload around)
{
	for (const struct hf_config_key *k = table; k->name; k++) {
		enum hf_config_reload reload = stricter(around, k->reload);
		char sub[HF_CONFIG_PATH];

		snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "." : "", k->name);
		if (k->type != HF_C_MAP || k->flags & HF_CF_REPEATED)
			row(p, k, sub, reload);
		if (k->flags & HF_CF_REPEATED || (k->type != HF_C_MAP && k->type != HF_C_LIST))
			continue;
		if (k->type == HF_C_LIST && *k->sub->name)
			snprintf(sub, sizeof(sub), "%s%s%s.N", path, *path ? "." : "", k->name);
		if (k->type == HF_C_MAP || *k->sub->name)
			rows(p, k->sub, sub, reload);
	}
}

static void heading(const struct page *p, const char *name)
{
	if (p->man)
		fprintf(p->f, ".SH \"%s\"\n", name);
	else
		fprintf(p->f, "\n## %s\n", name);
}

static void table_begin(const struct page *p)
{
	if (!p->man)
		fputs("\n| key | value | default | changes | meaning |\n|---|---|---|---|---|\n",
		      p->f);
}

static void paragraphs(const struct page *p, const char *const *texts, bool list)
{
	for (const char *const *t = texts; *t; t++) {
		fputs(p->man ? (list ? ".IP \\(bu 2\n" : ".PP\n") : (list ? "- " : ""), p->f);
		text_print(p, *t);
		fputs(p->man || list ? "\n" : "\n\n", p->f);
	}
}

static void section(struct page *p, const struct hf_config_key *k)
{
	const struct hf_config_key alone[2] = { *k, { .name = NULL } };
	char elements[HF_CONFIG_PATH];

	heading(p, k->name);
	if (k->sub)
		text_print(p, k->help);
	if (k->type == HF_C_LIST)
		fprintf(p->f, " A list of at most %lld; default: none.", (long long)k->max);
	fputc('\n', p->f);
	table_begin(p);
	snprintf(elements, sizeof(elements), "%s%s", k->name, k->type == HF_C_LIST ? ".N" : "");
	if (k->sub)
		rows(p, k->sub, elements, k->reload);
	else
		rows(p, alone, "", HF_RELOAD_LIVE);
}

/* The tables that several keys share. */
static void shared(struct page *p)
{
	const struct hf_config_key *arrays = hf_config_key_find(hf_config_schema, "arrays");

	for (const struct hf_config_key *k = arrays->sub; k->name; k++) {
		if (!(k->flags & HF_CF_REPEATED))
			continue;
		heading(p, k->name);
		fprintf(p->f, "Keys of arrays.N.%s (sealed) and tenants.N.%s (live)%s.\n", k->name,
			k->name, k->type == HF_C_LIST ? ", each element" : "");
		table_begin(p);
		p->shared = true;
		rows(p, k->sub, "", HF_RELOAD_LIVE);
		p->shared = false;
	}
}

static void page(struct page *p)
{
	paragraphs(p, about, false);
	for (const struct hf_config_key *k = hf_config_schema; k->name; k++)
		section(p, k);
	shared(p);
	heading(p, "production");
	fprintf(p->f, "With environment: production these are checked as well:\n%s",
		p->man ? "" : "\n");
	paragraphs(p, production, true);
}

void ctl_config_man(FILE *f)
{
	struct page p = { .f = f, .man = true };

	fputs(".\\\" SPDX-License-Identifier: GPL-2.0\n"
	      ".\\\" Made by \"holdfastctl config man\"; edit agent/common/config_schema.c instead.\n"
	      ".TH HOLDFAST.YAML 5 2026-11 Holdfast \"File Formats\"\n"
	      ".SH NAME\nholdfast.yaml \\- configuration of holdfastd\n.SH DESCRIPTION\n",
	      f);
	page(&p);
	fputs(".SH SEE ALSO\n.BR holdfastctl (1)\n", f);
}

void ctl_config_markdown(FILE *f)
{
	struct page p = { .f = f };

	fputs("<!-- SPDX-License-Identifier: GPL-2.0. Made by \"holdfastctl config doc\"; edit "
	      "agent/common/config_schema.c instead. -->\n# Configuration\n\n",
	      f);
	page(&p);
}
