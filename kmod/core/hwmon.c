// SPDX-License-Identifier: GPL-2.0
/*
 * Every sensor of an array, with its limits and alarms, as hwmon knows them,
 * and the modelled power. For people and monitors: nothing is enforced here and
 * nothing can be written. A sensor without a believable reading has no value
 * and no alarms (ENODATA), never a constant.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/hwmon.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "core.h"

#define HF_KINDS	4	/* enum hf_sensor_kind */
#define HF_INFOS	(HF_KINDS + 1)	/* and power */

struct hf_hwmon {
	struct hf_array *array;
	struct hwmon_chip_info chip;
	const struct hwmon_channel_info *info[HF_INFOS + 1];
	struct hwmon_channel_info kind_info[HF_KINDS];
	u32 config[HF_KINDS][HF_MAX_SENSORS + 1];
	u8 sensor[HF_KINDS][HF_MAX_SENSORS];	/* of a channel of that kind */
	u8 channel[HF_MAX_SENSORS];		/* of a sensor */
};

static const struct {
	enum hwmon_sensor_types type;
	u32 config;
} hf_kinds[HF_KINDS] = {
	[HF_SENSOR_TEMP] = { hwmon_temp,
			     HWMON_T_INPUT | HWMON_T_LABEL | HWMON_T_FAULT | HWMON_T_MAX |
			     HWMON_T_CRIT | HWMON_T_EMERGENCY | HWMON_T_MAX_ALARM |
			     HWMON_T_CRIT_ALARM | HWMON_T_EMERGENCY_ALARM },
	[HF_SENSOR_SUPPLY] = { hwmon_in,
			       HWMON_I_INPUT | HWMON_I_LABEL | HWMON_I_MIN | HWMON_I_MAX |
			       HWMON_I_MIN_ALARM | HWMON_I_MAX_ALARM },
	[HF_SENSOR_CURRENT] = { hwmon_curr,
				HWMON_C_INPUT | HWMON_C_LABEL | HWMON_C_MAX | HWMON_C_MAX_ALARM },
	[HF_SENSOR_FAN] = { hwmon_fan,
			    HWMON_F_INPUT | HWMON_F_LABEL | HWMON_F_FAULT | HWMON_F_MIN |
			    HWMON_F_MIN_ALARM },
};

static const u32 hf_power_config[] = {
	HWMON_P_INPUT | HWMON_P_LABEL | HWMON_P_MAX | HWMON_P_AVERAGE | HWMON_P_AVERAGE_MAX, 0
};

static const struct hwmon_channel_info hf_power_info = {
	.type = hwmon_power,
	.config = hf_power_config,
};

/* What an attribute of a sensor shows. */
enum hf_show { HF_SHOW_NOTHING, HF_SHOW_VALUE, HF_SHOW_FAULT, HF_SHOW_BOUND, HF_SHOW_ALARM };

struct hf_view {
	enum hf_show show;
	u32 limit;	/* of BOUND and ALARM */
};

static struct hf_view hf_view_temp(u32 attr)
{
	switch (attr) {
	case hwmon_temp_input:
		return (struct hf_view){ HF_SHOW_VALUE };
	case hwmon_temp_fault:
		return (struct hf_view){ HF_SHOW_FAULT };
	case hwmon_temp_max:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_TEMP_WARN };
	case hwmon_temp_crit:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_TEMP_CRIT };
	case hwmon_temp_emergency:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_TEMP_EMERG };
	case hwmon_temp_max_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_TEMP_WARN };
	case hwmon_temp_crit_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_TEMP_CRIT };
	case hwmon_temp_emergency_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_TEMP_EMERG };
	default:
		return (struct hf_view){ HF_SHOW_NOTHING };
	}
}

static struct hf_view hf_view_in(u32 attr)
{
	switch (attr) {
	case hwmon_in_input:
		return (struct hf_view){ HF_SHOW_VALUE };
	case hwmon_in_min:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_SUPPLY_MIN };
	case hwmon_in_max:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_SUPPLY_MAX };
	case hwmon_in_min_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_SUPPLY_MIN };
	case hwmon_in_max_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_SUPPLY_MAX };
	default:
		return (struct hf_view){ HF_SHOW_NOTHING };
	}
}

static struct hf_view hf_view_curr(u32 attr)
{
	switch (attr) {
	case hwmon_curr_input:
		return (struct hf_view){ HF_SHOW_VALUE };
	case hwmon_curr_max:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_CURRENT };
	case hwmon_curr_max_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_CURRENT };
	default:
		return (struct hf_view){ HF_SHOW_NOTHING };
	}
}

