// SPDX-License-Identifier: GPL-2.0
/*
 * The driver of the simulated hardware: a platform device for each live array,
 * registered with core as any hardware driver would. Hardware that does not
 * answer is simulated here too. No configfs in here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>

#include "sim.h"

#define SIM_SILENCE_SLACK_NS	(100 * NSEC_PER_USEC)

static int sim_op_enable(void *priv, bool on)
{
	struct sim_array *sim = priv;

	return sim_output_enable(&sim->out, on);
}

static int sim_op_commit(void *priv, const struct hf_wire *wire)
{
	struct sim_array *sim = priv;

	return sim_output_commit(&sim->out, wire);
}

static void sim_op_silence(void *priv)
{
	struct sim_array *sim = priv;

	sim_output_silence(&sim->out);
}

static void sim_op_beat_hw(void *priv)
{
	struct sim_array *sim = priv;

	sim_output_beat(&sim->out);
}

static void sim_op_cut_power(void *priv)
{
	struct sim_array *sim = priv;

	sim_output_cut_power(&sim->out);
}

static int sim_op_confirm_silent(void *priv)
{
	struct sim_array *sim = priv;

	if (READ_ONCE(sim->link) == SIM_LINK_LOST)
		return -EIO;
	return !sim_output_emitting(&sim->out);
}

static int sim_op_self_test(void *priv)
{
	struct sim_array *sim = priv;

	if (READ_ONCE(sim->link) != SIM_LINK_OK || READ_ONCE(sim->knobs.selftest_fail))
		return -EIO;
	return 0;
}

static void sim_op_read_sensors(void *priv, struct hf_raw_sample *s, u32 n)
{
	struct sim_array *sim = priv;
	struct hf_array *array = READ_ONCE(sim->array);
	u32 i;

	if (READ_ONCE(sim->link) == SIM_LINK_SLOW)
		wait_event_timeout(sim->link_wait,
				   READ_ONCE(sim->link) != SIM_LINK_SLOW || READ_ONCE(sim->leaving),
				   msecs_to_jiffies(READ_ONCE(sim->link_slow_ms)));
	if (READ_ONCE(sim->link) == SIM_LINK_LOST) {
		for (i = 0; i < n; i++)
			s[i].present = false;
		if (array)
			holdfast_array_fault(array, HF_HW_LINK_LOST);
		return;
	}
	mutex_lock(&sim->plant.lock);
	sim_sensors_read(sim, s, n);
	mutex_unlock(&sim->plant.lock);
}

/* Hard interrupt. */
static void sim_deadman_fired(struct sim_output *out)
{
	struct sim_array *sim = container_of(out, struct sim_array, out);
	struct hf_array *array = READ_ONCE(sim->array);

	if (array)
		holdfast_array_fault(array, HF_HW_DEADMAN_FIRED);
}

static void sim_ops_fill(struct sim_array *sim)
{
	const struct sim_shape *sh = &sim->shape;

	sim->ops = (struct hf_array_ops){
		.enable = sim_op_enable,
		.commit = sim_op_commit,
		.silence = sim_op_silence,
		.read_sensors = sh->sensor_mask ? sim_op_read_sensors : NULL,
		.confirm_silent = sh->readback ? sim_op_confirm_silent : NULL,
		.beat_hw = sh->deadman_ms ? sim_op_beat_hw : NULL,
		.cut_power = sh->power_cut ? sim_op_cut_power : NULL,
		.self_test = sim_op_self_test,
	};
}

/* As the hardware's silence() keeps it, interrupt latency of the machine not counted. */
static u64 sim_bound_ns(const struct sim_array *sim)
{
	const struct sim_shape *sh = &sim->shape;

	if (!sh->bus)
		return SIM_SILENCE_SLACK_NS;
	return sim_wire_bound_ns(sim_channels(sh), sh->baud) + NSEC_PER_MSEC;
}

static struct hf_array *sim_register(struct sim_array *sim, struct device *parent)
{
	const struct sim_shape *sh = &sim->shape;
	struct hf_nameplate *np = sim_nameplate_new(sh);
	struct hf_array_desc desc = {
		.model = "sim",
		.serial = sim->name,
		.owner = THIS_MODULE,
		.ops = &sim->ops,
		.priv = sim,
		.nameplate = np,
		.flags = HF_HW_SIMULATED | (sh->bus ? 0 : HF_HW_ATOMIC) |
			 (sh->deadman_ms ? HF_HW_DEADMAN : 0),
		.silence_bound_ns = sim_bound_ns(sim),
		.commit_ns = sh->bus ? sim_wire_frame_ns(sim_channels(sh), sh->baud) : 0,
		.sensor_period_ms = sh->sensor_period_ms,
	};
	struct hf_array *array;

	if (!np)
		return ERR_PTR(-ENOMEM);
	array = holdfast_array_register(parent, &desc);
	kvfree(np);
	return array;
}

