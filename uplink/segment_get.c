/*
 * Two questions drive everything: do the units that are here and those that running fetches will bring complete every
 * stripe (if not, the satellite is asked for more pieces); and does a fetch hold up the others (if so it is asked for
 * one in its place).
 */
#include "uplink/segment_get.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/random.h"
#include "uplink/fetches.h"
#include "uplink/metadata.h"

#define SEGMENT_MAGIC 0x53474554u
#define WHY_MAX 1000
#define ASKS_MAX 8 /* times that the satellite is asked for pieces of one segment */
#define OWN_MAX (TRANSFER_EXCLUDED - TRANSFER_AVOIDED)
#define TICK_MS 500
#define PATIENCE_MS 2000 /* with a fetch that holds up the others */

struct segment_get {
	uint32_t magic;
	struct transfer *transfer;
	const struct segment_get_events *events;
	void *arg;
	struct segment_wanted wanted;
	struct gather_range range;
	uint32_t first, last; /* stripes */
	uint32_t window;
	uint64_t limit;		   /* bytes that the allocations asked for are good for */
	struct erasure_set direct; /* the pieces to read when not any will do; empty otherwise */
	struct secret *key;
	struct gather *gather;		/* NULL before the first answer, and for an inline segment */
	struct fetches *fetches;	/* the same */
	struct gather_part inline_part; /* an inline segment, waiting for its turn */
	struct permit *permits;		/* of the answer that is coming in, in parts */
	uint32_t permit_count;
	struct metadata_call *call;
	unsigned asks;
	bool desperate; /* too few without those that failed with other segments: give them another chance */
	bool exhausted; /* the satellite has no other nodes: even slow ones are kept */
	struct event *tick;
	char why[WHY_MAX];
};

static void ask(struct segment_get *segment);

static void segment_free(struct segment_get *segment)
{
	metadata_cancel(segment->call);
	fetches_free(segment->fetches);
	free(segment->permits);
	gather_free(segment->gather);
	buffers_give(segment->transfer->plain, segment->inline_part.buffer);
	secret_free(segment->key);
	event_free(segment->tick);
	transfer_release(segment->transfer);
	segment->magic = 0;
	free(segment);
}

static void finish(struct segment_get *segment, enum err err, const char *why)
{
	char text[WHY_MAX + 400];

	if (err == ERR_OK)
		text[0] = '\0';
	else if (segment->why[0] == '\0')
		snprintf(text, sizeof(text), "segment %u: %s", segment->wanted.number, why);
	else
		snprintf(text, sizeof(text), "segment %u: %s; %s", segment->wanted.number, why, segment->why);
	segment->events->done(segment->arg, segment, err, text);
	segment_free(segment);
}

static bool is_enough(const struct segment_get *segment)
{
	struct erasure_set running = fetches_running(segment->fetches);

	return gather_suffices(segment->gather, &running);
}

/* No more asking: make do with the slow ones. */
static void give_up_asking(struct segment_get *segment)
{
	char why[100];

	segment->exhausted = true;
	fetches_pardon_slow(segment->fetches);
	if (is_enough(segment))
		return;
	snprintf(why, sizeof(why), "%u pieces can be read, %u are needed", fetches_count(segment->fetches),
		 segment->transfer->policy.required);
	finish(segment, ERR_UNREACHABLE, why);
}

/* Ask for more pieces when those that run will not do. The segment may be gone afterwards. */
static void ensure_enough(struct segment_get *segment)
{
	if (segment->call != NULL || is_enough(segment))
		return;
	if (segment->asks < ASKS_MAX)
		ask(segment);
	else
		give_up_asking(segment);
}

static void on_block(void *arg)
{
	struct segment_get *segment = arg;

	assert(segment->magic == SEGMENT_MAGIC);
	if (fetches_are_trimmed(segment->fetches) || gather_incomplete(segment->gather) == segment->first)
		return;
	fetches_trim(segment->fetches, segment->transfer->policy.required);
	ensure_enough(segment);
}

