// SPDX-License-Identifier: GPL-2.0
/*
 * The ways in which a machine stops supervising: reboot, panic, oops, emergency
 * restart, suspend. Each ends every emission first. Which hook fires when:
 * docs/safety.md.
 */
#include <linux/delay.h>
#include <linux/kdebug.h>
#include <linux/kmsg_dump.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "compat.h"
#include "core.h"

/* Longer than this no machine is kept from going down. */
#define HF_LAST_WAIT_MS	500U

static u32 hf_last_wait_ms(u64 bound_ns)
{
	return min_t(u64, DIV_ROUND_UP_ULL(bound_ns, NSEC_PER_MSEC), HF_LAST_WAIT_MS);
}

/* Hardware behind a bus gets the time to hear of it. */
static int hf_on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	msleep(hf_last_wait_ms(hf_silence_all(HOLDFAST_CAUSE_REBOOT, false)));
	return NOTIFY_DONE;
}

static struct notifier_block hf_reboot_nb = {
	.notifier_call = hf_on_reboot,
	.priority = INT_MAX,
};

static int hf_on_panic(struct notifier_block *nb, unsigned long action, void *data)
{
	hf_silence_all(HOLDFAST_CAUSE_PANIC, true);
	return NOTIFY_DONE;
}

static struct notifier_block hf_panic_nb = {
	.notifier_call = hf_on_panic,
	.priority = INT_MAX,
};

/* After an oops nobody knows which lock or state is still good: any oops trips. */
static int hf_on_die(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action == DIE_OOPS)
		hf_silence_all(HOLDFAST_CAUSE_OOPS, true);
	return NOTIFY_DONE;
}

static struct notifier_block hf_die_nb = {
	.notifier_call = hf_on_die,
	.priority = INT_MAX,
};

/* sysrq-b and other emergency restarts call nothing else. */
#ifdef HAVE_KMSG_DUMP_DETAIL
static void hf_on_kmsg(struct kmsg_dumper *dumper, struct kmsg_dump_detail *detail)
{
	enum kmsg_dump_reason reason = detail->reason;
#else
static void hf_on_kmsg(struct kmsg_dumper *dumper, enum kmsg_dump_reason reason)
{
#endif
	enum holdfast_cause cause = reason == KMSG_DUMP_OOPS ? HOLDFAST_CAUSE_OOPS :
				    reason == KMSG_DUMP_PANIC ? HOLDFAST_CAUSE_PANIC :
				    HOLDFAST_CAUSE_REBOOT;
	u64 bound;

	bound = hf_silence_all(cause, true);

	/* After an emergency restart nothing follows: the last bytes must leave before. */
	if (reason == KMSG_DUMP_EMERG)
		mdelay(hf_last_wait_ms(bound));
}

static struct kmsg_dumper hf_kmsg = {
	.dump = hf_on_kmsg,
	.max_reason = KMSG_DUMP_SHUTDOWN,
};

static int hf_on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		/* Before the freezer: from here on nobody beats. */
		hf_silence_all(HOLDFAST_CAUSE_SUSPEND, false);
		break;
	default:
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block hf_pm_nb = {
	.notifier_call = hf_on_pm,
	.priority = INT_MAX,
};

int hf_notifiers_init(void)
{
	int ret;

	ret = register_reboot_notifier(&hf_reboot_nb);
	if (ret)
		return ret;
	ret = register_die_notifier(&hf_die_nb);
	if (ret)
		goto err_reboot;
	ret = register_pm_notifier(&hf_pm_nb);
	if (ret)
		goto err_die;
	ret = kmsg_dump_register(&hf_kmsg);
	if (ret)
		goto err_pm;
	atomic_notifier_chain_register(&panic_notifier_list, &hf_panic_nb);
	return 0;

err_pm:
	unregister_pm_notifier(&hf_pm_nb);
err_die:
	unregister_die_notifier(&hf_die_nb);
err_reboot:
	unregister_reboot_notifier(&hf_reboot_nb);
	return ret;
}

void hf_notifiers_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &hf_panic_nb);
	kmsg_dump_unregister(&hf_kmsg);
	unregister_pm_notifier(&hf_pm_nb);
	unregister_die_notifier(&hf_die_nb);
	unregister_reboot_notifier(&hf_reboot_nb);
}
