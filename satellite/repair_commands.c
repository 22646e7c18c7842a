/* `repairs`, `segments health` and `exits`: the queue, how well everything is, and who leaves. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "satellite/commands.h"
#include "satellite/exits.h"
#include "satellite/repairs.h"

#define ROWS 100 /* of the queue that are shown */

/* A command's desk and what it prints. */
struct view {
	struct desk *desk;
	uint64_t now;
	struct repair_facts facts;
	json_t *rows;
};

static enum err run_view(struct options *options, enum err (*read)(struct database *db, void *arg), struct view *view)
{
	struct settings settings;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err = commands_open(options, &settings, &key, &view->desk, why, sizeof(why));

	view->rows = json_array();
	if (err == ERR_OK) {
		view->now = clock_wall();
		err = database_view(view->desk->db, read, view);
		snprintf(why, sizeof(why), "%s", database_message(view->desk->db));
	}
	if (err != ERR_OK)
		commands_complain(why);
	desk_close(view->desk);
	key_free(key);
	return err;
}

static enum err add_repair(const struct repair_row *row, void *arg)
{
	struct view *view = arg;
	char segment[65];

	hex_encode(bytes_of(row->segment.b, sizeof(row->segment.b)), segment);
	json_array_append_new(view->rows,
			      json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:b, s:s}", "segment", segment,
					"verdict", health_verdict_name(row->verdict), "place", (int)row->place,
					"healthy", (int)row->healthy, "retrievable", (int)row->retrievable, "moving",
					(int)row->moving, "tries", (int)row->tries, "since", (json_int_t)row->since,
					"due", (json_int_t)row->due, "claimed", row->claimed, "why", row->why));
	return ERR_OK;
}

static enum err read_repairs(struct database *db, void *arg)
{
	struct view *view = arg;
	enum err err = repairs_facts(db, &view->facts);

	return err == ERR_OK ? repairs_each(db, view->now, ROWS, add_repair, view) : err;
}

static json_t *pack_facts(const struct repair_facts *facts)
{
	const struct repair_sums *done = &facts->done;

	return json_pack(
		"{s:{s:I, s:I, s:I, s:I, s:I}, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "queue", "urgent",
		(json_int_t)facts->by_verdict[HEALTH_URGENT], "repair", (json_int_t)facts->by_verdict[HEALTH_REPAIR],
		"moving", (json_int_t)facts->by_verdict[HEALTH_FINE], "blocked",
		(json_int_t)facts->by_verdict[HEALTH_BLOCKED], "lost", (json_int_t)facts->by_verdict[HEALTH_LOST],
		"oldest", (json_int_t)facts->oldest, "done", "segments", (json_int_t)done->segments, "rebuilt",
		(json_int_t)done->rebuilt, "moved", (json_int_t)done->moved, "failed", (json_int_t)done->failed,
		"bytes_read", (json_int_t)done->bytes_read, "bytes_stored", (json_int_t)done->bytes_stored);
}

static void print_repairs(const struct view *view)
{
	const struct repair_facts *facts = &view->facts;
	char read[16], stored[16], since[32];
	size_t i;
	json_t *row;

	printf("urgent %" PRIu64 ", to repair %" PRIu64 ", only moving %" PRIu64 ", blocked until nodes return %" PRIu64
	       ", lost %" PRIu64 "\n",
	       facts->by_verdict[HEALTH_URGENT], facts->by_verdict[HEALTH_REPAIR], facts->by_verdict[HEALTH_FINE],
	       facts->by_verdict[HEALTH_BLOCKED], facts->by_verdict[HEALTH_LOST]);
	printf("done so far: %" PRIu64 " repairs, %" PRIu64 " pieces rebuilt, %" PRIu64 " moved, %s read, %s stored, "
	       "%" PRIu64 " failed tries\n",
	       facts->done.segments, facts->done.rebuilt, facts->done.moved,
	       option_print_size(facts->done.bytes_read, read), option_print_size(facts->done.bytes_stored, stored),
	       facts->done.failed);
	if (json_array_size(view->rows) > 0)
		printf("\n%-18s %-8s %7s %10s %6s %5s  %-20s %s\n", "segment", "verdict", "healthy", "retrievable",
		       "moving", "tries", "since", "last failure");
	json_array_foreach(view->rows, i, row) {
		printf("%.16s…  %-8s %7" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT " %6" JSON_INTEGER_FORMAT
		       " %5" JSON_INTEGER_FORMAT "  %-20s %s\n",
		       json_string_value(json_object_get(row, "segment")),
		       json_string_value(json_object_get(row, "verdict")),
		       json_integer_value(json_object_get(row, "healthy")),
		       json_integer_value(json_object_get(row, "retrievable")),
		       json_integer_value(json_object_get(row, "moving")),
		       json_integer_value(json_object_get(row, "tries")),
		       clock_format((uint64_t)json_integer_value(json_object_get(row, "since")), since, sizeof(since)),
		       json_string_value(json_object_get(row, "why")));
	}
}

