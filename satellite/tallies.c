/* SQL of the monthly tally, and the `tally` command. */
#include "satellite/tallies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/commands.h"
#include "satellite/gather.h"
#include "satellite/registry.h"

struct collect {
	struct tallies *tallies;
	size_t room;
	const struct address *satellite;
	struct stretch stretch;
	struct pricing *pricing;
	struct gathered *gathered; /* of the node under way */
};

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct collect *collect = arg;
	struct tallies *tallies = collect->tallies;

	tallies->nodes = memory_grow(tallies->nodes, &collect->room, tallies->count + 1, sizeof(*tallies->nodes));
	tallies->nodes[tallies->count++] = (struct node_tally){.address = node->address, .id = node->id};
	return ERR_OK;
}

static enum err count_node(struct database *db, struct collect *collect, struct node_tally *line)
{
	struct gathered *gathered = collect->gathered;
	struct sheet_sums sums;
	enum err err = gather_node(db, &line->address, &collect->stretch, collect->pricing, gathered);

	if (err == ERR_OK)
		err = sheet_price(&gathered->month.sheet, collect->stretch.at);
	if (err == ERR_OK)
		err = sheet_sum(&gathered->month.sheet, &sums);
	if (err != ERR_OK)
		return err;
	line->tally = gathered->tally;
	line->stored_bytes = gathered->carried.bytes;
	line->audits_passed = gathered->audits_passed;
	line->audits_failed = gathered->audits_failed;
	line->orders = gathered->orders;
	line->earned = sums.work;
	return ERR_OK;
}

static enum err collect_all(struct database *db, void *arg)
{
	struct collect *collect = arg;
	struct tallies *tallies = collect->tallies;
	enum err err;

	/* A view is tried again when another connection was in the way. */
	tallies->count = 0;
	pricing_free(collect->pricing);
	collect->pricing = NULL;
	err = pricing_open(db, collect->satellite, tallies->from, tallies->until + 1, &collect->pricing);
	if (err == ERR_OK)
		err = registry_each(db, add_node, collect);
	for (size_t i = 0; i < tallies->count && err == ERR_OK; i++)
		err = count_node(db, collect, &tallies->nodes[i]);
	return err;
}

enum err tallies_collect(struct desk *desk, uint64_t now, struct tallies *ret)
{
	struct tallies tallies = {.from = month_start(now), .until = now};
	struct collect collect = {
		.tallies = &tallies,
		.satellite = key_address(desk->key),
		.stretch = {month_period(now), tallies.from, tallies.from / USAGE_DAY, month_end(now) / USAGE_DAY, now},
		.gathered = memory_new(1, sizeof(*collect.gathered)),
	};
	enum err err = database_view(desk->db, collect_all, &collect);

	pricing_free(collect.pricing);
	free(collect.gathered);
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
	json_object_set_new(json, "earned", json_integer((json_int_t)amount_units(line->earned)));
	json_object_set_new(json, "earned_tokens", json_string(amount_print(line->earned, tokens)));
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
	char period[PERIOD_TEXT], from[32], until[32];

	printf("%s, from %s to %s\n", period_print(month_period(tallies->from), period),
	       clock_format(tallies->from, from, sizeof(from)), clock_format(tallies->until, until, sizeof(until)));
	printf("%-22s %10s %10s %14s %8s %16s\n", "node", "stored", "sent", "audits ok/bad", "orders", "earned");
	for (size_t i = 0; i < tallies->count; i++) {
		const struct node_tally *line = &tallies->nodes[i];
		char id[KEY_ID_HEX], stored[16], sent[16], audits[44], tokens[AMOUNT_TEXT];

		id_to_hex(&line->id, id);
		snprintf(audits, sizeof(audits), "%llu/%llu", (unsigned long long)line->audits_passed,
			 (unsigned long long)line->audits_failed);
		printf("%.20s…  %10s %10s %14s %8llu %16s\n", id, option_print_size(line->stored_bytes, stored),
		       option_print_size(line->tally.egress, sent), audits, (unsigned long long)line->orders,
		       amount_print(line->earned, tokens));
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
