/* The collector. */
#include "satellite/collector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/filter.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/random.h"
#include "satellite/nodelink.h"
#include "satellite/registry.h"

#define LEASE_SECONDS 7200 /* of one shard: as long as a node may take */
#define CLAIM_TRIES 8
#define CONNECT_MS 10000
#define PART_MS 30000	   /* in which a node takes one part */
#define ANSWER_MS 7000000  /* a node reads all its segments' footers, beside its customers */
#define PAUSE_MS 10000	   /* when nobody is due */

/* A round under way. */
struct collecting {
	struct round *round;
	struct nodelink *link;
	struct collections_round *result;
	struct filter_seed seed;
	char work[64]; /* the lease's name */
};

void collector_rules(const struct desk *desk, struct collections_rules *ret)
{
	ret->now = clock_wall();
	ret->interval = desk->settings->collect_interval;
	ret->online_since = registry_online_since(desk->settings, ret->now);
}

struct fill {
	struct filter *filter; /* NULL: count only */
	uint64_t count;
};

static void fill_one(const struct bytes32 *piece, void *arg)
{
	struct fill *fill = arg;

	fill->count++;
	if (fill->filter != NULL)
		filter_add(fill->filter, piece);
}

/* The filter of a shard, whose shape is complete but for the count. What comes between counting and filling makes the
 * filter find a little more by chance than it should, and misses nothing. */
static enum err make_filter(struct collecting *c, struct filter_shape *shape, struct filter **ret)
{
	struct database *db = c->round->desk->db;
	const struct address *node = &c->result->node;
	struct fill counted = {0}, filled = {0};
	struct bytes32 first, last;
	enum err err;

	filter_range(shape, &first, &last);
	err = collections_each_wanted(db, node, &first, &last, fill_one, &counted);
	if (err != ERR_OK)
		return err;
	shape->pieces = counted.count;
	filled.filter = filter_new(shape);
	err = collections_each_wanted(db, node, &first, &last, fill_one, &filled);
	if (err != ERR_OK) {
		filter_free(filled.filter);
		return err;
	}
	c->result->wanted += filled.count;
	*ret = filled.filter;
	return ERR_OK;
}

static void begin_collect(struct collecting *c, const struct filter *filter)
{
	const struct desk *desk = c->round->desk;
	struct message message = {.type = MSG_COLLECT};
	struct collection collection = {
		.satellite = *key_address(desk->key), .node = c->result->node, .time = c->result->begun};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct signature signature;
	struct writer w;

	filter_digest(filter, &collection.filter);
	typed_sign(&typed_collection, &collection, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_collection, &collection, &signature, &w);
	message.collect.collection = writer_bytes(&w);
	message.collect.size = (uint32_t)filter_size(filter);
	nodelink_begin(c->link, &message, PART_MS);
}

/* COLLECT and its parts; the answer, or what the node has against it, goes to *ret. */
static enum err send_filter(struct collecting *c, const struct filter *filter, struct message *ret)
{
	uint8_t *part = memory_new(1, MESSAGE_FILTER_PART);
	size_t size = filter_size(filter), len;
	enum err err = ERR_OK;

	begin_collect(c, filter);
	for (size_t at = 0; err == ERR_OK && at < size; at += len) {
		struct message message = {.type = MSG_FILTER};

		len = size - at < MESSAGE_FILTER_PART ? size - at : MESSAGE_FILTER_PART;
		filter_encode(filter, at, part, len);
		message.filter.part = bytes_of(part, len);
		err = nodelink_part(c->link, &message, PART_MS);
	}
	free(part);
	if (err != ERR_OK && err != ERR_EXISTS)
		return err;
	return nodelink_next(c->link, ANSWER_MS, ret);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return b > INT64_MAX - a ? INT64_MAX : a + b;
}

