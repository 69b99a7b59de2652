// SPDX-License-Identifier: GPL-2.0
/*
 * holdfastctl: reads the command line, then does what it asks for.
 */
#include <errno.h>
#include <stdio.h>

#include "ctl.h"

int main(int argc, char **argv)
{
	struct ctl c = { .device = NULL };
	int ret = ctl_read(&c, argc, argv);

	if (ret == -1) {
		ret = c.command->run(&c);
		if (fflush(stdout) || ferror(stdout))
			ret = ctl_fail(-EIO, "standard output");
	}
	ctl_clear(&c);
	return ret;
}
