/* `granary-satellite audit`: nodes are audited now, in this process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/auditor.h"
#include "satellite/commands.h"
#include "satellite/registry.h"

#define CLAIM_TRIES 300	   /* to wait for another auditor that is at the node … */
#define CLAIM_PAUSE_MS 200 /* … so long each */

/* Nodes to be audited, and what came of each. */
struct node_result {
	struct address address;
	struct id id;
	uint64_t verdicts[AUDITS_VERDICTS];
	uint64_t bytes;
	uint64_t contained; /* pieces that will be asked for again: the node fell silent */
};

struct results {
	const struct options *options;
	struct node_result *nodes;
	size_t count;
	size_t room;
};

/* An id or an address, as printed by `nodes`. */
static bool is_named(const struct registered_node *node, const char *text)
{
	struct address address;
	struct id id;

	if (id_from_hex(text, &id) == ERR_OK)
		return id_equal(&id, &node->id);
	return address_from_text(text, &address) == ERR_OK && address_equal(&address, &node->address);
}

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct results *results = arg;
	const struct options *options = results->options;
	bool wanted = option_flag(options, "all");

	for (size_t i = 0; i < option_count(options, "node"); i++)
		wanted = wanted || is_named(node, option_text_at(options, "node", i));
	if (!wanted)
		return ERR_OK;
	results->nodes = memory_grow(results->nodes, &results->room, results->count + 1, sizeof(*results->nodes));
	results->nodes[results->count++] = (struct node_result){.address = node->address, .id = node->id};
	return ERR_OK;
}

static void add_batch(struct node_result *node, const struct audit_batch *batch)
{
	for (size_t i = 0; i < AUDITS_VERDICTS; i++)
		node->verdicts[i] += batch->verdicts[i];
	node->bytes += batch->bytes;
	node->contained += batch->contained ? batch->count : 0;
}

static enum err audit_every_piece(struct round *round, struct node_result *node)
{
	struct audit_batch batch;
	struct bytes32 after = {{0}};
	bool more = true, ours;
	enum err err = ERR_OK;

	while (more && err == ERR_OK) {
		/* The claim must not run out in the middle of a large node. */
		err = auditor_claim(round, &node->address, &ours);
		if (err != ERR_OK || !ours)
			return err == ERR_OK ? ERR_BUSY : err;
		audits_batch_init(&batch, &node->address, CHALLENGE_PIECES);
		err = audits_next_pieces(round->desk->db, &batch, &after,
					 (uint8_t)round->desk->settings->audit_samples);
		more = batch.count == batch.room;
		if (err == ERR_OK && batch.count > 0) {
			after = batch.pieces[batch.count - 1].piece;
			err = auditor_challenge(round, &batch);
			add_batch(node, &batch);
			more = more && !batch.contained;
		}
		audits_batch_free(&batch);
	}
	return err;
}

static enum err audit_sample(struct round *round, struct node_result *node)
{
	struct audit_batch batch;
	enum err err;

	audits_batch_init(&batch, &node->address, AUDITOR_SAMPLE);
	err = audits_draw_pieces(round->desk->db, &batch, AUDITOR_SAMPLE);
	if (err == ERR_OK && batch.count > 0) {
		err = auditor_challenge(round, &batch);
		add_batch(node, &batch);
	}
	audits_batch_free(&batch);
	return err;
}

/* A node that owes an answer gives that first. */
static enum err audit_node(struct round *round, struct node_result *node, bool every)
{
	struct audit_batch batch;
	bool contained = false;
	enum err err = auditor_repeat(round, &node->address, &batch);

	if (err == ERR_OK) {
		add_batch(node, &batch);
		contained = batch.contained;
		audits_batch_free(&batch);
	} else if (err != ERR_NOT_FOUND) {
		return err;
	}
	if (contained)
		return ERR_OK;
	return every ? audit_every_piece(round, node) : audit_sample(round, node);
}

/* Nobody else may ask the node meanwhile. */
static enum err audit_claimed(struct round *round, struct node_result *node, bool every)
{
	const struct timespec pause = {0, CLAIM_PAUSE_MS * 1000000l};
	bool taken = false;
	enum err err = auditor_claim(round, &node->address, &taken), given;

	for (int i = 0; i < CLAIM_TRIES && err == ERR_OK && !taken; i++) {
		nanosleep(&pause, NULL);
		err = auditor_claim(round, &node->address, &taken);
	}
	if (err == ERR_OK && !taken)
		return ERR_BUSY;
	if (err == ERR_OK)
		err = audit_node(round, node, every);
	given = auditor_release(round, &node->address);
	return err == ERR_OK ? given : err;
}

static enum err find_result(struct results *results, struct database *db, const struct address *address,
			    struct node_result **ret)
{
	struct endpoint endpoint;
	enum err err;

