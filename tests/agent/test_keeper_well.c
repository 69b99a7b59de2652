// SPDX-License-Identifier: GPL-2.0
/*
 * What the keeper has to say of driver and arrays when it is asked how it is, over
 * a driver that is played.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health.h"
#include "holdfast_netlink.h"
#include "keeper_kit.h"

static struct holdfast_sample sample(uint32_t kind, int64_t value)
{
	return (struct holdfast_sample){ .kind = kind, .valid = 1, .value = value };
}

/* Arrays of which nothing is wrong. */
static void well(void)
{
	plug();
	begin(1000);
	node_fd = memfd_create("node", 0);
	cr_assert_eq(fchmod(node_fd, 0660), 0);
	for (int i = 0; i < ARRAYS; i++) {
		fake[i].abi = HOLDFAST_ABI_VERSION;
		fake[i].site.limit[HOLDFAST_LIM_TEMP_CRIT] = 60000;
		fake[i].site.limit[HOLDFAST_LIM_SUPPLY_MIN] = 21600;
		fake[i].site.limit[HOLDFAST_LIM_SUPPLY_MAX] = 26400;
		fake[i].st.sensors = 2;
		fake[i].st.sensor[0] = sample(HOLDFAST_SENSOR_TEMP, 30000);
		fake[i].st.sensor[1] = sample(HOLDFAST_SENSOR_SUPPLY, 24000);
	}
}

/* What is said of @check; "" : nothing wrong. */
static struct hf_finding said(const char *check)
{
	struct hf_finding f, found = { .health = HF_HEALTH_UNKNOWN, .text = "nobody said" };
	json_t *list = json_array(), *j;
	char name[HF_HEALTH_NAME];
	size_t i;

	hf_well_findings(k, list);
	cr_assert_eq(json_array_size(list), 12);
	json_array_foreach(list, i, j) {
		cr_assert_eq(hf_finding_read(j, name, &f), 0);
		cr_assert_eq(f.health == HF_HEALTH_OK, !f.text[0], "%s: %s", name, f.text);
		if (!strcmp(name, check))
			found = f;
	}
	json_decref(list);
	return found;
}

static void expect(const char *check, enum hf_health health, int array, const char *text)
{
	struct hf_finding f = said(check);

	cr_expect_eq(f.health, health, "%s: %d %s", check, (int)f.health, f.text);
	cr_expect_eq(f.array, array, "%s: array %d", check, f.array);
	cr_expect(strstr(f.text, text), "%s: %s", check, f.text);
}

Test(well, nothing_is_wrong)
{
	static const char *const all[] = { "node", "beat", "sensors", "temperature", "supply", "trips",
					   "events", "leases", "limits", "self_test", "calibration" };

	well();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect(all[i], HF_HEALTH_OK, 0, "");
	expect("driver", HF_HEALTH_OK, -1, "");
	end();
}

Test(well, the_worst_array_counts)
{
	well();
	fake[0].st.sensor[0].value = 55500;
	expect("temperature", HF_HEALTH_WARN, 0, "55.5 degrees, it trips at 60.0");
	fake[1].st.sensor[0].value = 60000;
	expect("temperature", HF_HEALTH_FAIL, 1, "60.0 degrees");
	fake[1].st.sensor[0].valid = 0;
	expect("temperature", HF_HEALTH_WARN, 0, "55.5");
	expect("sensors", HF_HEALTH_FAIL, 1, "1 of 2 sensors");
	fake[1].st.sensor[1].value = 22000;
	expect("supply", HF_HEALTH_WARN, 1, "22.00 V, it trips at 21.60 V");
	fake[0].st.sensor[1].value = 26400;
	expect("supply", HF_HEALTH_FAIL, 0, "it trips at 26.40 V");
	fake[1].st.state = HOLDFAST_STATE_TRIPPED;
	fake[1].st.trip_cause = HOLDFAST_CAUSE_FAN_FAILED;
	fake[1].st.trip_severity = HOLDFAST_SEV_CRITICAL;
	expect("trips", HF_HEALTH_WARN, 1, "fan-failed");
	fake[1].st.trip_severity = HOLDFAST_SEV_EMERGENCY;
	expect("trips", HF_HEALTH_FAIL, 1, "fan-failed");
	end();
}

Test(well, node_and_driver)
{
	well();
	cr_assert_eq(fchmod(node_fd, 0662), 0);
	expect("node", HF_HEALTH_FAIL, 0, "mode 0662");
	close(node_fd);
	expect("node", HF_HEALTH_UNKNOWN, 0, "cannot be looked at");
	fake[1].abi++;
	expect("driver", HF_HEALTH_FAIL, -1, "ABI 2");
	for (int i = 0; i < ARRAYS; i++)
		hf_array_leave(&k->array[i], "test");
	expect("driver", HF_HEALTH_FAIL, -1, "none of them is kept");
	expect("sensors", HF_HEALTH_OK, -1, "");
	end();
}

Test(well, beats)
{
	struct hf_array *a;

	well();
	a = &k->array[1];
	a->deadline_ms = 100;
	for (a->beats = 0; a->beats < 200; a->beats++)
		a->margin_us[a->beats] = a->beats < 100 ? 5000 : 60000;
	expect("beat", HF_HEALTH_OK, 0, "");	/* what was long ago counts no more */
	a->margin_us[199] = 25000;
	expect("beat", HF_HEALTH_WARN, 1, "25 % of the deadline of 100 ms");
	a->margin_us[198] = 0;
	expect("beat", HF_HEALTH_FAIL, 1, "0 % of the deadline");
	end();
}

Test(well, events_leases_tests)
{
	const struct holdfast_event failed = { .type = HOLDFAST_EVENT_SELF_TEST, .count = 8 };
	const struct holdfast_event passed = { .type = HOLDFAST_EVENT_SELF_TEST };
	struct hf_array *a;

	well();
	a = &k->array[1];
	a->rec->missed = 3;
	expect("events", HF_HEALTH_WARN, 1, "3 times");
	hf_test_clock_advance(&clock_, 59 * HF_S);
	expect("events", HF_HEALTH_WARN, 1, "59 s ago");
	hf_test_clock_advance(&clock_, HF_S);
	expect("events", HF_HEALTH_OK, 0, "");
	a->leases = HOLDFAST_MAX_LEASES * 80 / 100 + 1;
	expect("leases", HF_HEALTH_WARN, 1, "13 of 16");
	a->leases = HOLDFAST_MAX_LEASES;
	expect("leases", HF_HEALTH_FAIL, 1, "16 of 16");
	a->leases = 0;
	hf_well_event(a, &failed);
	expect("self_test", HF_HEALTH_FAIL, 1, "parts 0x8");
	hf_well_event(a, &passed);
	expect("self_test", HF_HEALTH_OK, 0, "");
	hf_test_clock_advance(&clock_, 25 * 3600 * HF_S);
	hf_well_event(a, &passed);
	expect("self_test", HF_HEALTH_WARN, 0, "25 hours");
	end();
}
