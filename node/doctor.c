/* A table of checks. */
#include "node/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/database.h"
#include "common/file.h"
#include "common/http.h"
#include "common/service.h"
#include "node/commands.h"
#include "node/disk.h"
#include "node/settings.h"

#define TIMEOUT_MS 10000

struct visit {
	const struct options *options;
	const char *dir;
	char *store; /* DIR/store */
	struct doctor_report *report;
};

static uint64_t number_of(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static void look_at_key(struct visit *visit, char line[DOCTOR_LINE])
{
	char why[DOCTOR_LINE] = "", address[KEY_ADDRESS_TEXT];
	struct key *key = NULL;
	enum err err = service_key(visit->dir, &key, why, sizeof(why));
	enum finding_code code = err == ERR_NOT_FOUND ? FINDING_KEY_MISSING
				 : err == ERR_DENIED  ? FINDING_KEY_MODE
						      : FINDING_KEY_DAMAGED;

	if (err != ERR_OK) {
		findings_add(visit->report->findings, code, "", "%s.", why);
		return;
	}
	address_to_text(key_address(key), address);
	snprintf(line, DOCTOR_LINE, "of %s, readable by its owner only", address);
	key_free(key);
}

static void look_at_disk(struct visit *visit, char line[DOCTOR_LINE])
{
	const json_t *space = json_object_get(visit->report->status, "space");
	uint64_t allocation = option_int(visit->options, "allocate");
	uint64_t used = number_of(space, "used") + number_of(space, "reserved") + number_of(space, "free");
	struct disk_facts facts;
	char room[16], total[16];
	enum err err = disk_look(visit->store, &facts);

	if (err != ERR_OK) {
		findings_add(visit->report->findings, FINDING_DISK_ERROR, visit->store, "It cannot be looked at: %s.",
			     err_text(err));
		return;
	}
	if (space == NULL)
		used = allocation; /* not known: then room cannot be said to be short */
	disk_judge(&facts, visit->store, allocation, used, visit->report->findings);
	snprintf(line, DOCTOR_LINE, "%s, %s of %s free", facts.kind, option_print_size(facts.free, room),
		 option_print_size(facts.total, total));
}

static void look_at_speed(struct visit *visit, char line[DOCTOR_LINE])
{
	struct disk_speed speed;
	enum err err;

	if (!file_exists(visit->store)) {
		if (visit->report->status == NULL) /* else the node has said it better */
			findings_add(visit->report->findings, FINDING_STORAGE_MISSING, "",
				     "There is no %s: is its disk mounted?", visit->store);
		return;
	}
	err = disk_measure(visit->store, &speed);
	if (err == ERR_FULL) {
		findings_add(visit->report->findings, FINDING_DISK_FULL, "", "The disk has no room for 4 MiB.");
	} else if (err != ERR_OK) {
		findings_add(visit->report->findings, FINDING_DISK_ERROR, visit->store,
			     "4 MiB cannot be written and read: %s.", err_text(err));
	} else {
		disk_judge_speed(&speed, visit->store, visit->report->findings);
		snprintf(line, DOCTOR_LINE,
			 "4 MiB written in %" PRIu64 " ms and read in %" PRIu64 " ms, a sync takes %" PRIu64 " ms",
			 speed.write_ms, speed.read_ms, speed.sync_ms);
	}
}

static void look_at_database(struct visit *visit, const char *name, char line[DOCTOR_LINE])
{
	char *path = file_join(visit->dir, name), why[DATABASE_MESSAGE] = "";
	enum err err = ERR_NOT_FOUND;

	if (file_exists(path))
		err = database_check(path, why);
	if (err == ERR_NOT_FOUND)
		snprintf(line, DOCTOR_LINE, "not there yet");
	else if (err == ERR_OK)
		snprintf(line, DOCTOR_LINE, "whole");
	else if (err != ERR_BUSY)
		findings_add(visit->report->findings, FINDING_DATABASE_DAMAGED, name, "%s: %s.", name, why);
	free(path);
}

static void look_at_ledger(struct visit *visit, char line[DOCTOR_LINE])
{
	look_at_database(visit, "ledger.db", line);
}

static void look_at_papers(struct visit *visit, char line[DOCTOR_LINE])
{
	look_at_database(visit, "papers.db", line);
}

static void look_at_node(struct visit *visit, char line[DOCTOR_LINE])
{
	const json_t *status = visit->report->status;
	struct findings *findings = visit->report->findings;

	if (status == NULL) {
		findings_add(findings, FINDING_NOT_RUNNING, "", "No node runs in %s.", visit->dir);
		return;
	}
	findings_add_json(findings, json_object_get(status, "findings"));
	if (strcmp(text_of(status, "version"), GRANARY_VERSION) != 0)
		findings_add(findings, FINDING_VERSION, "", "Version %s runs, %s is installed.",
			     text_of(status, "version"), GRANARY_VERSION);
	snprintf(line, DOCTOR_LINE, "version %s, listening at %s", text_of(status, "version"),
		 text_of(status, "listen"));
}

static void look_at_router(struct visit *visit, char line[DOCTOR_LINE])
{
	const json_t *mapping = json_object_get(visit->report->status, "port_mapping");
	const char *external = text_of(mapping, "external");

	if (external[0] != '\0')
		snprintf(line, DOCTOR_LINE, "opened %s by %s", external, text_of(mapping, "protocol"));
	else if (text_of(mapping, "why")[0] != '\0')
		snprintf(line, DOCTOR_LINE, "%s", text_of(mapping, "why"));
}

/* Each that answers and reaches us; what is wrong with others the node has said. */
static void look_at_satellites(struct visit *visit, char line[DOCTOR_LINE])
{
	const json_t *list = json_object_get(visit->report->status, "satellites"), *satellite;
	json_int_t skew = 0;
	size_t i, well = 0;

	json_array_foreach(list, i, satellite) {
		json_int_t its = json_integer_value(json_object_get(satellite, "clock_skew"));

		well += json_is_true(json_object_get(satellite, "connected")) &&
			json_is_true(json_object_get(satellite, "reachable"));
		skew = llabs(its) > llabs(skew) ? its : skew;
	}
	if (list != NULL)
		snprintf(line, DOCTOR_LINE, "%zu of %zu reach this node at %s; clocks differ by %lld s", well,
			 json_array_size(list), text_of(visit->report->status, "endpoint"), (long long)llabs(skew));
}

static const struct {
	const char *name;
	void (*look)(struct visit *visit, char line[DOCTOR_LINE]);
} checks[] = {
	{"node", look_at_node},	    {"key", look_at_key},
	{"disk", look_at_disk},	    {"speed", look_at_speed},
	{"ledger", look_at_ledger}, {"papers", look_at_papers},
	{"router", look_at_router}, {"satellites", look_at_satellites},
};

void doctor_look(const struct options *options, struct doctor_report *ret)
{
	struct visit visit = {.options = options, .dir = options_dir(options), .report = ret};
	char why[SETTINGS_MESSAGE];

	*ret = (struct doctor_report){.findings = findings_new()};
	visit.store = file_join(visit.dir, "store");
	if (http_call("GET", option_hostport(options, "http"), "/api/v1/status", visit.dir, TIMEOUT_MS, &ret->status,
		      why, sizeof(why)) != ERR_OK)
		ret->status = NULL;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct doctor_line *line = &ret->lines[ret->line_count];

		line->check = checks[i].name;
		checks[i].look(&visit, line->text);
		ret->line_count += line->text[0] != '\0';
	}
	free(visit.store);
}

void doctor_free(struct doctor_report *report)
{
	findings_free(report->findings);
	json_decref(report->status);
	*report = (struct doctor_report){.findings = NULL};
}

void doctor_print(const struct doctor_report *report)
{
	for (size_t i = 0; i < report->line_count; i++)
		printf("%-10s %s\n", report->lines[i].check, report->lines[i].text);
	for (size_t i = 0; i < findings_count(report->findings); i++)
		finding_print(findings_at(report->findings, i), stdout);
}

static json_t *report_json(const struct doctor_report *report)
{
	json_t *lines = json_object();

	for (size_t i = 0; i < report->line_count; i++)
		json_object_set_new(lines, report->lines[i].check, json_string(report->lines[i].text));
	return json_pack("{s:o, s:o}", "checks", lines, "findings", findings_json(report->findings));
}

int node_doctor(struct options *options)
{
	struct doctor_report report;
	json_t *json;
	int level;

	doctor_look(options, &report);
	if (option_flag(options, "json")) {
		json = report_json(&report);
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
	} else {
		doctor_print(&report);
		if (findings_count(report.findings) == 0)
			puts("all well");
	}
	level = findings_level(report.findings);
	doctor_free(&report);
	return level;
}
