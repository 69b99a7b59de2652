// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of an array's directory, one value each. The ABI is in
 * docs/simulator.md and docs/ABI/configfs-holdfast-sim; keep them in step.
 */
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sim.h"

static int sim_number(const char *page, s64 lo, s64 hi, s64 *value)
{
	int ret = kstrtos64(page, 10, value);

	if (ret)
		return ret;
	return *value < lo || *value > hi ? -ERANGE : 0;
}

/* ------------------------------------------------- numbers that shape it */

static ssize_t sim_shape_store(struct sim_array *sim, const char *page, size_t count, s64 *field,
			       s64 lo, s64 hi)
{
	s64 value;
	int ret = sim_number(page, lo, hi, &value);

	if (ret)
		return ret;
	mutex_lock(&sim->lock);
	if (sim->pdev)
		ret = -EBUSY;
	else
		*field = value;
	mutex_unlock(&sim->lock);
	return ret ?: count;
}

#define SIM_X(_name, lo, hi, def)							\
static ssize_t sim_##_name##_show(struct config_item *item, char *page)		\
{											\
	return sprintf(page, "%lld\n", to_sim(item)->shape._name);			\
}											\
static ssize_t sim_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{											\
	struct sim_array *sim = to_sim(item);						\
											\
	return sim_shape_store(sim, page, count, &sim->shape._name, lo, hi);		\
}											\
CONFIGFS_ATTR(sim_, _name);
SIM_SHAPE(SIM_X)
#undef SIM_X

/* ------------------------------------------- numbers that may change live */

static ssize_t sim_knob_store(struct sim_array *sim, const char *page, size_t count, int *field,
			      s64 lo, s64 hi)
{
	s64 value;
	int ret = sim_number(page, lo, hi, &value);

	if (ret)
		return ret;
	mutex_lock(&sim->lock);
	mutex_lock(&sim->plant.lock);
	/* What was true until now has had its effect. */
	if (sim->pdev)
		sim_plant_advance(sim, ktime_get_ns());
	WRITE_ONCE(*field, value);
	mutex_unlock(&sim->plant.lock);
	mutex_unlock(&sim->lock);
	return count;
}

#define SIM_X(_name, lo, hi, def)							\
static ssize_t sim_##_name##_show(struct config_item *item, char *page)		\
{											\
	return sprintf(page, "%d\n", READ_ONCE(to_sim(item)->knobs._name));		\
}											\
static ssize_t sim_##_name##_store(struct config_item *item, const char *page, size_t count)	\
{											\
	struct sim_array *sim = to_sim(item);						\
											\
	return sim_knob_store(sim, page, count, &sim->knobs._name, lo, hi);		\
}											\
CONFIGFS_ATTR(sim_, _name);
SIM_KNOBS(SIM_X)
#undef SIM_X

/* ---------------------------------------------------------- sensor faults */

static ssize_t sim_fault_show(struct sim_array *sim, enum sim_sensor_id id, char *page)
{
	ssize_t n;

	mutex_lock(&sim->plant.lock);
	n = sim_fault_print(&sim->sensor[id], page);
	mutex_unlock(&sim->plant.lock);
	return n;
}

static ssize_t sim_fault_store(struct sim_array *sim, enum sim_sensor_id id, const char *page,
			       size_t count)
{
	int ret;

	mutex_lock(&sim->plant.lock);
	ret = sim_fault_parse(&sim->sensor[id], page, ktime_get_ns());
	mutex_unlock(&sim->plant.lock);
	return ret ?: count;
}