static void on_failed(void *arg, const struct permit *permit, enum err err, const char *why)
{
	struct segment_get *segment = arg;
	size_t len = strlen(segment->why);
	char hex[KEY_ID_HEX];

	(void)err;
	assert(segment->magic == SEGMENT_MAGIC);
	id_to_hex(&permit->endpoint.id, hex);
	snprintf(segment->why + len, sizeof(segment->why) - len, "%snode %s: %s", len > 0 ? ", " : "", hex, why);
	transfer_avoid(segment->transfer, &permit->allocation.node);
	ensure_enough(segment);
}

static const struct fetches_events fetches_sink = {.block = on_block, .failed = on_failed};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct segment_get *segment = arg;

	(void)fd;
	(void)what;
	assert(segment->magic == SEGMENT_MAGIC);
	if (segment->gather == NULL || segment->exhausted || segment->call != NULL)
		return;
	/* Each time it was of no use to ask for others, we wait longer: perhaps it is not the nodes that are slow. */
	fetches_find_slow(segment->fetches, (uint64_t)PATIENCE_MS << (segment->asks - 1));
	ensure_enough(segment);
}

static bool is_useful(const struct segment_get *segment, const struct permit *permit)
{
	struct erasure_set running = fetches_running(segment->fetches);

	if (erasure_set_has(&running, permit->number))
		return false;
	if (segment->asks > 1)
		return !is_enough(segment);
	return erasure_set_count(&segment->direct) == 0 || erasure_set_has(&segment->direct, permit->number);
}

/* The answer to a further ask was put to use, or there was nothing of use in it. */
static void conclude_ask(struct segment_get *segment, bool started)
{
	segment->direct = (struct erasure_set){0};
	segment->exhausted = !started;
	if (started) {
		fetches_drop_slow(segment->fetches);
		return;
	}
	fetches_pardon_slow(segment->fetches);
	if (is_enough(segment))
		return;
	/* Asking again would give the same, unless with nodes that were left out. */
	if (segment->desperate || segment->transfer->avoided_count == 0)
		segment->asks = ASKS_MAX;
	segment->desperate = true;
}

/* Start what the satellite gave: everything at first (the slowest are dropped soon), later only what is missing. */
static void start_fetches(struct segment_get *segment)
{
	bool started = false;

	for (uint32_t i = 0; i < segment->permit_count; i++) {
		if (!is_useful(segment, &segment->permits[i]))
			continue;
		fetches_start(segment->fetches, &segment->permits[i], segment->range.layout.piece_size);
		started = true;
	}
	if (erasure_set_count(&segment->direct) > 0 ||
	    fetches_count(segment->fetches) <= segment->transfer->policy.required)
		fetches_trim(segment->fetches, UINT32_MAX);
	free(segment->permits);
	segment->permits = NULL;
	if (segment->asks > 1)
		conclude_ask(segment, started);
	ensure_enough(segment);
}

/* An inline segment came whole: one unit, which waits for its turn. */
static enum err open_inline(struct segment_get *segment, struct bytes data)
{
	uint64_t size = segment->wanted.plain_size;
	uint8_t *plain;
	enum err err;

	if (data.len != size + SEGMENT_TAG || data.len > MESSAGE_INLINE_MAX)
		return ERR_FORMAT;
	plain = buffers_take(segment->transfer->plain);
	err = crypto_open_unit(segment->key, 0, data, plain);
	if (err != ERR_OK) {
		buffers_give(segment->transfer->plain, plain);
		return err;
	}
	segment->inline_part =
		(struct gather_part){plain, segment->wanted.from, segment->wanted.to - segment->wanted.from};
	return ERR_OK;
}

static bool on_gather_may_decode(void *arg)
{
	struct segment_get *segment = arg;

	return segment->events->may_decode(segment->arg, segment);
}

static void on_gather_part(void *arg, const struct gather_part *part)
{
	struct segment_get *segment = arg;

	segment->events->part(segment->arg, part);
}

static void on_gather_moved(void *arg)
{
	struct segment_get *segment = arg;

	if (gather_head(segment->gather) > segment->last)
		finish(segment, ERR_OK, "");
	else
		fetches_widen(segment->fetches);
}