/* Numbers that a node said: no larger than the database takes. */
static void add_answer(struct collections_round *result, const struct msg_collected *m)
{
	result->pieces = plus(result->pieces, m->pieces);
	result->bytes = plus(result->bytes, m->bytes);
	result->unwanted_pieces = plus(result->unwanted_pieces, m->unwanted_pieces);
	result->unwanted_bytes = plus(result->unwanted_bytes, m->unwanted_bytes);
	result->moved_pieces = plus(result->moved_pieces, m->moved_pieces);
	result->moved_bytes = plus(result->moved_bytes, m->moved_bytes);
	if (m->held == 0)
		return;
	result->outcome = COLLECTIONS_HELD;
	/* The last to become ripe. */
	if (m->since <= INT64_MAX && m->since > result->held_since)
		result->held_since = m->since;
}

/* In words, for those who look: a refusal as the node put it. */
static void fail(struct collections_round *result, enum err err, const struct message *answer)
{
	result->outcome = COLLECTIONS_FAILED;
	result->held_since = 0;
	if (answer->type == MSG_ERROR && answer->error.text.len > 0 && text_is_printable(answer->error.text))
		snprintf(result->why, sizeof(result->why), "%.*s", (int)answer->error.text.len,
			 (const char *)answer->error.text.data);
	else if (answer->type == MSG_ERROR)
		snprintf(result->why, sizeof(result->why), "%s", refusal_text((enum refusal)answer->error.code));
	else
		snprintf(result->why, sizeof(result->why), "%s", err_text(err));
}

/* What becomes of an exchange with the node that ended with `err`: a failure of the round, or one of our own. */
static enum err conclude(struct collecting *c, enum err err, const struct message *answer)
{
	if (err == ERR_OK && answer->type != MSG_COLLECTED)
		err = ERR_PROTOCOL;
	if (err == ERR_OK)
		add_answer(c->result, &answer->collected);
	else if (err != ERR_CANCELLED)
		fail(c->result, err, answer);
	return err == ERR_CANCELLED ? err : ERR_OK;
}

static enum err collect_shard(struct collecting *c, struct filter_shape *shape)
{
	struct message answer = {.type = MSG_DONE};
	struct filter *filter = NULL;
	bool taken;
	enum err err = lease_take(c->round->desk->db, &c->round->holder, c->work, clock_wall(), LEASE_SECONDS, &taken);

	if (err == ERR_OK && !taken)
		err = ERR_BUSY;
	if (err == ERR_OK)
		err = make_filter(c, shape, &filter);
	if (err != ERR_OK)
		return err;
	err = send_filter(c, filter, &answer);
	filter_free(filter);
	return conclude(c, err, &answer);
}

static enum err collect_shards(struct collecting *c)
{
	struct filter_shape shape = {.hashes = FILTER_HASHES, .time = c->result->begun, .seed = c->seed};
	uint64_t pieces;
	enum err err = collections_count(c->round->desk->db, &c->result->node, &pieces);

	if (err != ERR_OK)
		return err;
	shape.bits = filter_bits_for(pieces);
	for (unsigned shard = 0; err == ERR_OK && shard < 1u << shape.bits; shard++) {
		if (c->result->outcome == COLLECTIONS_FAILED)
			break;
		shape.shard = (uint8_t)shard;
		err = collect_shard(c, &shape);
	}
	return err;
}

/* Dial, and see that it is there. */
static enum err reach(struct collecting *c)
{
	struct message ping = {.type = MSG_PING}, answer = {.type = MSG_DONE};
	struct round *round = c->round;
	enum err err = nodelink_open(round->desk, round->base, &c->result->node, &c->link);

	if (err == ERR_OK)
		err = nodelink_ask(c->link, &ping, CONNECT_MS, &answer);
	if (err != ERR_OK && err != ERR_CANCELLED && err != ERR_DATABASE) {
		fail(c->result, err, &answer);
		return ERR_OK;
	}
	return err;
}