static struct hf_view hf_view_fan(u32 attr)
{
	switch (attr) {
	case hwmon_fan_input:
		return (struct hf_view){ HF_SHOW_VALUE };
	case hwmon_fan_fault:
		return (struct hf_view){ HF_SHOW_FAULT };
	case hwmon_fan_min:
		return (struct hf_view){ HF_SHOW_BOUND, HF_LIM_FAN_MIN };
	case hwmon_fan_min_alarm:
		return (struct hf_view){ HF_SHOW_ALARM, HF_LIM_FAN_MIN };
	default:
		return (struct hf_view){ HF_SHOW_NOTHING };
	}
}

static struct hf_view hf_view_of(u32 kind, u32 attr)
{
	switch (kind) {
	case HF_SENSOR_TEMP:
		return hf_view_temp(attr);
	case HF_SENSOR_SUPPLY:
		return hf_view_in(attr);
	case HF_SENSOR_CURRENT:
		return hf_view_curr(attr);
	case HF_SENSOR_FAN:
		return hf_view_fan(attr);
	default:
		return (struct hf_view){ HF_SHOW_NOTHING };
	}
}

/* As kmod/rules judges: a ceiling may be reached, a floor too. */
static bool hf_over(u32 limit, s64 value, s64 bound)
{
	return hf_limits[limit].sense == HF_CEIL ? value > bound : value < bound;
}

static int hf_show_locked(const struct hf_array *a, u32 sensor, struct hf_view view, long *val)
{
	const struct hf_sensor *s = &a->sensors.s[sensor];
	bool ok = hf_sensor_state(s, &a->env, ktime_get_ns()) == HF_SENSOR_OK;

	lockdep_assert_held(&a->lock);
	switch (view.show) {
	case HF_SHOW_FAULT:
		*val = !ok;
		return 0;
	case HF_SHOW_BOUND:
		*val = a->env.limit[view.limit];
		return 0;
	case HF_SHOW_VALUE:
		*val = s->value;
		return ok ? 0 : -ENODATA;
	case HF_SHOW_ALARM:
		*val = hf_over(view.limit, s->value, a->env.limit[view.limit]);
		return ok ? 0 : -ENODATA;
	default:
		return -EOPNOTSUPP;
	}
}

static int hf_show_power_locked(const struct hf_array *a, u32 attr, long *val)
{
	lockdep_assert_held(&a->lock);
	switch (attr) {
	case hwmon_power_input:
		*val = a->model->power_uw;
		return 0;
	case hwmon_power_average:
		*val = a->model->power_avg_uw;
		return 0;
	case hwmon_power_max:
		*val = a->env.limit[HF_LIM_POWER_INST];
		return 0;
	case hwmon_power_average_max:
		*val = a->env.limit[HF_LIM_POWER_AVG];
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int hf_kind_of(enum hwmon_sensor_types type)
{
	int k;

	for (k = 0; k < HF_KINDS; k++) {
		if (hf_kinds[k].type == type)
			return k;
	}
	return -1;
}

static umode_t hf_hwmon_is_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				   int channel)
{
	return 0444;
}

static int hf_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			 long *val)
{
	struct hf_hwmon *h = dev_get_drvdata(dev);
	struct hf_array *a = h->array;
	int ret, kind = hf_kind_of(type);
	unsigned long flags;

	raw_spin_lock_irqsave(&a->lock, flags);
	if (kind < 0)
		ret = hf_show_power_locked(a, attr, val);
	else
		ret = hf_show_locked(a, h->sensor[kind][channel], hf_view_of(kind, attr), val);
	raw_spin_unlock_irqrestore(&a->lock, flags);
	return ret;
}

static int hf_hwmon_read_string(struct device *dev, enum hwmon_sensor_types type, u32 attr,
				int channel, const char **str)
{
	struct hf_hwmon *h = dev_get_drvdata(dev);
	int kind = hf_kind_of(type);

	if (kind < 0)
		*str = "modelled power";
	else
		*str = h->array->np->sensor[h->sensor[kind][channel]].label;
	return 0;
}

static const struct hwmon_ops hf_hwmon_ops = {
	.is_visible = hf_hwmon_is_visible,
	.read = hf_hwmon_read,
	.read_string = hf_hwmon_read_string,
};