#define SIM_FAULT_ATTR(_name, _id)							\
static ssize_t sim_fault_##_name##_show(struct config_item *item, char *page)		\
{											\
	return sim_fault_show(to_sim(item), _id, page);				\
}											\
static ssize_t sim_fault_##_name##_store(struct config_item *item, const char *page,	\
					 size_t count)					\
{											\
	return sim_fault_store(to_sim(item), _id, page, count);			\
}											\
CONFIGFS_ATTR(sim_, fault_##_name)

SIM_FAULT_ATTR(temp0, SIM_TEMP0);
SIM_FAULT_ATTR(temp1, SIM_TEMP1);
SIM_FAULT_ATTR(supply, SIM_SUPPLY);
SIM_FAULT_ATTR(current, SIM_CURRENT);
SIM_FAULT_ATTR(fan, SIM_FAN);

/* ------------------------------------------------------------------ words */

static ssize_t sim_kind_show(struct config_item *item, char *page)
{
	return sprintf(page, "%s\n", to_sim(item)->shape.bus ? "bus" : "atomic");
}

static ssize_t sim_kind_store(struct config_item *item, const char *page, size_t count)
{
	static const char * const kinds[] = { "atomic", "bus" };
	struct sim_array *sim = to_sim(item);
	int kind = sysfs_match_string(kinds, page);

	if (kind < 0)
		return -EINVAL;
	mutex_lock(&sim->lock);
	if (sim->pdev)
		kind = -EBUSY;
	else
		sim->shape.bus = kind;
	mutex_unlock(&sim->lock);
	return kind < 0 ? kind : count;
}
CONFIGFS_ATTR(sim_, kind);

static ssize_t sim_sensors_show(struct config_item *item, char *page)
{
	u32 mask = to_sim(item)->shape.sensor_mask;
	int id, n = 0;

	for (id = 0; id < SIM_SENSORS; id++) {
		if (mask & BIT(id))
			n += sprintf(page + n, "%s%s", n ? " " : "", sim_sensor_names[id]);
	}
	return n + sprintf(page + n, "%s\n", n ? "" : "none");
}

/* The mask that a list of names stands for, or -EINVAL. */
static int sim_sensor_mask(char *list)
{
	char *name;
	int id, mask = 0;

	list = strim(list);
	if (!strcmp(list, "none"))
		return 0;
	while ((name = strsep(&list, " "))) {
		id = match_string(sim_sensor_names, SIM_SENSORS, name);
		if (id < 0)
			return -EINVAL;
		mask |= BIT(id);
	}
	return mask;
}

static ssize_t sim_sensors_store(struct config_item *item, const char *page, size_t count)
{
	struct sim_array *sim = to_sim(item);
	char *list = kmemdup_nul(page, count, GFP_KERNEL);
	int mask;

	if (!list)
		return -ENOMEM;
	mask = sim_sensor_mask(list);
	kfree(list);
	if (mask < 0)
		return mask;
	mutex_lock(&sim->lock);
	if (sim->pdev)
		mask = -EBUSY;
	else
		sim->shape.sensor_mask = mask;
	mutex_unlock(&sim->lock);
	return mask < 0 ? mask : count;
}
CONFIGFS_ATTR(sim_, sensors);

static ssize_t sim_geometry_show(struct config_item *item, char *page)
{
	u32 points = to_sim(item)->shape.points;

	return points ? sprintf(page, "%u\n", points) : sprintf(page, "grid\n");
}

static ssize_t sim_geometry_store(struct config_item *item, const char *page, size_t count)
{
	struct sim_array *sim = to_sim(item);
	ssize_t ret = -EBUSY;

	mutex_lock(&sim->lock);
	if (!sim->pdev)
		ret = sim_geometry_parse(&sim->shape, page, count);
	mutex_unlock(&sim->lock);
	return ret;
}
CONFIGFS_ATTR(sim_, geometry);

static ssize_t sim_limit_show(struct config_item *item, char *page)
{
	struct sim_array *sim = to_sim(item);
	ssize_t n;

	mutex_lock(&sim->lock);
	n = sim_limit_print(&sim->shape, page);
	mutex_unlock(&sim->lock);
	return n;
}

static ssize_t sim_limit_store(struct config_item *item, const char *page, size_t count)
{
	struct sim_array *sim = to_sim(item);
	char *text = kmemdup_nul(page, count, GFP_KERNEL);
	char *rest = text, *line;
	int ret = 0;

	if (!text)
		return -ENOMEM;
	mutex_lock(&sim->lock);
	if (sim->pdev)
		ret = -EBUSY;
	while (!ret && (line = strsep(&rest, "\n"))) {
		line = strim(line);
		if (*line)
			ret = sim_limit_parse(&sim->shape, line);
	}
	mutex_unlock(&sim->lock);
	kfree(text);
	return ret ?: count;
}
CONFIGFS_ATTR(sim_, limit);

static const char *const sim_links[] = {
	[SIM_LINK_OK] = "ok", [SIM_LINK_LOST] = "lost", [SIM_LINK_ERROR] = "error",
};

static ssize_t sim_link_show(struct config_item *item, char *page)
{
	struct sim_array *sim = to_sim(item);
	int link = READ_ONCE(sim->link);

	if (link == SIM_LINK_SLOW)
		return sprintf(page, "slow:%u\n", READ_ONCE(sim->link_slow_ms));
	return sprintf(page, "%s\n", sim_links[link]);
}

static ssize_t sim_link_store(struct config_item *item, const char *page, size_t count)
{
	struct sim_array *sim = to_sim(item);
	int link = sysfs_match_string(sim_links, page);
	s64 ms = 0;
	int ret;

	if (link < 0) {
		if (strncmp(page, "slow:", 5))
			return -EINVAL;
		ret = sim_number(page + 5, 1, 60000, &ms);
		if (ret)
			return ret;
		link = SIM_LINK_SLOW;
		WRITE_ONCE(sim->link_slow_ms, ms);
	}
	WRITE_ONCE(sim->link, link);
	wake_up_all(&sim->link_wait);
	return count;
}
CONFIGFS_ATTR(sim_, link);

/* ------------------------------------------------------------- live, truth */

static ssize_t sim_live_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", !!READ_ONCE(to_sim(item)->pdev));
}

