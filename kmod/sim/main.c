// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast_sim.ko: virtual arrays. Load and unload, nothing else; there are no
 * module parameters.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "sim.h"

static int __init sim_init(void)
{
	int ret = platform_driver_register(&sim_driver);

	if (ret)
		return ret;
	ret = sim_config_register();
	if (ret)
		platform_driver_unregister(&sim_driver);
	return ret;
}
module_init(sim_init);

/* Directories pin the module: with any left, someone has forced it out. */
static void __exit sim_exit(void)
{
	sim_silence_all();
	sim_retire_all();
	platform_driver_unregister(&sim_driver);
	sim_config_unregister();
}
module_exit(sim_exit);

MODULE_AUTHOR("Holdfast developers");
MODULE_DESCRIPTION("Virtual phased arrays for Holdfast");
MODULE_LICENSE("GPL");
