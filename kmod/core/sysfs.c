// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes of class "holdfast" and the uevents of state changes. All of it
 * can be read by anyone and written by nobody; docs/ABI/sysfs-class-holdfast
 * says what each means.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "core.h"
#include "names.h"

static struct hf_array *to_array(struct device *dev)
{
	return container_of(dev, struct hf_array, dev);
}

/* One value, read under the array's lock. */
#define HF_ATTR(name, fmt, expr) \
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
{ \
	struct hf_array *a = to_array(dev); \
	unsigned long flags; \
	typeof(expr) v; \
\
	raw_spin_lock_irqsave(&a->lock, flags); \
	v = (expr); \
	raw_spin_unlock_irqrestore(&a->lock, flags); \
	return sysfs_emit(buf, fmt "\n", v); \
} \
static DEVICE_ATTR_RO(name)

HF_ATTR(abi, "%d", HOLDFAST_ABI_VERSION);
HF_ATTR(channels, "%u", a->np->channels);
HF_ATTR(epoch, "%llu", a->epoch);
HF_ATTR(event_seq, "%llu", a->ev_seq);
HF_ATTR(index, "%d", a->index);
HF_ATTR(instance, "%llu", a->instance);
HF_ATTR(model, "%s", (const char *)a->model_name);
HF_ATTR(sealed, "%d", a->sealed);
HF_ATTR(serial, "%s", (const char *)a->serial);
HF_ATTR(silence_bound_ns, "%llu", a->silence_bound_ns);
HF_ATTR(state, "%s", hf_word_state(a->state));
HF_ATTR(trip_cause, "%s", hf_word_cause(a->trip.cause));
HF_ATTR(trip_count, "%u", a->trip.count);
HF_ATTR(trip_severity, "%s", hf_word_severity(a->trip.severity));

static ssize_t caps_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const struct {
		u32 cap;
		const char *word;
	} words[] = {
		{ HOLDFAST_CAP_ATOMIC_SILENCE, "atomic-silence" },
		{ HOLDFAST_CAP_HW_DEADMAN, "hw-deadman" },
		{ HOLDFAST_CAP_POWER_CUT, "power-cut" },
		{ HOLDFAST_CAP_READBACK, "readback" },
		{ HOLDFAST_CAP_SIMULATED, "simulated" },
		{ HOLDFAST_CAP_AMPLITUDE, "amplitude" },
	};
	u32 i, caps = hf_array_caps(to_array(dev));
	int len = 0;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (caps & words[i].cap)
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "", words[i].word);
	}
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(caps);

static struct attribute *array_attrs[] = {
	&dev_attr_abi.attr,
	&dev_attr_caps.attr,
	&dev_attr_channels.attr,
	&dev_attr_epoch.attr,
	&dev_attr_event_seq.attr,
	&dev_attr_index.attr,
	&dev_attr_instance.attr,
	&dev_attr_model.attr,
	&dev_attr_sealed.attr,
	&dev_attr_serial.attr,
	&dev_attr_silence_bound_ns.attr,
	&dev_attr_state.attr,
	&dev_attr_trip_cause.attr,
	&dev_attr_trip_count.attr,
	&dev_attr_trip_severity.attr,
	NULL
};

static const struct attribute_group array_group = { .attrs = array_attrs };

const struct attribute_group *hf_array_groups[] = { &array_group, NULL };

/**
 * hf_sysfs_event() - tell pollers of sysfs and udev of a state change
 * @a:	the array; still a registered device
 * @ev:	the event; all but state changes and trips are ignored
 *
 * Context: process, may sleep.
 */
void hf_sysfs_event(struct hf_array *a, const struct hf_event_rec *ev)
{
	char state[40], cause[48], seq[48];
	char *env[4];

	if (ev->type != HF_EVT_STATE && ev->type != HF_EVT_TRIP)
		return;
	sysfs_notify(&a->dev.kobj, NULL, "state");
	if (ev->type == HF_EVT_TRIP)
		sysfs_notify(&a->dev.kobj, NULL, "trip_count");
	snprintf(state, sizeof(state), "HOLDFAST_STATE=%s", hf_word_state(ev->state));
	snprintf(cause, sizeof(cause), "HOLDFAST_CAUSE=%s", hf_word_cause(ev->cause));
	snprintf(seq, sizeof(seq), "HOLDFAST_EVENT_SEQ=%llu", ev->seq);
	env[0] = state;
	env[1] = cause;
	env[2] = seq;
	env[3] = NULL;
	kobject_uevent_env(&a->dev.kobj, KOBJ_CHANGE, env);
}
