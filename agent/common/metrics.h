/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metrics: the table of families, and a page of samples as Prometheus text
 * 0.0.4 or OpenMetrics 1.0. Where the samples come from is in metrics_fill.c.
 *
 * Names and units as Prometheus' conventions have them: base units (seconds,
 * celsius, volts, amperes, watts, pascals), _total for what only grows. Labels
 * have few values: arrays, sensors, processes, words of our tables, tenants of
 * the configuration; never users, addresses or ids that are made as one goes.
 */
#ifndef HF_METRICS_H
#define HF_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "histogram.h"

enum hf_metric_type { HF_M_COUNTER, HF_M_GAUGE, HF_M_INFO, HF_M_HISTOGRAM };

/*
 * X(id, name without _total and _info, type, unit or "", labels, help). In the order in which
 * they are printed; docs/metrics.md is made of it.
 */
#define HF_METRICS(X) \
	X(BUILD, "holdfast_build", INFO, "", "version", "version of the agent") \
	X(START, "holdfast_start_time_seconds", GAUGE, "seconds", "", \
	  "when the agent started, since 1970") \
	X(SCRAPE_OK, "holdfast_scrape_success", GAUGE, "", "part", \
	  "1: this part of the page could be asked for") \
	X(PROC_UP, "holdfast_process_up", GAUGE, "", "process", "1: started and answering") \
	X(PROC_RESTARTS, "holdfast_process_restarts", COUNTER, "", "process", \
	  "times it was started again after it had ended") \
	X(PROC_CPU, "holdfast_process_cpu_seconds", COUNTER, "seconds", "process", \
	  "processor time of the process as it runs now") \
	X(PROC_RSS, "holdfast_process_resident_memory_bytes", GAUGE, "bytes", "process", \
	  "memory that is resident") \
	X(PROC_READ, "holdfast_process_read_bytes", COUNTER, "bytes", "process", "read from disks") \
	X(PROC_WRITTEN, "holdfast_process_written_bytes", COUNTER, "bytes", "process", \
	  "written to disks") \
	X(PROC_FAULTS, "holdfast_process_major_page_faults", COUNTER, "", "process", \
	  "page faults that had to wait for a disk") \
	X(PROC_ROUNDS, "holdfast_process_round_duration_seconds", HISTOGRAM, "seconds", "process", \
	  "how long the process was busy without looking who else wants something") \
	X(HEALTH, "holdfast_health_level", GAUGE, "", "check", \
	  "what a check says: 0 ok, 1 warn, 2 unknown, 3 fail") \
	X(LEVEL, "holdfast_degradation_level", GAUGE, "", "", \
	  "how much of the agent works: 0 full, 1 no export, 2 read only, 3 silent") \
	X(HTTP_CONNS, "holdfast_http_connections", GAUGE, "", "process", "connections that are open") \
	X(HTTP_OPENED, "holdfast_http_connections_opened", COUNTER, "", "process", \
	  "connections taken") \
	X(HTTP_TURNED_AWAY, "holdfast_http_connections_refused", COUNTER, "", "process", \
	  "connections closed at once: too many, or a source that is blocked") \
	X(HTTP_REQUESTS, "holdfast_http_requests", COUNTER, "", "process", "requests begun") \
	X(HTTP_ANSWERS, "holdfast_http_answers", COUNTER, "", "process, class", \
	  "answers by class of their status: 2xx, 4xx, 5xx") \
	X(HTTP_WAITING, "holdfast_http_requests_waiting", GAUGE, "", "process", \
	  "requests that wait for another process") \
	X(HTTP_LIMITED, "holdfast_http_requests_limited", COUNTER, "", "process", \
	  "requests over a rate limit") \
	X(HTTP_BLOCKED, "holdfast_http_requests_blocked", COUNTER, "", "process", \
	  "requests of sources that are blocked") \
	X(HTTP_DIRECT, "holdfast_http_direct_silences", COUNTER, "", "process", \
	  "silences that went to the keeper past auth") \
	X(HTTP_TIME, "holdfast_http_request_duration_seconds", HISTOGRAM, "seconds", "process", \
	  "from a request's head to its answer") \
	X(TLS_EXPIRY, "holdfast_tls_certificate_expiry_timestamp_seconds", GAUGE, "seconds", "process", \
	  "end of the certificate's validity, since 1970") \
	X(AUTH_CALLS, "holdfast_auth_calls", COUNTER, "", "", "operations asked for") \
	X(AUTH_DENIED, "holdfast_auth_denied", COUNTER, "", "", "operations that were not allowed") \
	X(AUTH_LOGINS, "holdfast_auth_logins", COUNTER, "", "result", "log-ins: ok, failed") \
	X(AUTH_LOCKOUTS, "holdfast_auth_lockouts", COUNTER, "", "", "users locked out") \
	X(AUTH_OVERLOADS, "holdfast_auth_overloads", COUNTER, "", "", \
	  "log-ins refused because too many waited") \
	X(AUTH_LIMITED, "holdfast_auth_limited", COUNTER, "", "", "operations over a user's rate") \
	X(AUTH_HASHING, "holdfast_auth_hashing", GAUGE, "", "", "passwords being hashed or waiting for it") \
	X(AUTH_SESSIONS, "holdfast_auth_sessions", GAUGE, "", "", "sessions there are") \
	X(AUDIT_DURABLE, "holdfast_audit_durable", GAUGE, "", "", \
	  "1: records can be made durable; 0: nothing may arm") \
	X(AUDIT_SEQ, "holdfast_audit_records", COUNTER, "", "", \
	  "sequence number of the newest durable record: all there ever were") \
	X(AUDIT_WAITING, "holdfast_audit_records_waiting", GAUGE, "", "", "records not durable yet") \
	X(AUDIT_DROPPED, "holdfast_audit_records_dropped", COUNTER, "", "", \
	  "records nobody waited for that could not be taken") \
	X(AUDIT_COMMITS, "holdfast_audit_commits", COUNTER, "", "result", "commits: ok, failed") \
	X(AUDIT_TIME, "holdfast_audit_commit_duration_seconds", HISTOGRAM, "seconds", "", \
	  "write and sync of a commit") \
	X(AUDIT_SEGMENTS, "holdfast_audit_segments", GAUGE, "", "", "segments on the disk") \
	X(AUDIT_FREE, "holdfast_audit_disk_free_bytes", GAUGE, "bytes", "", "free where the log is") \
	X(AUDIT_SPACE, "holdfast_audit_disk_state", GAUGE, "", "state", \
	  "1 for the step of the disk-full ladder it is on") \
	X(AUDIT_INTENTS, "holdfast_audit_open_intents", GAUGE, "", "", \
	  "privileged acts whose outcome is not recorded yet") \
	X(AUDIT_CHECKPOINT, "holdfast_audit_checkpoint_records", GAUGE, "", "", \
	  "records that the newest signed checkpoint covers") \
	X(AUDIT_ANCHORED, "holdfast_audit_anchored_records", GAUGE, "", "", \
	  "records that are known to be covered outside of this host") \
	X(ANCHOR_FAILURES, "holdfast_anchor_failures", COUNTER, "", "place", \
	  "checkpoints that a place outside did not take") \
	X(ANCHOR_TIME, "holdfast_anchor_last_success_timestamp_seconds", GAUGE, "seconds", "place", \
	  "when the place took one last, since 1970; 0: never") \
	X(ANCHOR_BREAKER, "holdfast_breaker_state", GAUGE, "", "dependency, state", \
	  "1 for the state that the breaker is in: closed, open, half-open") \
	X(ANCHOR_REFUSED, "holdfast_breaker_refused", COUNTER, "", "dependency", \
	  "calls that an open breaker did not let through") \
	X(INCIDENTS, "holdfast_incidents", GAUGE, "", "state", \
	  "incidents that are kept: open, acknowledged, resolved") \
	X(INCIDENTS_CRITICAL, "holdfast_incidents_critical", GAUGE, "", "", \
	  "of those not resolved, the critical ones") \
	X(ALERT_MESSAGES, "holdfast_alert_messages", COUNTER, "", "channel, outcome", \
	  "messages of a channel: sent, failed, refused (4xx), dropped (a newer one took their place)") \
	X(ALERT_WAITING, "holdfast_alert_waiting", GAUGE, "", "channel", \
	  "incidents whose newest state waits to be told") \
	X(ALERT_BREAKER, "holdfast_alert_breaker_state", GAUGE, "", "channel, state", \
	  "1 for the state that the breaker is in: closed, open, half-open") \
	X(FLEET_UP, "holdfast_fleet_up", GAUGE, "", "", \
	  "1: connected to the fleet's bus, and its stream takes events") \
	X(FLEET_BEHIND, "holdfast_fleet_behind_seconds", GAUGE, "seconds", "", \
	  "since when there have been events that the stream does not have") \
	X(FLEET_EVENTS, "holdfast_fleet_events", COUNTER, "", "", "events stored in the stream") \
	X(FLEET_ANCHORS, "holdfast_fleet_anchors", COUNTER, "", "", "checkpoints stored in the stream") \
	X(FLEET_GAPS, "holdfast_fleet_records_lost", COUNTER, "", "", \
	  "records deleted from the log before the stream has had them") \
	X(FLEET_TELEMETRY, "holdfast_fleet_telemetry", COUNTER, "", "result", \
	  "messages of telemetry: sent, dropped") \
	X(FLEET_STOPS, "holdfast_fleet_stops", COUNTER, "", "", "stops that came from the bus") \
	X(FLEET_FAILURES, "holdfast_fleet_failures", COUNTER, "", "", \
	  "connections lost or refused, messages not acknowledged") \
	X(KEEPER_DURABLE, "holdfast_keeper_may_arm", GAUGE, "", "", \
	  "1: the keeper has the audit log's word that records are durable") \
	X(KEEPER_LEASES, "holdfast_keeper_leases", GAUGE, "", "", "leases on all arrays") \
	X(KEEPER_UNRECORDED, "holdfast_keeper_events_unrecorded", GAUGE, "", "", \
	  "events of the driver that are not in the audit log yet") \
	X(DRIVER_TIME, "holdfast_driver_call_duration_seconds", HISTOGRAM, "seconds", "call", \
	  "how long calls of the driver took the keeper") \
	X(DRIVER_FAILED, "holdfast_driver_calls_failed", COUNTER, "", "call", \
	  "calls of the driver that it refused or that failed") \
	X(ARRAY, "holdfast_array", INFO, "", "array, serial, model, instance", "an array that is kept") \
	X(STATE, "holdfast_array_state", GAUGE, "", "array, state", \
	  "1 for the state it is in: silent, armed, emitting, tripped") \
	X(SEALED, "holdfast_array_sealed", GAUGE, "", "array", "1: limits can only be tightened") \
	X(WANTED, "holdfast_array_limits_missing", GAUGE, "", "array", \
	  "limits of the configuration that a sealed array does not have: tighter ones than it was sealed with") \
	X(EPOCH, "holdfast_array_epoch", GAUGE, "", "array", "fencing number of its keeper") \
	X(EVENTS, "holdfast_array_events", COUNTER, "", "array", "events of the driver") \
	X(TRIPS, "holdfast_array_trips", COUNTER, "", "array", "trips since it was plugged in") \
	X(CAUSES, "holdfast_array_trips_seen", COUNTER, "", "array, cause", \
	  "trips that this keeper has seen, by cause") \
	X(FRAMES, "holdfast_frames", COUNTER, "", "array, verdict", \
	  "frames: admitted as they were, attenuated, rejected, malformed") \
	X(EMIT, "holdfast_array_emission_seconds", COUNTER, "seconds", "array", "time spent emitting") \
	X(POWER, "holdfast_array_power_watts", GAUGE, "watts", "array", "electrical power, modelled") \
	X(POWER_AVG, "holdfast_array_power_average_watts", GAUGE, "watts", "array", \
	  "the same, averaged as the limit is") \
	X(CHAN_RISE, "holdfast_array_channel_rise_kelvin", GAUGE, "kelvin", "array", \
	  "heating of the hottest channel, modelled") \
	X(ARRAY_RISE, "holdfast_array_rise_kelvin", GAUGE, "kelvin", "array", \
	  "heating of the array, modelled") \
	X(CAP, "holdfast_array_amplitude_cap_ratio", GAUGE, "ratio", "array", \
	  "largest amplitude that is admitted now, of full drive") \
	X(DERATED, "holdfast_array_derated", GAUGE, "", "array", "1: the cap is reduced because it is warm") \
	X(NEAREST, "holdfast_array_nearest_limit_ratio", GAUGE, "ratio", "array, limit", \
	  "measured value over bound of the limit with the least room left") \
	X(TICKS, "holdfast_governor_ticks", COUNTER, "", "array", "periods of the governor") \
	X(TICK_LATE, "holdfast_governor_tick_late_max_seconds", GAUGE, "seconds", "array", \
	  "the latest that a tick ever was") \
	X(BEATS, "holdfast_keeper_beats", COUNTER, "", "array", "beats that counted") \
	X(BEATS_LATE, "holdfast_keeper_beats_late", COUNTER, "", "array", \
	  "beats that did not count, because the keeper was behind its events") \
	X(BEAT_DEADLINE, "holdfast_keeper_beat_deadline_seconds", GAUGE, "seconds", "array", \
	  "longest time between two beats before the driver trips") \
	X(BEAT_MARGIN, "holdfast_keeper_beat_margin_seconds", GAUGE, "seconds", "array", \
	  "smallest time left to the deadline, of the last beats") \
	X(SENSOR_OK, "holdfast_sensor_valid", GAUGE, "", "array, sensor, kind", \
	  "1: it gives a value; 0: lost, stale or implausible") \
	X(TEMP, "holdfast_sensor_temperature_celsius", GAUGE, "celsius", "array, sensor", "temperature") \
	X(SUPPLY, "holdfast_sensor_supply_volts", GAUGE, "volts", "array, sensor", "supply voltage") \
	X(CURRENT, "holdfast_sensor_current_amperes", GAUGE, "amperes", "array, sensor", "supply current") \
	X(FAN, "holdfast_sensor_fan_hertz", GAUGE, "hertz", "array, sensor", "turns of a fan in a second") \
	X(LIMIT, "holdfast_limit_effective", GAUGE, "", "array, limit, unit", \
	  "a limit in force for all leases, in the driver's unit") \
	X(FENCE, "holdfast_fence_pressure_pascals", GAUGE, "pascals", "array, point", \
	  "upper bound of the peak pressure at a fence point now") \
	X(FENCE_DOSE, "holdfast_fence_dose_ratio", GAUGE, "ratio", "array, point", \
	  "exposure at a fence point in the last 24 hours, of what the limit dose allows") \
	X(FENCE_LIMIT, "holdfast_fence_limit_pascals", GAUGE, "pascals", "array, point", \
	  "peak pressure allowed there") \
	X(TENANT_EMIT, "holdfast_tenant_emission_seconds", GAUGE, "seconds", "tenant", \
	  "emission charged to a tenant in this period") \
	X(TENANT_EMIT_MAX, "holdfast_tenant_emission_quota_seconds", GAUGE, "seconds", "tenant", \
	  "emission that it may use in a period") \
	X(TENANT_ENERGY, "holdfast_tenant_energy_joules", GAUGE, "joules", "tenant", \
	  "energy charged to a tenant in this period") \
	X(TENANT_ENERGY_MAX, "holdfast_tenant_energy_quota_joules", GAUGE, "joules", "tenant", \
	  "energy that it may use in a period") \
	X(TENANT_FRAMES, "holdfast_tenant_frames", GAUGE, "", "tenant", \
	  "frames charged to a tenant in this period") \
	X(TENANT_FRAMES_MAX, "holdfast_tenant_frames_quota", GAUGE, "", "tenant", \
	  "frames that it may use in a period") \
	X(TENANT_LEASES, "holdfast_tenant_leases", GAUGE, "", "tenant", "leases that it has")