static void tell(const struct collections_round *result)
{
	bool held = result->outcome == COLLECTIONS_HELD;
	char address[KEY_ADDRESS_TEXT], quoted[300];

	address_to_text(&result->node, address);
	if (result->outcome == COLLECTIONS_FAILED)
		log_event(LOG_INFO, "collection_failed", "node=%s why=%s", address,
			  log_quote(result->why, quoted, sizeof(quoted)));
	else
		log_event(held ? LOG_WARN : LOG_INFO, held ? "collection_held" : "collected",
			  "node=%s pieces=%" PRIu64 " unwanted=%" PRIu64 " unwanted_bytes=%" PRIu64 " trashed=%" PRIu64
			  " of_bytes=%" PRIu64,
			  address, result->pieces, result->unwanted_pieces, result->unwanted_bytes,
			  result->moved_pieces, result->bytes);
}

static void begin(struct collecting *c, struct round *round, const struct address *node,
		  struct collections_round *result)
{
	char hex[41];

	memset(c, 0, sizeof(*c));
	memset(result, 0, sizeof(*result));
	c->round = round;
	c->result = result;
	result->node = *node;
	result->outcome = COLLECTIONS_DONE;
	result->begun = clock_wall();
	random_bytes(c->seed.b, sizeof(c->seed.b));
	hex_encode(bytes_of(node->b, sizeof(node->b)), hex);
	snprintf(c->work, sizeof(c->work), "collect %s", hex);
}

static enum err note(struct collecting *c)
{
	struct collections_rules rules;
	enum err err;

	c->result->ended = clock_wall();
	collector_rules(c->round->desk, &rules);
	err = collections_note(c->round->desk->db, &rules, c->result);
	if (err == ERR_OK)
		tell(c->result);
	return err;
}

/* The lease is held. */
static enum err collect(struct collecting *c)
{
	enum err err = reach(c);

	if (err == ERR_OK && c->result->outcome != COLLECTIONS_FAILED)
		err = collect_shards(c);
	nodelink_close(c->link);
	return err == ERR_OK ? note(c) : err;
}

enum err collector_collect(struct round *round, const struct address *node, struct collections_round *ret)
{
	struct database *db = round->desk->db;
	struct collecting c;
	bool taken;
	enum err err, given;

	begin(&c, round, node, ret);
	err = lease_take(db, &round->holder, c.work, ret->begun, LEASE_SECONDS, &taken);
	if (err != ERR_OK || !taken)
		return err == ERR_OK ? ERR_BUSY : err;
	err = collect(&c);
	given = lease_give_back(db, &round->holder, c.work);
	return err == ERR_OK ? given : err;
}

enum err collector_do_due(struct round *round, struct collections_round *ret)
{
	struct collections_rules rules;
	struct address node;
	enum err err = ERR_BUSY;

	collector_rules(round->desk, &rules);
	/* One that somebody else is at stays due until it is noted. */
	for (uint32_t skip = 0; skip < CLAIM_TRIES && err == ERR_BUSY; skip++) {
		err = collections_due(round->desk->db, &rules, skip, &node);
		if (err == ERR_OK)
			err = collector_collect(round, &node, ret);
	}
	return err == ERR_BUSY ? ERR_NOT_FOUND : err;
}

enum err collector_restore(struct round *round, const struct address *node, uint64_t since,
			   struct collections_round *ret)
{
	struct message restore = {.type = MSG_RESTORE}, answer = {.type = MSG_DONE};
	struct collecting c;
	enum err err;

	begin(&c, round, node, ret);
	err = reach(&c);
	if (err == ERR_OK && ret->outcome != COLLECTIONS_FAILED) {
		restore.restore.since = since;
		err = conclude(&c, nodelink_ask(c.link, &restore, ANSWER_MS, &answer), &answer);
	}
	nodelink_close(c.link);
	return err;
}

unsigned collector_walk(struct round *round)
{
	struct collections_round result;
	enum err err = ERR_OK;
	char quoted[300];

	if (round->desk->settings->collect_interval == 0)
		return PAUSE_MS;
	while (err == ERR_OK && !patrol_is_stopping(round))
		err = collector_do_due(round, &result);
	if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_CANCELLED)
		log_event(LOG_ERROR, "collector_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
