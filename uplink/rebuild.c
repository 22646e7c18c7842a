/*
 * Stripes come from a gather without a key, in order; each is kept until all targets that still run have taken it. So
 * the slowest target sets the pace, but one that stands still is given up by its put, and all are when time is up.
 */
#include "uplink/rebuild.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "uplink/piece_put.h"

#define REBUILD_MAGIC 0x52424c44u
#define TICK_MS 500
#define PATIENCE_MS 2000 /* with a source that holds up the others */

struct target {
	struct rebuild *rebuild;
	const struct permit *permit;
	uint32_t index;	       /* among the units of a stripe */
	struct piece_put *put; /* while it runs */
	uint32_t at;	       /* the stripe it is at */
};

struct rebuild {
	uint32_t magic;
	struct rebuild_plan plan;
	const struct rebuild_events *events;
	void *arg;
	struct transfer *transfer;
	struct gather_range range;
	struct gather *gather;
	struct fetches *fetches;
	uint32_t next_source;
	uint8_t *stripes[SEGMENT_STRIPES]; /* made and not taken by all */
	uint32_t lowest;		   /* the first that a running target needs */
	struct target *targets;
	struct rebuild_piece *pieces;
	uint32_t running;
	uint32_t stored;
	uint64_t deadline; /* monotonic nanoseconds */
	struct event *tick;
	struct event *conclude; /* ends it from outside of all calls */
	enum err err;
	char why[200];
};

static void rebuild_free(struct rebuild *rebuild)
{
	for (uint32_t i = 0; i < rebuild->plan.target_count; i++) {
		if (rebuild->targets[i].put != NULL)
			piece_put_cancel(rebuild->targets[i].put);
	}
	fetches_free(rebuild->fetches);
	for (uint32_t i = 0; i < SEGMENT_STRIPES; i++)
		buffers_give(rebuild->transfer->plain, rebuild->stripes[i]);
	gather_free(rebuild->gather);
	transfer_release(rebuild->transfer);
	event_free(rebuild->tick);
	event_free(rebuild->conclude);
	free(rebuild->targets);
	free(rebuild->pieces);
	rebuild->magic = 0;
	free(rebuild);
}

/* End soon, from the loop: what calls us may still use what would be freed. The first reason counts. */
static void finish_soon(struct rebuild *rebuild, enum err err, const char *why)
{
	if (event_pending(rebuild->conclude, EV_TIMEOUT, NULL))
		return;
	rebuild->err = err;
	snprintf(rebuild->why, sizeof(rebuild->why), "%s", why);
	event_add(rebuild->conclude, &(const struct timeval){0, 0});
}

static void on_conclude(evutil_socket_t fd, short what, void *arg)
{
	struct rebuild *rebuild = arg;

	(void)fd;
	(void)what;
	assert(rebuild->magic == REBUILD_MAGIC);
	rebuild->events->done(rebuild->arg, rebuild->err, rebuild->why, rebuild->pieces);
	rebuild_free(rebuild);
}

static bool is_enough(const struct rebuild *rebuild)
{
	struct erasure_set running = fetches_running(rebuild->fetches);

	return gather_suffices(rebuild->gather, &running);
}

/* Ask further sources while those that run will not do; without any left, make do with the slow ones. */
static void ensure_enough(struct rebuild *rebuild)
{
	bool started = false;
	char why[100];

	while (!is_enough(rebuild) && rebuild->next_source < rebuild->plan.source_count) {
		fetches_start(rebuild->fetches, &rebuild->plan.sources[rebuild->next_source++],
			      rebuild->range.layout.piece_size);
		started = true;
	}
	if (started)
		fetches_drop_slow(rebuild->fetches);
	if (is_enough(rebuild))
		return;
	fetches_pardon_slow(rebuild->fetches);
	if (is_enough(rebuild))
		return;
	snprintf(why, sizeof(why), "%u pieces can be read, %u are needed", fetches_count(rebuild->fetches),
		 rebuild->plan.policy.required);
	finish_soon(rebuild, ERR_UNREACHABLE, why);
}

static void on_block(void *arg)
{
	(void)arg; /* the gather asks for nothing but that blocks come */
}

static void on_source_failed(void *arg, const struct permit *permit, enum err err, const char *why)
{
	struct rebuild *rebuild = arg;

	assert(rebuild->magic == REBUILD_MAGIC);
	rebuild->events->source_failed(rebuild->arg, permit, err, why);
	ensure_enough(rebuild);
}

static const struct fetches_events fetches_sink = {.block = on_block, .failed = on_source_failed};

