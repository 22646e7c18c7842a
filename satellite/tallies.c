/* SQL of the monthly tally, and the `tally` command. */
#include "satellite/tallies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/commands.h"
#include "satellite/registry.h"
#include "satellite/storage.h"

struct collect {
	struct tallies *tallies;
	size_t room;
	const struct prices *prices;
};

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct collect *collect = arg;
	struct tallies *tallies = collect->tallies;

	tallies->nodes = memory_grow(tallies->nodes, &collect->room, tallies->count + 1, sizeof(*tallies->nodes));
	tallies->nodes[tallies->count++] =
		(struct node_tally){.address = node->address, .id = node->id, .tally = {.at = tallies->from}};
	return ERR_OK;
}

static enum err count_storage(struct database *db, const struct tallies *tallies, struct node_tally *line)
{
	struct storage_walk walk;
	struct byte_seconds day;
	enum err err = storage_walk_begin(&walk, db, &line->address, tallies->from / USAGE_DAY);

	if (err != ERR_OK)
		return err;
	while (err == ERR_OK && walk.day * USAGE_DAY <= tallies->until) {
		err = storage_walk_day(&walk, tallies->until, &day);
		if (err == ERR_OK)
			err = byte_seconds_add(line->tally.stored, day, &line->tally.stored);
	}
	line->stored_bytes = walk.carried.bytes;
	storage_walk_end(&walk);
	return err;
}

/* Columns: action, bytes, orders. */
static enum err count_traffic(struct query *q, struct node_tally *line)
{
	line->orders += query_get_int(q, 2);
	return tally_add_traffic(&line->tally, (enum action)query_get_int(q, 0), query_get_int(q, 1));
}

/* Columns: bytes, passed, failed. */
static enum err count_audits(struct query *q, struct node_tally *line)
{
	line->audits_passed = query_get_int(q, 1);
	line->audits_failed = query_get_int(q, 2);
	return tally_add_traffic(&line->tally, ACTION_GET_AUDIT, query_get_int(q, 0));
}

static const struct source {
	const char *sql;
	enum err (*count)(struct query *q, struct node_tally *line);
} sources[] = {
	{"SELECT action, SUM(bytes), SUM(orders) FROM traffic WHERE node = $node AND hour >= $hour GROUP BY action",
	 count_traffic},
	{"SELECT SUM(bytes), SUM(passed), SUM(failed) FROM audited WHERE node = $node AND hour >= $hour", count_audits},
};

static enum err count_source(struct database *db, const struct source *source, const struct tallies *tallies,
			     struct node_tally *line)
{
	struct query *q = database_query(db, source->sql);
	bool row;
	enum err err;

	query_bytes(q, "node", bytes_of(line->address.b, sizeof(line->address.b)));
	query_int(q, "hour", tallies->from / 3600);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = source->count(q, line);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err collect_all(struct database *db, void *arg)
{
	struct collect *collect = arg;
	struct tallies *tallies = collect->tallies;
	enum err err;

	/* A view is tried again when another connection was in the way. */
	tallies->count = 0;
	err = registry_each(db, add_node, collect);
	for (size_t i = 0; i < tallies->count && err == ERR_OK; i++) {
		struct node_tally *line = &tallies->nodes[i];

		err = count_storage(db, tallies, line);
		for (size_t j = 0; j < sizeof(sources) / sizeof(sources[0]) && err == ERR_OK; j++)
			err = count_source(db, &sources[j], tallies, line);
		if (err == ERR_OK)
			err = tally_earnings(&line->tally, collect->prices, &line->earnings);
	}
	return err;
}

enum err tallies_collect(struct desk *desk, uint64_t now, struct tallies *ret)
{
	struct tallies tallies = {.from = month_start(now), .until = now};
	struct collect collect = {.tallies = &tallies, .prices = &desk->settings->prices};
	enum err err = database_view(desk->db, collect_all, &collect);

