/* granary-satellite nodes, node show, audit export. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/hex.h"
#include "satellite/notices.h"
#include "satellite/payout_commands.h"
#include "satellite/registry.h"
#include "satellite/reputations.h"
#include "satellite/scores.h"
#include "satellite/transcripts.h"

#define HISTORY 1000 /* notices that are shown */

static json_t *score(uint32_t millionths)
{
	return json_real(millionths / 1e6);
}

static void add_reputation(json_t *json, const struct reputation_rules *rules, const struct reputed *reputed)
{
	const struct reputation *model = &reputed->model;

	json_object_set_new(json, "audit_score", score(reputation_audit_score(model)));
	json_object_set_new(json, "unknown_score", score(reputation_unknown_score(model)));
	json_object_set_new(json, "online_score", score(reputation_online_score(rules, model, clock_wall())));
	json_object_set_new(json, "proven", json_integer((json_int_t)model->proven));
	json_object_set_new(json, "failed", json_integer((json_int_t)model->failed));
}

/* Nodes as JSON, and by which rule they are online. */
struct listing {
	json_t *nodes;
	uint64_t online_since;
};

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct listing *listing = arg;
	char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];
	bool online = node->reachable && node->checked_in >= listing->online_since;

	id_to_hex(&node->id, id);
	address_to_text(&node->address, address);
	json_array_append_new(listing->nodes,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
					id, "address", address, "endpoint", node->endpoint, "claimed", node->claimed,
					"network", node->network, "version", node->version, "online", online,
					"reachable", node->reachable, "allocated", (json_int_t)node->allocated, "used",
					(json_int_t)node->used, "available", (json_int_t)node->available, "registered",
					(json_int_t)node->registered, "checked_in", (json_int_t)node->checked_in,
					"dialled", (json_int_t)node->dialled));
	return ERR_OK;
}

/* How far each is trusted, beside what it said. */
static enum err add_scores(struct desk *desk, json_t *nodes)
{
	const struct reputation_rules *rules = &desk->settings->reputation;
	enum err err = ERR_OK;
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		struct address address;
		struct reputed reputed;

		if (address_from_text(json_string_value(json_object_get(node, "address")), &address) == ERR_OK)
			err = reputations_read(desk->db, rules, &address, &reputed);
		if (err != ERR_OK)
			return err;
		json_object_set_new(node, "state", json_string(node_state_name(reputed.state)));
		add_reputation(node, rules, &reputed);
	}
	return ERR_OK;
}

static void print_nodes(json_t *nodes)
{
	size_t i;
	json_t *node;

	printf("%-22s %-24s %-12s %-6s %6s %10s %10s  %s\n", "node", "endpoint", "state", "online", "audits", "used",
	       "available", "last check-in");
	json_array_foreach(nodes, i, node) {
		char used[16], available[16], when[32];

		printf("%.20s…  %-24s %-12s %-6s %6.4f %10s %10s  %s\n", json_string_value(json_object_get(node, "id")),
		       json_string_value(json_object_get(node, "endpoint")),
		       json_string_value(json_object_get(node, "state")),
		       json_is_true(json_object_get(node, "online")) ? "yes" : "no",
		       json_real_value(json_object_get(node, "audit_score")),
		       option_print_size((uint64_t)json_integer_value(json_object_get(node, "used")), used),
		       option_print_size((uint64_t)json_integer_value(json_object_get(node, "available")), available),
		       clock_format((uint64_t)json_integer_value(json_object_get(node, "checked_in")), when,
				    sizeof(when)));
	}
}

int commands_nodes(struct options *options)
{
	struct settings settings;
	struct listing listing = {.nodes = json_array()};
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err;

	err = commands_open(options, &settings, &key, &desk, why, sizeof(why));
	if (err == ERR_OK) {
		listing.online_since = registry_online_since(&settings, clock_wall());
		err = registry_each(desk->db, add_node, &listing);
		if (err == ERR_OK)
			err = add_scores(desk, listing.nodes);
		snprintf(why, sizeof(why), "%s", database_message(desk->db));
	}
	if (err == ERR_OK && option_flag(options, "json"))
		commands_print_json(json_pack("{s:O}", "nodes", listing.nodes));
	else if (err == ERR_OK)
		print_nodes(listing.nodes);
	else
		commands_complain(why);
	json_decref(listing.nodes);
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : 1;
}

/* `node show`. */

static json_t *id_or_null(struct bytes id)
{
	char hex[2 * sizeof(struct bytes32) + 1];

	if (id.len != sizeof(struct bytes32))
		return json_null();
	hex_encode(id, hex);
	return json_string(hex);
}

static enum err add_notice(const struct notice *notice, void *arg)
{
	json_array_append_new(
		arg,
		json_pack("{s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:s}", "number", (json_int_t)notice->number, "at",
			  (json_int_t)notice->at, "kind", notice_kind_name(notice->kind), "state",
			  node_state_name((enum node_state)notice->state), "verdict",
			  notice->verdict == 0 ? json_null()
					       : json_string(audit_verdict_name((enum audit_verdict)notice->verdict)),
			  "piece", id_or_null(notice->piece), "challenge", id_or_null(notice->challenge), "words",
			  notice->words));
	return ERR_OK;
}