static void on_gather_failed(void *arg)
{
	finish(arg, ERR_AUTH, "its units do not decrypt: whoever wrote it wrote something else");
}

static const struct gather_events gather_sink = {
	.may_decode = on_gather_may_decode,
	.part = on_gather_part,
	.moved = on_gather_moved,
	.failed = on_gather_failed,
};

/* The first part of the first answer: is it the segment that we expect, and can we read it? */
static const char *take_segment(struct segment_get *segment, const struct msg_segment *answer)
{
	const struct transfer *transfer = segment->transfer;
	struct crypto_place place =
		transfer_place(transfer, segment->wanted.number, segment->wanted.last, segment->wanted.plain_size);
	bool is_inline = answer->data.len > 0;

	if (answer->plain_size != segment->wanted.plain_size ||
	    (!is_inline && answer->piece_size != segment->range.layout.piece_size))
		return "its size is not what the object's size implies";
	if (crypto_unwrap_key(transfer->name.key, &place, answer->wrapped_key, &segment->key) != ERR_OK)
		return "its key does not unwrap: it is not this object's, or was made with another access";
	if (is_inline)
		return open_inline(segment, answer->data) == ERR_OK ? NULL : "its inline data does not decrypt";
	if (segment->wanted.plain_size == 0)
		return "it is empty and not inline";
	segment->gather = gather_new(segment->transfer, &segment->range, segment->key, &gather_sink, segment);
	segment->fetches = fetches_new(segment->transfer, segment->gather, segment->window, &fetches_sink, segment);
	return NULL;
}

static bool is_taken(const struct segment_get *segment, uint16_t number)
{
	for (uint32_t i = 0; i < segment->permit_count; i++) {
		if (segment->permits[i].number == number)
			return true;
	}
	return false;
}

/* The allocations of one part of the answer. NULL, or what is wrong with one. */
static const char *take_permits(struct segment_get *segment, const struct list *pieces)
{
	const struct uplink *uplink = segment->transfer->uplink;
	const struct permit_facts facts = {
		.satellite = &uplink->satellite,
		.client = &uplink->client,
		.action = ACTION_GET,
		.limit = segment->limit,
	};
	struct item_allocation item;
	struct permit permit;
	struct reader r;
	const char *why;

	reader_init(&r, pieces->raw);
	for (uint32_t i = 0; i < pieces->count; i++) {
		list_next(&item_allocation_fields, &r, &item);
		if (permit_parse(&item, &facts, &permit, &why) != ERR_OK)
			return why;
		if (permit.number >= segment->transfer->policy.total || is_taken(segment, permit.number))
			return "number";
		segment->permits[segment->permit_count++] = permit;
	}
	return NULL;
}

static bool on_answer(const struct message *message, enum err err, const char *why, void *arg)
{
	struct segment_get *segment = arg;
	const char *flaw = NULL;
	char text[120];

	assert(segment->magic == SEGMENT_MAGIC);
	if (message == NULL) {
		segment->call = NULL;
		finish(segment, err, why);
		return false;
	}
	if (segment->key == NULL)
		flaw = take_segment(segment, &message->segment);
	if (flaw == NULL && segment->gather != NULL) {
		flaw = take_permits(segment, &message->segment.pieces);
		snprintf(text, sizeof(text), "satellite: bad allocation (%s)", flaw == NULL ? "" : flaw);
		flaw = flaw == NULL ? NULL : text;
	}
	if (flaw == NULL && !message->segment.last)
		return true;
	segment->call = NULL;
	if (flaw != NULL)
		finish(segment, ERR_PROTOCOL, flaw);
	else if (segment->gather != NULL)
		start_fetches(segment);
	else
		segment_get_retry(segment);
	return false;
}

/* Nodes that failed, with this segment or another, and nodes that are busy for us already. */
static uint32_t write_excluded(const struct segment_get *segment, struct writer *w)
{
	uint32_t count = segment->fetches == NULL ? 0 : fetches_write_nodes(segment->fetches, OWN_MAX, w);

	if (!segment->desperate)
		count += transfer_write_avoided(segment->transfer, w);
	return count;
}