static bool may_decode(void *arg)
{
	const struct rebuild *rebuild = arg;

	return gather_head(rebuild->gather) < rebuild->lowest + REBUILD_STRIPES;
}

static void on_part(void *arg, const struct gather_part *part)
{
	struct rebuild *rebuild = arg;

	assert(rebuild->magic == REBUILD_MAGIC);
	rebuild->stripes[gather_head(rebuild->gather) - 1] = part->buffer;
	for (uint32_t i = 0; i < rebuild->plan.target_count; i++) {
		if (rebuild->targets[i].put != NULL)
			piece_put_wake(rebuild->targets[i].put);
	}
}

static void on_moved(void *arg)
{
	struct rebuild *rebuild = arg;

	fetches_widen(rebuild->fetches);
}

static void on_gather_failed(void *arg)
{
	finish_soon(arg, ERR_CORRUPT, "its stripes cannot be rebuilt");
}

static const struct gather_events gather_sink = {
	.may_decode = may_decode,
	.part = on_part,
	.moved = on_moved,
	.failed = on_gather_failed,
};

/* Give back the stripes that all running targets have taken. */
static void drop_taken(struct rebuild *rebuild)
{
	uint32_t lowest = rebuild->range.layout.stripes;

	for (uint32_t i = 0; i < rebuild->plan.target_count; i++) {
		const struct target *target = &rebuild->targets[i];

		if (target->put != NULL && target->at < lowest)
			lowest = target->at;
	}
	for (; rebuild->lowest < lowest; rebuild->lowest++) {
		buffers_give(rebuild->transfer->plain, rebuild->stripes[rebuild->lowest]);
		rebuild->stripes[rebuild->lowest] = NULL;
	}
}

static enum piece_next next_block(void *arg, uint32_t index, struct piece_block *ret)
{
	struct target *target = arg;
	struct rebuild *rebuild = target->rebuild;
	uint8_t *stripe;

	assert(rebuild->magic == REBUILD_MAGIC);
	if (index > target->at) {
		target->at = index;
		drop_taken(rebuild);
		gather_retry(rebuild->gather);
	}
	if (index >= rebuild->range.layout.stripes)
		return PIECE_END;
	stripe = rebuild->stripes[index];
	if (stripe == NULL)
		return PIECE_WAIT;
	ret->data = bytes_of(gather_unit_at(stripe, target->index), segment_unit_size(&rebuild->range.layout, index));
	ret->hash = gather_hash_at(stripe, rebuild->plan.target_count, target->index);
	return PIECE_BLOCK;
}

static void conclude_if_idle(struct rebuild *rebuild)
{
	if (rebuild->running > 0)
		return;
	if (rebuild->stored > 0)
		finish_soon(rebuild, ERR_OK, "");
	else
		finish_soon(rebuild, ERR_UNREACHABLE, "no node took a piece");
}

/* The put checked the receipt against what was sent; what was sent must be the piece that is replaced. */
static void take_receipt(struct target *target, struct bytes wire)
{
	struct rebuild *rebuild = target->rebuild;
	struct rebuild_piece *piece = &rebuild->pieces[target - rebuild->targets];

	if (typed_decode(&typed_receipt, wire, &piece->receipt, &piece->signature) != ERR_OK)
		abort(); /* the put decoded it */
	if (!bytes32_is_zero(&target->permit->root) && !bytes32_equal(&target->permit->root, &piece->receipt.root)) {
		piece->err = ERR_CONFLICT;
		finish_soon(rebuild, ERR_CONFLICT,
			    "what was rebuilt is not the piece that was lost: "
			    "the segment's pieces contradict each other");
		return;
	}
	piece->err = ERR_OK;
	rebuild->stored++;
}

static void on_put_done(void *arg, const struct piece_receipt *result)
{
	struct target *target = arg;
	struct rebuild *rebuild = target->rebuild;

	assert(rebuild->magic == REBUILD_MAGIC);
	target->put = NULL;
	rebuild->running--;
	if (result->err == ERR_OK) {
		take_receipt(target, result->receipt);
	} else {
		rebuild->pieces[target - rebuild->targets].err = result->err;
		rebuild->events->target_failed(rebuild->arg, target->permit, result->err, result->why);
	}
	drop_taken(rebuild);
	gather_retry(rebuild->gather);
	conclude_if_idle(rebuild);
}

static const struct piece_source target_source = {.next = next_block, .done = on_put_done};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rebuild *rebuild = arg;

	(void)fd;
	(void)what;
	assert(rebuild->magic == REBUILD_MAGIC);
	if (clock_monotonic() > rebuild->deadline) {
		if (rebuild->stored > 0)
			finish_soon(rebuild, ERR_OK, "");
		else
			finish_soon(rebuild, ERR_TIMEOUT, "not done in time");
		return;
	}
	if (rebuild->next_source == rebuild->plan.source_count)
		return;
	fetches_find_slow(rebuild->fetches, PATIENCE_MS);
	ensure_enough(rebuild);
}