/* The last HISTORY notices, the oldest first. */
static enum err add_history(struct database *db, const struct address *node, json_t *json)
{
	struct query *q = database_query(db, "SELECT notices FROM reputations WHERE node = $node");
	json_t *list = json_array();
	uint64_t last = 0;
	enum err err;

	json_object_set_new(json, "notices", list);
	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		last = query_get_int(q, 0);
	query_reset(q);
	if (err != ERR_OK)
		return err;
	return notices_each(db, node, last > HISTORY ? last - HISTORY : 0, HISTORY, add_notice, list);
}

static enum err describe(struct desk *desk, const struct address *node, json_t *json)
{
	const struct reputation_rules *rules = &desk->settings->reputation;
	char address[KEY_ADDRESS_TEXT];
	struct reputed reputed;
	uint64_t grace;
	enum err err = reputations_read(desk->db, rules, node, &reputed);

	if (err != ERR_OK)
		return err;
	grace = scores_grace(rules, &reputed);
	address_to_text(node, address);
	json_object_set_new(json, "address", json_string(address));
	json_object_set_new(json, "state", json_string(node_state_name(reputed.state)));
	json_object_set_new(json, "since", json_integer((json_int_t)reputed.since));
	json_object_set_new(json, "reason", json_string(reputed.reason));
	add_reputation(json, rules, &reputed);
	json_object_set_new(json, "grace_until", grace > 0 ? json_integer((json_int_t)grace) : json_null());
	return add_history(desk->db, node, json);
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text == NULL ? "" : text;
}

static char *time_of(const json_t *json, const char *name, char out[24])
{
	return clock_format((uint64_t)json_integer_value(json_object_get(json, name)), out, 24);
}

static void print_node(const json_t *json)
{
	const json_t *notice;
	char when[24];
	size_t i;

	printf("node    %s\nstate   %s since %s\n", text_of(json, "address"), text_of(json, "state"),
	       time_of(json, "since", when));
	if (text_of(json, "reason")[0] != '\0')
		printf("        %s\n", text_of(json, "reason"));
	if (!json_is_null(json_object_get(json, "grace_until")))
		printf("        disqualified on %s unless that changes\n", time_of(json, "grace_until", when));
	printf("scores  audits %.4f, answers %.4f, online %.4f; %" JSON_INTEGER_FORMAT " pieces proven, "
	       "%" JSON_INTEGER_FORMAT " failed\n",
	       json_real_value(json_object_get(json, "audit_score")),
	       json_real_value(json_object_get(json, "unknown_score")),
	       json_real_value(json_object_get(json, "online_score")),
	       json_integer_value(json_object_get(json, "proven")),
	       json_integer_value(json_object_get(json, "failed")));
	json_array_foreach(json_object_get(json, "notices"), i, notice) {
		printf("%s  %-12s %s\n", time_of(notice, "at", when), text_of(notice, "state"),
		       text_of(notice, "words"));
		if (text_of(notice, "piece")[0] != '\0')
			printf("%24spiece %s\n", "", text_of(notice, "piece"));
		if (text_of(notice, "challenge")[0] != '\0')
			printf("%24saudit %s\n", "", text_of(notice, "challenge"));
	}
}

int commands_node_show(struct options *options)
{
	const char *text = options_argument(options, 0);
	json_t *json = json_object();
	struct address node;
	struct opened opened;
	enum err err = opened_begin(&opened, options, NULL);

	if (err == ERR_OK) {
		err = registry_find(opened.desk->db, text, &node);
		if (err == ERR_OK)
			err = describe(opened.desk, &node, json);
		opened_explain(&opened, err, "");
		if (err == ERR_FORMAT || err == ERR_NOT_FOUND)
			snprintf(opened.why, sizeof(opened.why), "%.70s: %s", text,
				 err == ERR_FORMAT ? "neither an id nor an address" : "no such node");
		err = err == ERR_FORMAT ? ERR_USAGE : err;
	}
	if (err == ERR_OK && option_flag(options, "json"))
		commands_print_json(json_incref(json));
	else if (err == ERR_OK)
		print_node(json);
	json_decref(json);
	return opened_end(&opened, err);
}

/* `audit export`. */

static enum err write_dossier(struct opened *opened, const struct bytes32 *challenge, const char *path)
{
	json_t *json = NULL;
	enum err err = transcripts_dossier(opened->desk, challenge, &json);
	char *text;

	if (err == ERR_NOT_FOUND)
		snprintf(opened->why, sizeof(opened->why), "no transcript of that audit is kept");
	else
		opened_explain(opened, err, "");
	if (err != ERR_OK)
		return err;
	text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	err = file_create(path, bytes_of_text(text), 0644);
	free(text);
	if (err != ERR_OK)
		snprintf(opened->why, sizeof(opened->why), "%.300s: %s", path, err_text(err));
	return err;
}

int commands_audit_export(struct options *options)
{
	const char *text = options_argument(options, 0);
	struct bytes32 challenge;
	struct opened opened;
	enum err err = opened_begin(&opened, options, NULL);

	if (err == ERR_OK && hex_decode(text, challenge.b, sizeof(challenge.b)) != ERR_OK) {
		snprintf(opened.why, sizeof(opened.why), "%.80s: not the 64 hex digits of a challenge", text);
		err = ERR_USAGE;
	}
	if (err == ERR_OK)
		err = write_dossier(&opened, &challenge, options_argument(options, 1));
	return opened_end(&opened, err);
}