/* The array leaves: core first, then the hardware behind it. */
static void sim_unregister(void *data)
{
	struct sim_array *sim = data;

	if (sim->vanish)
		sim_output_gone(&sim->out);
	WRITE_ONCE(sim->leaving, true);
	wake_up_all(&sim->link_wait);
	sim_output_deadman_stop(&sim->out);
	holdfast_array_unregister(sim->array);
	sim->array = NULL;
	sim_output_gone(&sim->out);
}

static int sim_probe(struct platform_device *pdev)
{
	struct sim_array **data = dev_get_platdata(&pdev->dev);
	struct hf_array *array;
	struct sim_array *sim;

	/* Someone forced the driver on a device that is not ours. */
	if (!data)
		return -ENODEV;
	sim = *data;
	platform_set_drvdata(pdev, sim);
	sim_ops_fill(sim);
	array = sim_register(sim, &pdev->dev);
	if (IS_ERR(array)) {
		sim->probe_ret = PTR_ERR(array);
		return sim->probe_ret;
	}
	WRITE_ONCE(sim->array, array);
	sim->probe_ret = devm_add_action_or_reset(&pdev->dev, sim_unregister, sim);
	return sim->probe_ret;
}

/* Waits for the off sequence to be through: what follows may stop the bus. */
static void sim_shutdown(struct platform_device *pdev)
{
	struct sim_array *sim = platform_get_drvdata(pdev);

	sim_output_enable(&sim->out, false);
}

static int sim_suspend(struct device *dev)
{
	struct sim_array *sim = dev_get_drvdata(dev);

	return sim_output_enable(&sim->out, false);
}

/* Nothing to resume: it stays silent until it is armed again. */
static DEFINE_SIMPLE_DEV_PM_OPS(sim_pm_ops, sim_suspend, NULL);

struct platform_driver sim_driver = {
	.probe = sim_probe,
	.shutdown = sim_shutdown,
	.driver = {
		.name = "holdfast_sim",
		.pm = pm_sleep_ptr(&sim_pm_ops),
		.suppress_bind_attrs = true,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
	},
};

/* A ledger that fits: the one there is, or a new one in its place. */
static int sim_ledger_ready(struct sim_array *sim, u32 channels)
{
	struct sim_ledger *l = sim->ledger;
	int ret;

	if (l && l->channels == channels && l->slots == sim->shape.ledger_frames)
		return 0;
	if (l)
		sim_ledger_retire(l);
	sim->ledger = NULL;
	l = sim_ledger_new(sim->name, channels, sim->shape.ledger_frames);
	if (!l)
		return -ENOMEM;
	ret = sim_ledger_publish(l);
	if (ret) {
		sim_ledger_retire(l);
		return ret;
	}
	sim->ledger = l;
	return 0;
}

static int sim_power_up(struct sim_array *sim, u32 channels)
{
	int ret;

	memset(&sim->out, 0, sizeof(sim->out));
	sim->out.name = sim->name;
	sim->out.knobs = &sim->knobs;
	sim->out.link = &sim->link;
	sim->out.deadman_fired = sim_deadman_fired;
	ret = sim_output_start(&sim->out, &sim->shape, channels, sim->ledger);
	if (ret)
		return ret;
	WRITE_ONCE(sim->leaving, false);
	sim_plant_start(sim);
	sim_sensors_start(sim);
	return 0;
}

/**
 * sim_activate() - plug the array in
 * @sim:	not live, its lock held
 *
 * Return: 0, or what registration said.
 */
int sim_activate(struct sim_array *sim)
{
	u64 n = sim->shape.points ?: (u64)sim->shape.rows * sim->shape.cols;
	struct platform_device_info info = {
		.name = "holdfast_sim",
		.id = PLATFORM_DEVID_AUTO,
		.data = &sim,
		.size_data = sizeof(sim),
	};
	struct platform_device *pdev;
	int ret;

	lockdep_assert_held(&sim->lock);
	if (n > HF_MAX_CHANNELS) {
		pr_err("%s: %llu channels, at most %u\n", sim->name, n, HF_MAX_CHANNELS);
		return -ERANGE;
	}
	ret = sim_ledger_ready(sim, n);
	if (ret)
		return ret;
	ret = sim_power_up(sim, n);
	if (ret)
		goto err_stop;

	sim->vanish = false;
	sim->probe_ret = -EAGAIN;
	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev)) {
		ret = PTR_ERR(pdev);
		goto err_stop;
	}
	ret = sim->probe_ret;
	if (ret) {
		platform_device_unregister(pdev);
		goto err_stop;
	}
	sim->pdev = pdev;
	return 0;

err_stop:
	sim_output_stop(&sim->out);
	return ret;
}

/**
 * sim_deactivate() - unplug the array
 * @sim:	its lock held; may be not live
 * @vanish:	the hardware goes first, and core notices afterwards
 */
void sim_deactivate(struct sim_array *sim, bool vanish)
{
	struct platform_device *pdev = sim->pdev;

	lockdep_assert_held(&sim->lock);
	if (!pdev)
		return;
	sim->vanish = vanish;
	sim->pdev = NULL;
	platform_device_unregister(pdev);
	sim_output_stop(&sim->out);
}
