/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an error of an operation means for who gets it: how bad it is, whether asking again
 * can help, and who has to do something. One table for answers, their description and docs.
 */
#ifndef HF_FAULT_H
#define HF_FAULT_H

#include <stddef.h>

/**
 * struct hf_fault - one line
 * @status:	of HTTP; @code: of the error, NULL: all others of this status
 * @severity:	"info": as it should be; "warning"; "error": something of the agent does not work;
 *		"critical": nothing can arm
 * @retry:	"never": the same request gets the same answer; "changed": once what the message says has
 *		changed; "later": after Retry-After, else a second, each time twice as long; "unknown": it
 *		may have been done: look before asking again
 * @who:	"caller", "operator", "admin"
 * @what:	for people
 */
struct hf_fault {
	int status;
	const char *code;
	const char *severity, *retry, *who, *what;
};

extern const struct hf_fault hf_faults[];	/* ends with status 0 */

/* @code: may be NULL. Never NULL: what is not in the table is an error of the agent. */
const struct hf_fault *hf_fault_of(int status, const char *code);

#endif /* HF_FAULT_H */