	for (size_t i = 0; i < results->count; i++) {
		if (address_equal(&results->nodes[i].address, address)) {
			*ret = &results->nodes[i];
			return ERR_OK;
		}
	}
	err = registry_endpoint(db, address, &endpoint);
	if (err != ERR_OK)
		return err;
	results->nodes = memory_grow(results->nodes, &results->room, results->count + 1, sizeof(*results->nodes));
	results->nodes[results->count] = (struct node_result){.address = *address, .id = endpoint.id};
	*ret = &results->nodes[results->count++];
	return ERR_OK;
}

/* What the continuous round would do now. */
static enum err audit_due(struct round *round, struct results *results)
{
	struct audit_batch batch;
	struct node_result *node;
	enum err err = auditor_do_due(round, &batch);

	while (err == ERR_OK) {
		if (batch.count > 0) {
			err = find_result(results, round->desk->db, &batch.node, &node);
			if (err == ERR_OK)
				add_batch(node, &batch);
		}
		audits_batch_free(&batch);
		if (err == ERR_OK)
			err = auditor_do_due(round, &batch);
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err audit_chosen(struct round *round, struct results *results)
{
	bool every = option_flag(results->options, "every-piece");
	enum err err = registry_each(round->desk->db, add_node, results);

	for (size_t i = 0; i < results->count && err == ERR_OK; i++)
		err = audit_claimed(round, &results->nodes[i], every);
	return err;
}

static uint64_t failed(const struct node_result *node)
{
	return node->verdicts[AUDITED_MISSING] + node->verdicts[AUDITED_CORRUPT];
}

static json_t *node_json(const struct node_result *node)
{
	char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];
	json_t *json;

	id_to_hex(&node->id, id);
	address_to_text(&node->address, address);
	json = json_pack("{s:s, s:s, s:I, s:I}", "id", id, "address", address, "passed",
			 (json_int_t)node->verdicts[AUDITED_PROVEN], "failed", (json_int_t)failed(node));
	for (int v = AUDITED_MISSING; v < AUDITS_VERDICTS; v++)
		json_object_set_new(json, audit_verdict_name((enum audit_verdict)v),
				    json_integer((json_int_t)node->verdicts[v]));
	json_object_set_new(json, "contained", json_integer((json_int_t)node->contained));
	json_object_set_new(json, "bytes", json_integer((json_int_t)node->bytes));
	return json;
}

static void print_as_json(const struct results *results)
{
	json_t *nodes = json_array();

	for (size_t i = 0; i < results->count; i++)
		json_array_append_new(nodes, node_json(&results->nodes[i]));
	commands_print_json(json_pack("{s:o}", "nodes", nodes));
}

static void print_as_text(const struct results *results)
{
	printf("%-22s", "node");
	for (int v = AUDITED_PROVEN; v < AUDITS_VERDICTS; v++)
		printf(" %11s", audit_verdict_name((enum audit_verdict)v));
	puts("   contained");
	for (size_t i = 0; i < results->count; i++) {
		char id[KEY_ID_HEX];

		id_to_hex(&results->nodes[i].id, id);
		printf("%.20s… ", id);
		for (int v = AUDITED_PROVEN; v < AUDITS_VERDICTS; v++)
			printf(" %11llu", (unsigned long long)results->nodes[i].verdicts[v]);
		printf(" %11llu\n", (unsigned long long)results->nodes[i].contained);
	}
}

static enum err audit(struct round *round, struct results *results, char *why, size_t room)
{
	const struct options *options = results->options;
	size_t named = option_count(options, "node");
	enum err err;

	if (!option_flag(options, "all") && named == 0)
		err = audit_due(round, results);
	else
		err = audit_chosen(round, results);
	if (err != ERR_OK) {
		snprintf(why, room, "cannot audit: %s (%s)", err_text(err), database_message(round->desk->db));
		return err;
	}
	if (!option_flag(options, "all") && results->count < named) {
		snprintf(why, room, "--node: %zu of %zu are known here", results->count, named);
		return ERR_USAGE;
	}
	return ERR_OK;
}

int commands_audit(struct options *options)
{
	struct settings settings;
	struct results results = {.options = options};
	struct desk *desk = NULL;
	struct key *key = NULL;
	struct round round;
	char why[COMMANDS_WHY] = "";
	enum err err;

	err = commands_open(options, &settings, &key, &desk, why, sizeof(why));
	if (err == ERR_OK) {
		round_init(&round, desk);
		err = audit(&round, &results, why, sizeof(why));
		round_end(&round);
	}
	if (err != ERR_OK)
		commands_complain(why);
	else if (option_flag(options, "json"))
		print_as_json(&results);
	else
		print_as_text(&results);
	free(results.nodes);
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