int commands_repairs(struct options *options)
{
	struct view view = {.desk = NULL};
	enum err err = run_view(options, read_repairs, &view);
	json_t *json;

	if (err == ERR_OK && option_flag(options, "json")) {
		json = pack_facts(&view.facts);
		json_object_set(json, "segments", view.rows);
		commands_print_json(json);
	} else if (err == ERR_OK) {
		print_repairs(&view);
	}
	json_decref(view.rows);
	return err == ERR_OK ? 0 : 1;
}

static enum err add_health(uint32_t healthy, uint64_t segments, void *arg)
{
	struct view *view = arg;
	json_t *number = healthy == UINT32_MAX ? json_null() : json_integer(healthy);

	json_array_append_new(view->rows, json_pack("{s:o, s:I}", "healthy", number, "segments", (json_int_t)segments));
	return ERR_OK;
}

static enum err read_health(struct database *db, void *arg)
{
	struct view *view = arg;
	enum err err = repairs_facts(db, &view->facts);

	return err == ERR_OK ? repairs_histogram(db, add_health, view) : err;
}

static void print_health(const struct view *view)
{
	json_int_t most = 1;
	size_t i;
	json_t *row;

	json_array_foreach(view->rows, i, row) {
		json_int_t segments = json_integer_value(json_object_get(row, "segments"));

		most = segments > most ? segments : most;
	}
	printf("%-14s %10s\n", "healthy pieces", "segments");
	json_array_foreach(view->rows, i, row) {
		static const char bar[] = "########################################";
		json_int_t segments = json_integer_value(json_object_get(row, "segments"));
		const json_t *healthy = json_object_get(row, "healthy");
		int length = (int)(segments * (json_int_t)(sizeof(bar) - 1) / most);

		if (json_is_null(healthy))
			printf("%-14s", "not looked at");
		else
			printf("%14" JSON_INTEGER_FORMAT, json_integer_value(healthy));
		printf(" %10" JSON_INTEGER_FORMAT " %.*s\n", segments, length, bar);
	}
}

int commands_segments_health(struct options *options)
{
	struct view view = {.desk = NULL};
	enum err err = run_view(options, read_health, &view);
	json_t *json;

	if (err == ERR_OK && option_flag(options, "json")) {
		json = pack_facts(&view.facts);
		json_object_set(json, "health", view.rows);
		commands_print_json(json);
	} else if (err == ERR_OK) {
		print_health(&view);
	}
	json_decref(view.rows);
	return err == ERR_OK ? 0 : 1;
}

static enum err add_exit(const struct exit_row *row, void *arg)
{
	struct view *view = arg;
	char node[KEY_ADDRESS_TEXT];
	const char *state = row->ended == 0 ? "leaving" : row->why[0] == '\0' ? "complete" : "failed";

	address_to_text(&row->node, node);
	json_array_append_new(view->rows,
			      json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "address", node, "state",
					state, "asked", (json_int_t)row->asked, "ended", (json_int_t)row->ended,
					"pieces", (json_int_t)row->pieces, "bytes", (json_int_t)row->bytes, "left",
					(json_int_t)row->left, "moved", (json_int_t)row->moved, "failed",
					(json_int_t)row->failed, "why", row->why));
	return ERR_OK;
}

static enum err read_exits(struct database *db, void *arg)
{
	return exits_each(db, add_exit, arg);
}

static void print_exits(const struct view *view)
{
	char asked[32];
	size_t i;
	json_t *row;

	printf("%-42s %-8s %-20s %9s %9s %9s %9s  %s\n", "node", "state", "asked", "pieces", "left", "moved", "failed",
	       "why");
	json_array_foreach(view->rows, i, row) {
		printf("%-42s %-8s %-20s %9" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT
		       " %9" JSON_INTEGER_FORMAT "  %s\n",
		       json_string_value(json_object_get(row, "address")),
		       json_string_value(json_object_get(row, "state")),
		       clock_format((uint64_t)json_integer_value(json_object_get(row, "asked")), asked, sizeof(asked)),
		       json_integer_value(json_object_get(row, "pieces")),
		       json_integer_value(json_object_get(row, "left")),
		       json_integer_value(json_object_get(row, "moved")),
		       json_integer_value(json_object_get(row, "failed")),
		       json_string_value(json_object_get(row, "why")));
	}
}

int commands_exits(struct options *options)
{
	struct view view = {.desk = NULL};
	enum err err = run_view(options, read_exits, &view);

	if (err == ERR_OK && option_flag(options, "json"))
		commands_print_json(json_pack("{s:O}", "exits", view.rows));
	else if (err == ERR_OK)
		print_exits(&view);
	json_decref(view.rows);
	return err == ERR_OK ? 0 : 1;
}