/* Which unit of a stripe is a target's: they stand in the order of their numbers. */
static uint32_t index_of(const struct rebuild_plan *plan, uint16_t number)
{
	uint32_t index = 0;

	for (uint32_t i = 0; i < plan->target_count; i++)
		index += plan->targets[i].number < number;
	return index;
}

static bool makes_sense(const struct rebuild_plan *plan)
{
	struct erasure_set seen = {{0}};

	for (uint32_t i = 0; i < plan->target_count; i++) {
		if (plan->targets[i].number >= plan->policy.total || erasure_set_has(&seen, plan->targets[i].number))
			return false;
		erasure_set_add(&seen, plan->targets[i].number);
	}
	seen = (struct erasure_set){{0}};
	for (uint32_t i = 0; i < plan->source_count; i++) {
		if (plan->sources[i].number >= plan->policy.total || erasure_set_has(&seen, plan->sources[i].number))
			return false;
		erasure_set_add(&seen, plan->sources[i].number);
	}
	return plan->target_count > 0 && plan->begin_with <= plan->source_count;
}

static void start_targets(struct rebuild *rebuild)
{
	const struct rebuild_plan *plan = &rebuild->plan;

	rebuild->running = plan->target_count;
	for (uint32_t i = 0; i < plan->target_count; i++) {
		struct target *target = &rebuild->targets[i];

		target->rebuild = rebuild;
		target->permit = &plan->targets[i];
		target->index = index_of(plan, target->permit->number);
		rebuild->pieces[i].err = ERR_TIMEOUT;
		target->put = piece_put_start(rebuild->transfer->uplink, target->permit,
					      rebuild->range.layout.piece_size, &target_source, target);
	}
}

static void start_sources(struct rebuild *rebuild)
{
	const struct rebuild_plan *plan = &rebuild->plan;

	rebuild->range.to = plan->plain_size;
	for (uint32_t i = 0; i < plan->target_count; i++)
		erasure_set_add(&rebuild->range.units, plan->targets[i].number);
	rebuild->gather = gather_new(rebuild->transfer, &rebuild->range, NULL, &gather_sink, rebuild);
	rebuild->fetches = fetches_new(rebuild->transfer, rebuild->gather, REBUILD_STRIPES, &fetches_sink, rebuild);
	while (rebuild->next_source < plan->begin_with)
		fetches_start(rebuild->fetches, &plan->sources[rebuild->next_source++],
			      rebuild->range.layout.piece_size);
	fetches_trim(rebuild->fetches, UINT32_MAX);
	ensure_enough(rebuild);
}

enum err rebuild_start(struct uplink *uplink, const struct rebuild_plan *plan, const struct rebuild_events *events,
		       void *arg, struct rebuild **ret)
{
	const struct timeval interval = {.tv_usec = TICK_MS * 1000};
	struct segment_layout layout;
	struct transfer *transfer;
	struct rebuild *rebuild;

	if (!makes_sense(plan) || segment_plan(plan->plain_size, plan->policy.required, &layout) != ERR_OK ||
	    transfer_new_bare(uplink, &plan->policy, GATHER_UNIT_BYTES * plan->target_count, &transfer) != ERR_OK)
		return ERR_RANGE;
	rebuild = memory_new(1, sizeof(*rebuild));
	rebuild->magic = REBUILD_MAGIC;
	rebuild->plan = *plan;
	rebuild->events = events;
	rebuild->arg = arg;
	rebuild->transfer = transfer;
	rebuild->range.layout = layout;
	rebuild->targets = memory_new(plan->target_count, sizeof(*rebuild->targets));
	rebuild->pieces = memory_new(plan->target_count, sizeof(*rebuild->pieces));
	rebuild->deadline = clock_monotonic() + (uint64_t)REBUILD_SECONDS * 1000000000;
	rebuild->tick = event_new(loop_base(uplink->loop), -1, EV_PERSIST, on_tick, rebuild);
	rebuild->conclude = evtimer_new(loop_base(uplink->loop), on_conclude, rebuild);
	event_add(rebuild->tick, &interval);
	start_sources(rebuild);
	start_targets(rebuild);
	*ret = rebuild;
	return ERR_OK;
}

void rebuild_cancel(struct rebuild *rebuild)
{
	assert(rebuild->magic == REBUILD_MAGIC);
	rebuild_free(rebuild);
}