enum hf_metric {
#define HF_METRIC_ID(id, name, type, unit, labels, help) HF_MF_##id,
	HF_METRICS(HF_METRIC_ID)
#undef HF_METRIC_ID
	HF_METRIC_COUNT
};

struct hf_metric_desc {
	const char *name;
	enum hf_metric_type type;
	const char *unit, *labels, *help;
};

extern const struct hf_metric_desc hf_metric_desc[HF_METRIC_COUNT];

struct hf_metrics;

int hf_metrics_new(struct hf_metrics **out);
void hf_metrics_free(struct hf_metrics *m);

/**
 * hf_metrics_put() - one sample
 * @...:	values of the family's labels, in the table's order, as const char *. UTF-8.
 *
 * What does not fit (1 MiB in all) or has no memory makes hf_metrics_text() fail.
 */
void hf_metrics_put(struct hf_metrics *m, enum hf_metric f, double value, ...);
void hf_metrics_put_histogram(struct hf_metrics *m, enum hf_metric f, const struct hf_histogram *h,
			      ...);

enum hf_metrics_format { HF_METRICS_TEXT, HF_METRICS_OPEN };

/* For Content-Type. */
const char *hf_metrics_type(enum hf_metrics_format format);
/* @len: out. Return: text that the caller frees, NULL: no memory, or too much of it. */
char *hf_metrics_text(const struct hf_metrics *m, enum hf_metrics_format format, size_t *len);

/* metrics_fill.c: samples out of results of operations; what is missing there is left out. */

/* "status": the agent and its processes. */
void hf_metrics_status(struct hf_metrics *m, const json_t *result);
/* "array.metrics": one array. */
void hf_metrics_array(struct hf_metrics *m, const json_t *result);
/* "tenant.list". */
void hf_metrics_tenants(struct hf_metrics *m, const json_t *result);
/* @part: "status", "arrays", "tenants". */
void hf_metrics_part(struct hf_metrics *m, const char *part, int ok);

#endif /* HF_METRICS_H */