static uint64_t bytes_from(const struct segment_get *segment, uint32_t stripe)
{
	if (segment->range.layout.stripes == 0)
		return SEGMENT_UNIT; /* empty, inline: a limit that nobody uses */
	return (uint64_t)(segment->last - stripe) * SEGMENT_UNIT +
	       segment_unit_size(&segment->range.layout, segment->last);
}

static void ask(struct segment_get *segment)
{
	struct transfer *transfer = segment->transfer;
	struct message message = {.type = MSG_GET_SEGMENT};
	struct msg_get_segment *get = &message.get_segment;
	uint32_t excluded;
	uint8_t *list = memory_new(TRANSFER_EXCLUDED, sizeof(struct item_node));
	struct writer w;

	writer_init(&w, list, TRANSFER_EXCLUDED * sizeof(struct item_node));
	segment->limit =
		bytes_from(segment, segment->gather == NULL ? segment->first : gather_incomplete(segment->gather));
	segment->permits = memory_new(transfer->policy.total, sizeof(*segment->permits));
	segment->permit_count = 0;
	get->version = transfer->place.version;
	get->number = segment->wanted.number;
	get->limit = segment->limit;
	get->first = (uint16_t)random_below(transfer->policy.total);
	if (segment->asks == 0 && erasure_set_count(&segment->direct) > 0) {
		get->count = (uint16_t)erasure_set_count(&segment->direct);
		for (get->first = 0; !erasure_set_has(&segment->direct, get->first);)
			get->first++;
	}
	excluded = write_excluded(segment, &w);
	get->excluded = list_of(&w, excluded);
	segment->asks++;
	segment->call = metadata_ask(transfer->uplink->metadata, &message, MSG_SEGMENT, on_answer, segment);
	free(list);
}

/* Which stripes, and whether few enough units to ask their nodes only. */
static void plan(struct segment_get *segment)
{
	struct segment_place first, last;

	if (segment->wanted.plain_size == 0)
		return;
	if (segment_plan(segment->wanted.plain_size, segment->transfer->policy.required, &segment->range.layout) !=
		    ERR_OK ||
	    segment_find(&segment->range.layout, segment->wanted.from, &first) != ERR_OK ||
	    segment_find(&segment->range.layout, segment->wanted.to - 1, &last) != ERR_OK)
		abort(); /* the owner's arithmetic */
	segment->first = first.stripe;
	segment->last = last.stripe;
	if (first.stripe != last.stripe || last.unit - first.unit + 1 >= segment->range.layout.required)
		return;
	gather_wanted(&segment->range, first.stripe, &segment->direct);
}

struct segment_get *segment_get_start(struct transfer *transfer, const struct segment_wanted *wanted, uint32_t window,
				      const struct segment_get_events *events, void *arg)
{
	struct segment_get *segment = memory_new(1, sizeof(*segment));
	const struct timeval interval = {.tv_usec = TICK_MS * 1000};

	segment->magic = SEGMENT_MAGIC;
	segment->transfer = transfer_hold(transfer);
	segment->events = events;
	segment->arg = arg;
	segment->wanted = *wanted;
	segment->range.from = wanted->from;
	segment->range.to = wanted->to;
	segment->window = window;
	segment->tick = event_new(loop_base(transfer->uplink->loop), -1, EV_PERSIST, on_tick, segment);
	event_add(segment->tick, &interval);
	plan(segment);
	ask(segment);
	return segment;
}

void segment_get_retry(struct segment_get *segment)
{
	struct gather_part part = segment->inline_part;

	if (segment->gather != NULL) {
		gather_retry(segment->gather);
	} else if (part.buffer != NULL && segment->events->may_decode(segment->arg, segment)) {
		segment->inline_part.buffer = NULL;
		segment->events->part(segment->arg, &part);
		finish(segment, ERR_OK, "");
	}
}

void segment_get_cancel(struct segment_get *segment)
{
	assert(segment->magic == SEGMENT_MAGIC);
	segment_free(segment);
}
