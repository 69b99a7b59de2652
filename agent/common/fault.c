// SPDX-License-Identifier: GPL-2.0
/*
 * The taxonomy of errors. Lines with a code come before the one for the rest of
 * their status.
 */
#include <string.h>

#include "fault.h"

const struct hf_fault hf_faults[] = {
	{ 400, NULL, "info", "never", "caller", "the request is not one, or an argument is wrong" },
	{ 401, NULL, "info", "changed", "caller", "no credential, or one that has ended" },
	{ 403, "step_up", "info", "changed", "caller", "the password has to be proved again" },
	{ 403, NULL, "warning", "changed", "admin", "the caller's role, tenant or way in does not suffice" },
	{ 404, NULL, "info", "never", "caller", "not there, or not the caller's" },
	{ 405, NULL, "info", "never", "caller", "the path has no such method" },
	{ 406, NULL, "info", "never", "caller", "no answer of the wanted type" },
	{ 409, "self_test", "error", "changed", "operator", "the array has not passed its self-test" },
	{ 409, NULL, "info", "changed", "operator", "what it is done to is not in the state for it" },
	{ 411, NULL, "info", "never", "caller", "a body without its length" },
	{ 413, NULL, "info", "never", "caller", "too large" },
	{ 414, NULL, "info", "never", "caller", "too long" },
	{ 415, NULL, "info", "never", "caller", "a body that is not JSON" },
	{ 417, NULL, "info", "never", "caller", "Expect is not served" },
	{ 421, NULL, "info", "never", "caller", "a name that is not this host's" },
	{ 429, NULL, "info", "later", "caller", "asked too often" },
	{ 431, NULL, "info", "never", "caller", "headers too large" },
	{ 500, "outcome_not_recorded", "critical", "unknown", "admin",
	  "it was done, and the audit log does not have it" },
	{ 500, NULL, "error", "unknown", "admin", "something of the agent does not work" },
	{ 501, NULL, "info", "never", "caller", "not served here" },
	{ 502, NULL, "error", "unknown", "admin", "the process that had the request ended meanwhile" },
	{ 503, "audit_not_durable", "critical", "later", "admin", "records cannot be made durable" },
	{ 503, "not_durable", "critical", "later", "admin", "records cannot be made durable" },
	{ 503, NULL, "warning", "later", "admin", "too busy, or a part of the agent is away" },
	{ 504, NULL, "warning", "unknown", "operator", "no answer in time" },
	{ 505, NULL, "info", "never", "caller", "another version of HTTP" },
	{ 0, NULL, "error", "unknown", "admin", "something of the agent does not work" },
};

const struct hf_fault *hf_fault_of(int status, const char *code)
{
	const struct hf_fault *f = hf_faults;

	while (f->status && (f->status != status || (f->code && (!code || strcmp(f->code, code) != 0))))
		f++;
	return f;
}