	if (err == ERR_OK)
		*ret = tallies;
	else
		tallies_free(&tallies);
	return err;
}

void tallies_free(struct tallies *tallies)
{
	free(tallies->nodes);
	tallies->nodes = NULL;
	tallies->count = 0;
}

static char *print_u128(uint128 value, char out[40])
{
	char digits[40];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value > 0);
	memcpy(out, digits + at, sizeof(digits) - at);
	return out;
}

static json_t *line_json(const struct node_tally *line)
{
	char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT], byte_seconds[40], tokens[AMOUNT_TEXT];
	json_t *json;

	id_to_hex(&line->id, id);
	address_to_text(&line->address, address);
	json = json_pack("{s:s, s:s, s:I, s:s}", "id", id, "address", address, "stored_bytes",
			 (json_int_t)line->stored_bytes, "byte_seconds",
			 print_u128(line->tally.stored.value, byte_seconds));
	json_object_set_new(json, "egress_bytes", json_integer((json_int_t)line->tally.egress));
	json_object_set_new(json, "audit_bytes", json_integer((json_int_t)line->tally.audit));
	json_object_set_new(json, "repair_bytes", json_integer((json_int_t)line->tally.repair));
	json_object_set_new(json, "audits_passed", json_integer((json_int_t)line->audits_passed));
	json_object_set_new(json, "audits_failed", json_integer((json_int_t)line->audits_failed));
	json_object_set_new(json, "orders_settled", json_integer((json_int_t)line->orders));
	json_object_set_new(json, "earned", json_integer((json_int_t)amount_units(line->earnings.total)));
	json_object_set_new(json, "earned_tokens", json_string(amount_print(line->earnings.total, tokens)));
	return json;
}

static void print_as_json(const struct tallies *tallies)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < tallies->count; i++)
		json_array_append_new(nodes, line_json(&tallies->nodes[i]));
	commands_print_json(json_pack("{s:I, s:I, s:I, s:o}", "period", (json_int_t)month_period(tallies->from), "from",
				      (json_int_t)tallies->from, "until", (json_int_t)tallies->until, "nodes", nodes));
}

static void print_as_text(const struct tallies *tallies)
{
	char from[32], until[32];

	printf("%u, from %s to %s\n", month_period(tallies->from), clock_format(tallies->from, from, sizeof(from)),
	       clock_format(tallies->until, until, sizeof(until)));
	printf("%-22s %10s %10s %14s %8s %16s\n", "node", "stored", "sent", "audits ok/bad", "orders", "earned");
	for (size_t i = 0; i < tallies->count; i++) {
		const struct node_tally *line = &tallies->nodes[i];
		char id[KEY_ID_HEX], stored[16], sent[16], audits[44], tokens[AMOUNT_TEXT];

		id_to_hex(&line->id, id);
		snprintf(audits, sizeof(audits), "%llu/%llu", (unsigned long long)line->audits_passed,
			 (unsigned long long)line->audits_failed);
		printf("%.20s…  %10s %10s %14s %8llu %16s\n", id, option_print_size(line->stored_bytes, stored),
		       option_print_size(line->tally.egress, sent), audits, (unsigned long long)line->orders,
		       amount_print(line->earnings.total, tokens));
	}
}

int commands_tally(struct options *options)
{
	struct settings settings;
	struct tallies tallies = {.count = 0};
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err;

	err = commands_open(options, &settings, &key, &desk, why, sizeof(why));
	if (err == ERR_OK) {
		err = tallies_collect(desk, clock_wall(), &tallies);
		if (err != ERR_OK)
			snprintf(why, sizeof(why), "cannot tally: %s (%s)", err_text(err), database_message(desk->db));
	}
	if (err != ERR_OK)
		commands_complain(why);
	else if (option_flag(options, "json"))
		print_as_json(&tallies);
	else
		print_as_text(&tallies);
	tallies_free(&tallies);
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : 1;
}
