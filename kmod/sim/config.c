// SPDX-License-Identifier: GPL-2.0
/*
 * The configfs subsystem: a directory is an array, making one makes it and
 * removing one unplugs it. What is in a directory: attributes.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sim.h"

static LIST_HEAD(sim_arrays);
static DEFINE_MUTEX(sim_arrays_lock);

static const struct sim_shape sim_shape_default = {
#define SIM_X(name, lo, hi, def) .name = def,
	SIM_SHAPE(SIM_X)
#undef SIM_X
	.sensor_mask = BIT(SIM_SENSORS) - 1,
};

static const struct sim_knobs sim_knobs_default = {
#define SIM_X(name, lo, hi, def) .name = def,
	SIM_KNOBS(SIM_X)
#undef SIM_X
};

/* The name becomes the serial number: what core accepts as one. */
static int sim_name_check(const char *name)
{
	if (strlen(name) >= SIM_NAME_LEN)
		return -ENAMETOOLONG;
	for (; *name; name++) {
		if (!isalnum(*name) && !strchr("._-", *name))
			return -EINVAL;
	}
	return 0;
}

static struct config_group *sim_make_group(struct config_group *group, const char *name)
{
	struct sim_array *sim;
	int ret = sim_name_check(name);

	if (ret)
		return ERR_PTR(ret);
	sim = kzalloc(sizeof(*sim), GFP_KERNEL);
	if (!sim)
		return ERR_PTR(-ENOMEM);
	mutex_init(&sim->lock);
	mutex_init(&sim->plant.lock);
	init_waitqueue_head(&sim->link_wait);
	strscpy(sim->name, name, sizeof(sim->name));
	sim->shape = sim_shape_default;
	sim->knobs = sim_knobs_default;
	config_group_init_type_name(&sim->group, name, &sim_array_type);

	mutex_lock(&sim_arrays_lock);
	list_add_tail(&sim->node, &sim_arrays);
	mutex_unlock(&sim_arrays_lock);
	return &sim->group;
}

/* rmdir: the hardware vanishes now, whoever still has an attribute open. */
static void sim_drop_item(struct config_group *group, struct config_item *item)
{
	struct sim_array *sim = to_sim(item);

	mutex_lock(&sim_arrays_lock);
	list_del(&sim->node);
	mutex_unlock(&sim_arrays_lock);

	mutex_lock(&sim->lock);
	sim_deactivate(sim, true);
	if (sim->ledger)
		sim_ledger_retire(sim->ledger);
	sim->ledger = NULL;
	mutex_unlock(&sim->lock);
	config_item_put(item);
}

static struct configfs_group_operations sim_group_ops = {
	.make_group = sim_make_group,
	.drop_item = sim_drop_item,
};

static const struct config_item_type sim_subsys_type = {
	.ct_group_ops = &sim_group_ops,
	.ct_owner = THIS_MODULE,
};

static struct configfs_subsystem sim_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "holdfast_sim",
			.ci_type = &sim_subsys_type,
		},
	},
};

int sim_config_register(void)
{
	config_group_init(&sim_subsys.su_group);
	mutex_init(&sim_subsys.su_mutex);
	return configfs_register_subsystem(&sim_subsys);
}

void sim_config_unregister(void)
{
	configfs_unregister_subsystem(&sim_subsys);
}

/* Arrays are only left here when the module is unloaded by force. */
void sim_silence_all(void)
{
	struct sim_array *sim;

	list_for_each_entry(sim, &sim_arrays, node) {
		if (sim->pdev)
			sim_output_silence(&sim->out);
	}
}

void sim_retire_all(void)
{
	struct sim_array *sim;

	mutex_lock(&sim_arrays_lock);
	list_for_each_entry(sim, &sim_arrays, node) {
		mutex_lock(&sim->lock);
		sim_deactivate(sim, false);
		if (sim->ledger)
			sim_ledger_retire(sim->ledger);
		sim->ledger = NULL;
		mutex_unlock(&sim->lock);
	}
	mutex_unlock(&sim_arrays_lock);
}
