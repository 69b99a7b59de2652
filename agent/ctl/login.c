// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions with the agent: login, logout; and which array the agent means.
 */
#include <ctype.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "op.h"

const struct ctl_option login_options[] = {
	{ "user", 'u', "USER", "who (default: the name of this account)" },
	{ "password-file", 257, "FILE", "where the password is (- or nothing: asked for, or a line of standard input)" },
	{ "totp-file", 258, "FILE", "where the code of the second factor is (default: asked for if needed)" },
	{ NULL, 0, NULL, NULL },
};

static const char *own_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : NULL;
}

static int login_args(const struct ctl_login *l, const char *user, json_t **args)
{
	char secret[CTL_SECRET_MAX], prompt[64];
	int ret;

	snprintf(prompt, sizeof(prompt), "Password of %.32s: ", user);
	ret = ctl_secret(prompt, l->password_file, false, secret);
	if (ret)
		return ret;
	*args = json_pack("{s:s, s:s}", "user", user, "password", secret);
	explicit_bzero(secret, sizeof(secret));
	if (!*args) {
		fprintf(stderr, "holdfastctl: user and password must be UTF-8\n");
		return CTL_USAGE;
	}
	if (!l->totp_file)
		return CTL_OK;
	ret = ctl_secret("Code of the second factor: ", l->totp_file, false, secret);
	if (!ret)
		json_object_set_new(*args, "totp", json_string(secret));
	explicit_bzero(secret, sizeof(secret));
	if (ret)
		json_decref(*args);
	return ret;
}

int login_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_login *l = &c->req.login;
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		switch (key) {
		case 'u':
			l->user = optarg;
			break;
		case 257:
			l->password_file = optarg;
			break;
		case 258:
			l->totp_file = optarg;
			break;
		default:
			return ctl_option_exit(c);
		}
	}
	return ctl_no_more(c, argc, argv);
}

int cmd_login(struct ctl *c)
{
	const struct ctl_login *l = &c->req.login;
	const char *user = l->user ? l->user : own_name();
	json_t *args, *result = NULL;
	int ret;

	if (!user)
		return ctl_usage(c, "this account has no name: give --user");
	ret = login_args(l, user, &args);
	if (ret)
		return ret;
	ret = ctl_call(c, "login", json_incref(args), &result);
	if (ret && !strcmp(c->refused, "totp_needed") && ctl_terminal()) {
		ret = ctl_totp(c, args);
		if (!ret)
			ret = ctl_call(c, "login", json_incref(args), &result);
	}
	json_decref(args);
	if (ret)
		return ret;
	if (json_is_true(json_object_get(result, "must_change_password")))
		fprintf(stderr, "holdfastctl: the password must be changed first: holdfastctl passwd\n");
	return ctl_show(c, NULL, result);
}

int cmd_logout(struct ctl *c)
{
	int ret = ctl_call(c, "logout", NULL, NULL);

	ctl_session_keep(c, "");
	return ret;
}

bool ctl_array_number(const char *device, int64_t *array)
{
	static const char node[] = "/dev/holdfast";

	if (!strncmp(device, node, sizeof(node) - 1))
		device += sizeof(node) - 1;
	if (!isdigit((unsigned char)device[0]) || strspn(device, "0123456789") != strlen(device) ||
	    strlen(device) > 2)
		return false;
	*array = (device[0] - '0') * (device[1] ? 10 : 1) + (device[1] ? device[1] - '0' : 0);
	return true;
}

int ctl_agent_array(struct ctl *c, int64_t *array)
{
	json_t *result = NULL;
	const json_t *list, *found = NULL, *a;
	size_t i, n = 0;
	int ret;

	if (c->device && ctl_array_number(c->device, array))
		return CTL_OK;
	ret = ctl_call(c, "array.list", NULL, &result);
	if (ret)
		return ret;
	list = json_object_get(result, "arrays");
	json_array_foreach((json_t *)list, i, a) {
		const char *serial = json_string_value(json_object_get(a, "serial"));

		if (!c->device || (serial && !strcmp(serial, c->device))) {
			found = json_object_get(a, "array");
			n++;
		}
	}
	if (n == 1 && json_is_integer(found)) {
		*array = json_integer_value(found);
	} else {
		fprintf(stderr, "holdfastctl: %s\n", !n ? "the agent has no such array" :
			"there are several arrays: choose one with -d");
		ret = n ? CTL_USAGE : CTL_NO_ARRAY;
	}
	json_decref(result);
	return ret;
}