static void hf_hwmon_describe(struct hf_hwmon *h, const struct hf_nameplate *np)
{
	u32 count[HF_KINDS] = {};
	u32 i, kind, n = 0;

	for (i = 0; i < np->sensors; i++) {
		kind = np->sensor[i].kind;
		h->channel[i] = count[kind];
		h->sensor[kind][count[kind]] = i;
		h->config[kind][count[kind]++] = hf_kinds[kind].config;
	}
	for (kind = 0; kind < HF_KINDS; kind++) {
		h->kind_info[kind].type = hf_kinds[kind].type;
		h->kind_info[kind].config = h->config[kind];
		if (count[kind])
			h->info[n++] = &h->kind_info[kind];
	}
	h->info[n] = &hf_power_info;
	h->chip.ops = &hf_hwmon_ops;
	h->chip.info = h->info;
}

/**
 * hf_hwmon_add() - show the sensors of an array in hwmon
 * @a:	the array, its device added
 *
 * Context: process, may sleep.
 * Return: 0 or -errno.
 */
int hf_hwmon_add(struct hf_array *a)
{
	struct hf_hwmon *h = kzalloc(sizeof(*h), GFP_KERNEL);
	struct device *dev;

	if (!h)
		return -ENOMEM;
	h->array = a;
	hf_hwmon_describe(h, a->np);
	dev = hwmon_device_register_with_info(&a->dev, "holdfast", h, &h->chip, NULL);
	if (IS_ERR(dev)) {
		kfree(h);
		return PTR_ERR(dev);
	}
	WRITE_ONCE(a->hwmon, dev);
	return 0;
}

/**
 * hf_hwmon_remove() - the reverse; waits for readers and for the event worker
 * @a:	the array
 */
void hf_hwmon_remove(struct hf_array *a)
{
	struct device *dev = a->hwmon;
	struct hf_hwmon *h = dev_get_drvdata(dev);

	WRITE_ONCE(a->hwmon, NULL);
	flush_work(&a->ev_work);
	hwmon_device_unregister(dev);
	kfree(h);
}

/* The alarm of a limit that sensors are judged by; 0: it is no sensor's. */
static u32 hf_alarm_of(u32 limit)
{
	switch (limit) {
	case HF_LIM_TEMP_WARN:
		return hwmon_temp_max_alarm;
	case HF_LIM_TEMP_CRIT:
		return hwmon_temp_crit_alarm;
	case HF_LIM_TEMP_EMERG:
		return hwmon_temp_emergency_alarm;
	case HF_LIM_SUPPLY_MIN:
		return hwmon_in_min_alarm;
	case HF_LIM_SUPPLY_MAX:
		return hwmon_in_max_alarm;
	case HF_LIM_CURRENT:
		return hwmon_curr_max_alarm;
	case HF_LIM_FAN_MIN:
		return hwmon_fan_min_alarm;
	default:
		return 0;
	}
}

static bool hf_is_sensor_fault(u32 cause)
{
	return cause == HOLDFAST_CAUSE_SENSOR_LOST || cause == HOLDFAST_CAUSE_SENSOR_STALE ||
	       cause == HOLDFAST_CAUSE_SENSOR_STUCK || cause == HOLDFAST_CAUSE_SENSOR_IMPLAUSIBLE;
}

/**
 * hf_hwmon_event() - tell pollers of the alarm that an event is about
 * @a:	the array
 * @ev:	a trip or a derating; all others are ignored
 *
 * Context: process, may sleep; the array's event worker only.
 */
void hf_hwmon_event(struct hf_array *a, const struct hf_event_rec *ev)
{
	struct device *dev = READ_ONCE(a->hwmon);
	u32 i = ev->reason.where, attr = hf_alarm_of(ev->reason.limit), kind;
	struct hf_hwmon *h;

	if (!dev || (ev->type != HF_EVT_TRIP && ev->type != HF_EVT_DERATE) || i >= a->np->sensors)
		return;
	h = dev_get_drvdata(dev);
	kind = a->np->sensor[i].kind;
	if (ev->type == HF_EVT_TRIP && hf_is_sensor_fault(ev->cause)) {
		if (kind == HF_SENSOR_TEMP)
			attr = hwmon_temp_fault;
		else if (kind == HF_SENSOR_FAN)
			attr = hwmon_fan_fault;
	}
	if (attr)
		hwmon_notify_event(dev, hf_kinds[kind].type, attr, h->channel[i]);
}
