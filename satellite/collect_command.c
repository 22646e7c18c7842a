/* `granary-satellite collect`, `collections`, `restore`: garbage collection by hand, and what came of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/collector.h"
#include "satellite/commands.h"
#include "satellite/registry.h"

/* What is printed: one line for each node. */
struct report {
	struct options *options;
	struct round round;
	struct address *nodes; /* that were asked for */
	size_t count;
	size_t room;
	json_t *lines;
	bool failed; /* a node did not do it */
};

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct report *report = arg;

	report->nodes = memory_grow(report->nodes, &report->room, report->count + 1, sizeof(*report->nodes));
	report->nodes[report->count++] = node->address;
	return ERR_OK;
}

static enum err choose_nodes(struct report *report, struct database *db, char *why, size_t room)
{
	const struct options *options = report->options;
	struct registered_node node = {.network = ""};

	if (option_flag(options, "all") == (option_count(options, "node") > 0)) {
		snprintf(why, room, "give --node ID, once or more often, or --all");
		return ERR_USAGE;
	}
	if (option_flag(options, "all"))
		return registry_each(db, add_node, report);
	for (size_t i = 0; i < option_count(options, "node"); i++) {
		const char *text = option_text_at(options, "node", i);

		if (registry_find(db, text, &node.address) != ERR_OK) {
			snprintf(why, room, "--node %s: no node of this satellite", text);
			return ERR_USAGE;
		}
		if (add_node(&node, report) != ERR_OK)
			abort(); /* it never fails */
	}
	return ERR_OK;
}

static json_t *round_json(const struct collections_round *round)
{
	char address[KEY_ADDRESS_TEXT];

	address_to_text(&round->node, address);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "address", address,
			 "outcome", collections_outcome_name(round->outcome), "begun", (json_int_t)round->begun,
			 "ended", (json_int_t)round->ended, "held_since", (json_int_t)round->held_since, "wanted",
			 (json_int_t)round->wanted, "pieces", (json_int_t)round->pieces, "bytes",
			 (json_int_t)round->bytes, "unwanted_pieces", (json_int_t)round->unwanted_pieces,
			 "unwanted_bytes", (json_int_t)round->unwanted_bytes, "moved_pieces",
			 (json_int_t)round->moved_pieces, "moved_bytes", (json_int_t)round->moved_bytes, "why",
			 round->why);
}

static uint64_t number_of(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static void print_lines(const struct report *report)
{
	const json_t *line;
	size_t i;

	printf("%-42s %-7s %-20s %10s %10s %10s %10s\n", "node", "outcome", "begun", "pieces", "unwanted", "moved",
	       "bytes");
	json_array_foreach(report->lines, i, line)
	{
		char when[32] = "-", bytes[16];

		if (number_of(line, "begun") > 0)
			clock_format(number_of(line, "begun"), when, sizeof(when));
		printf("%-42s %-7s %-20s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10s%s%s\n",
		       text_of(line, "address"), text_of(line, "outcome"), when, number_of(line, "pieces"),
		       number_of(line, "unwanted_pieces"), number_of(line, "moved_pieces"),
		       option_print_size(number_of(line, "moved_bytes"), bytes),
		       text_of(line, "why")[0] == '\0' ? "" : "  ", text_of(line, "why"));
	}
}

/* Run `what` with a desk and print its lines. Exit status 1 also when a node did not do it. */
static int run(struct options *options, enum err (*what)(struct report *report, char *why, size_t room))
{
	struct report report = {.options = options, .lines = json_array()};
	struct settings settings;
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err = commands_open(options, &settings, &key, &desk, why, sizeof(why));

	if (err == ERR_OK) {
		round_init(&report.round, desk);
		err = what(&report, why, sizeof(why));
		if (err != ERR_OK && why[0] == '\0')
			snprintf(why, sizeof(why), "%s (%s)", err_text(err), database_message(desk->db));
		round_end(&report.round);
	}
	if (err != ERR_OK)
		commands_complain(why);
	else if (option_flag(options, "json"))
		commands_print_json(json_pack("{s:O}", "nodes", report.lines));
	else
		print_lines(&report);
	json_decref(report.lines);
	free(report.nodes);
	desk_close(desk);
	key_free(key);
	return err == ERR_USAGE ? 2 : err != ERR_OK || report.failed ? 1 : 0;
}

static void add_line(struct report *report, const struct collections_round *result)
{
	json_array_append_new(report->lines, round_json(result));
	report->failed = report->failed || result->outcome == COLLECTIONS_FAILED;
}

static enum err collect(struct report *report, char *why, size_t room)
{
	struct collections_round result;
	enum err err = choose_nodes(report, report->round.desk->db, why, room);

	for (size_t i = 0; err == ERR_OK && i < report->count; i++) {
		err = collector_collect(&report->round, &report->nodes[i], &result);
		if (err == ERR_OK)
			add_line(report, &result);
		else if (err == ERR_BUSY)
			snprintf(why, room, "the running satellite is collecting this node now");
	}
	return err;
}

static enum err restore(struct report *report, char *why, size_t room)
{
	uint64_t now = clock_wall(), within = option_int(report->options, "within");
	struct collections_round result;
	enum err err = choose_nodes(report, report->round.desk->db, why, room);

	for (size_t i = 0; err == ERR_OK && i < report->count; i++) {
		err = collector_restore(&report->round, &report->nodes[i], now > within ? now - within : 0, &result);
		if (err == ERR_OK)
			add_line(report, &result);
	}
	return err;
}

static enum err add_round(const struct id *node, const struct collections_round *round, uint64_t due, void *arg)
{
	struct report *report = arg;
	json_t *line = round_json(round);
	char id[KEY_ID_HEX];

	id_to_hex(node, id);
	json_object_set_new(line, "id", json_string(id));
	json_object_set_new(line, "due", json_integer((json_int_t)due));
	json_array_append_new(report->lines, line);
	return ERR_OK;
}

static enum err list(struct report *report, char *why, size_t room)
{
	struct collections_rules rules;

	(void)why;
	(void)room;
	collector_rules(report->round.desk, &rules);
	return collections_each(report->round.desk->db, &rules, add_round, report);
}

int commands_collect(struct options *options)
{
	return run(options, collect);
}

int commands_collections(struct options *options)
{
	return run(options, list);
}

int commands_restore(struct options *options)
{
	return run(options, restore);
}