static ssize_t sim_live_store(struct config_item *item, const char *page, size_t count)
{
	struct sim_array *sim = to_sim(item);
	bool live;
	int ret = kstrtobool(page, &live);

	if (ret)
		return ret;
	mutex_lock(&sim->lock);
	if (live == !!sim->pdev)
		ret = -EPERM;
	else if (live)
		ret = sim_activate(sim);
	else
		sim_deactivate(sim, false);
	mutex_unlock(&sim->lock);
	return ret ?: count;
}
CONFIGFS_ATTR(sim_, live);

static int sim_array_name(struct device *dev, void *page)
{
	if (!dev->class || strcmp(dev->class->name, "holdfast"))
		return 0;
	return sprintf(page, "%s\n", dev_name(dev));
}

static ssize_t sim_array_show(struct config_item *item, char *page)
{
	struct sim_array *sim = to_sim(item);
	int n = 0;

	mutex_lock(&sim->lock);
	if (sim->pdev)
		n = device_for_each_child(&sim->pdev->dev, page, sim_array_name);
	mutex_unlock(&sim->lock);
	return n ?: sprintf(page, "none\n");
}
CONFIGFS_ATTR_RO(sim_, array);

static ssize_t sim_emitting_show(struct config_item *item, char *page)
{
	return sprintf(page, "%d\n", sim_output_emitting(&to_sim(item)->out));
}
CONFIGFS_ATTR_RO(sim_, emitting);

static ssize_t sim_ledger_seq_show(struct config_item *item, char *page)
{
	struct sim_array *sim = to_sim(item);
	u64 seq;

	mutex_lock(&sim->lock);
	seq = sim->ledger ? sim_ledger_seq(sim->ledger) : 0;
	mutex_unlock(&sim->lock);
	return sprintf(page, "%llu\n", seq);
}
CONFIGFS_ATTR_RO(sim_, ledger_seq);

static ssize_t sim_plant_show(struct config_item *item, char *page)
{
	struct sim_array *sim = to_sim(item);
	struct sim_plant *p = &sim->plant;
	ssize_t n = -ENODEV;

	mutex_lock(&sim->lock);
	mutex_lock(&p->lock);
	if (sim->pdev) {
		sim_plant_advance(sim, ktime_get_ns());
		n = sprintf(page,
			    "board_mc %lld\nheatsink_mc %lld\nsupply_mv %lld\ncurrent_ma %lld\nfan_rpm %lld\npower_uw %llu\n",
			    div_s64(p->board_uc, 1000), div_s64(p->sink_uc, 1000), p->supply_mv,
			    p->current_ma, div_s64(p->fan_mrpm, 1000), p->power_uw);
	}
	mutex_unlock(&p->lock);
	mutex_unlock(&sim->lock);
	return n;
}
CONFIGFS_ATTR_RO(sim_, plant);

static struct configfs_attribute *sim_attrs[] = {
	&sim_attr_kind,
	&sim_attr_sensors,
	&sim_attr_geometry,
	&sim_attr_limit,
	&sim_attr_link,
	&sim_attr_fault_temp0,
	&sim_attr_fault_temp1,
	&sim_attr_fault_supply,
	&sim_attr_fault_current,
	&sim_attr_fault_fan,
	&sim_attr_live,
	&sim_attr_array,
	&sim_attr_emitting,
	&sim_attr_ledger_seq,
	&sim_attr_plant,
#define SIM_X(name, lo, hi, def) &sim_attr_##name,
	SIM_SHAPE(SIM_X)
	SIM_KNOBS(SIM_X)
#undef SIM_X
	NULL
};

static void sim_item_release(struct config_item *item)
{
	struct sim_array *sim = to_sim(item);

	mutex_destroy(&sim->plant.lock);
	mutex_destroy(&sim->lock);
	kvfree(sim->shape.pos);
	kfree(sim);
}

static struct configfs_item_operations sim_item_ops = {
	.release = sim_item_release,
};

const struct config_item_type sim_array_type = {
	.ct_item_ops = &sim_item_ops,
	.ct_attrs = sim_attrs,
	.ct_owner = THIS_MODULE,
};
