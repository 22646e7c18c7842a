/* One stripe is in the pool at a time, for the decoding tables serve one thread; checking units goes on beside it. */
#include "uplink/gather.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/tree.h"
#include "common/memory.h"

struct gather_stripe {
	uint8_t **units; /* `total` pointers, NULL where there is none */
	struct erasure_set have;
	struct erasure_set wanted;
	bool complete;
};

struct gather {
	struct transfer *transfer;
	struct gather_range range;
	struct secret *key; /* NULL: units come out as they are */
	struct erasure *erasure;
	const struct gather_events *events; /* NULL once freed */
	void *arg;
	uint32_t first, last;
	uint32_t head;
	bool decoding;
	uint8_t *plain; /* of the stripe being decoded */
	enum err err;
	struct gather_stripe stripes[SEGMENT_STRIPES];
};

void gather_wanted(const struct gather_range *range, uint32_t stripe, struct erasure_set *ret)
{
	*ret = (struct erasure_set){0};
	for (uint32_t i = 0; i < range->layout.required; i++) {
		uint64_t start = segment_unit_start(&range->layout, stripe, i);
		uint64_t end = start + segment_unit_plain(&range->layout, stripe, i);

		if (start < range->to && end > range->from)
			erasure_set_add(ret, i);
	}
}

struct gather *gather_new(struct transfer *transfer, const struct gather_range *range, const struct secret *key,
			  const struct gather_events *events, void *arg)
{
	struct gather *gather = memory_new(1, sizeof(*gather));
	struct segment_place first, last;

	if (segment_find(&range->layout, range->from, &first) != ERR_OK ||
	    segment_find(&range->layout, range->to - 1, &last) != ERR_OK ||
	    erasure_new(transfer->policy.required, transfer->policy.total, &gather->erasure) != ERR_OK)
		abort(); /* the caller checked range and policy */
	gather->transfer = transfer_hold(transfer);
	gather->range = *range;
	gather->key = key == NULL ? NULL : secret_from(secret_bytes(key));
	gather->events = events;
	gather->arg = arg;
	gather->first = gather->head = first.stripe;
	gather->last = last.stripe;
	for (uint32_t i = first.stripe; i <= last.stripe; i++) {
		gather->stripes[i].units = memory_new(transfer->policy.total, sizeof(uint8_t *));
		gather->stripes[i].wanted = range->units;
		if (key != NULL)
			gather_wanted(range, i, &gather->stripes[i].wanted);
	}
	return gather;
}

uint8_t *gather_unit_at(uint8_t *buffer, uint32_t i)
{
	return buffer + (size_t)i * SEGMENT_UNIT;
}

struct bytes32 *gather_hash_at(uint8_t *buffer, uint32_t count, uint32_t i)
{
	return (struct bytes32 *)(buffer + (size_t)count * SEGMENT_UNIT) + i;
}

static void drop_units(struct gather *gather, uint32_t index)
{
	struct gather_stripe *stripe = &gather->stripes[index];

	if (stripe->units == NULL)
		return;
	for (uint32_t i = 0; i < gather->transfer->policy.total; i++)
		buffers_give(gather->transfer->uplink->blocks, stripe->units[i]);
	free(stripe->units);
	stripe->units = NULL;
}

static void free_when_idle(struct gather *gather)
{
	struct transfer *transfer = gather->transfer;

	if (gather->events != NULL || gather->decoding)
		return;
	for (uint32_t i = gather->first; i <= gather->last; i++)
		drop_units(gather, i);
	buffers_give(transfer->plain, gather->plain);
	secret_free(gather->key);
	erasure_free(gather->erasure);
	free(gather);
	transfer_release(transfer);
}

void gather_free(struct gather *gather)
{
	if (gather == NULL)
		return;
	gather->events = NULL;
	free_when_idle(gather);
}

uint32_t gather_last(const struct gather *gather)
{
	return gather->last;
}

uint32_t gather_head(const struct gather *gather)
{
	return gather->head;
}

uint32_t gather_incomplete(const struct gather *gather)
{
	uint32_t stripe = gather->head;

	while (stripe <= gather->last && gather->stripes[stripe].complete)
		stripe++;
	return stripe;
}

static bool is_subset(const struct erasure_set *part, const struct erasure_set *whole)
{
	for (int i = 0; i < 4; i++) {
		if ((part->bits[i] & ~whole->bits[i]) != 0)
			return false;
	}
	return true;
}

static enum err decrypt(struct gather *gather, const struct gather_stripe *stripe, size_t size)
{
	const struct segment_layout *layout = &gather->range.layout;
	size_t plain = size - SEGMENT_TAG;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < layout->required && err == ERR_OK; i++) {
		if (erasure_set_has(&stripe->wanted, i))
			err = crypto_open_unit(gather->key, segment_unit_number(layout, gather->head, i),
					       bytes_of(stripe->units[i], size), gather->plain + i * plain);
	}
	return err;
}

static void copy_units(struct gather *gather, const struct gather_stripe *stripe, size_t size)
{
	uint32_t count = erasure_set_count(&stripe->wanted), copied = 0;

	for (uint32_t i = 0; i < gather->transfer->policy.total; i++) {
		if (!erasure_set_has(&stripe->wanted, i))
			continue;
		memcpy(gather_unit_at(gather->plain, copied), stripe->units[i], size);
		tree_block_hash(stripe->units[i], size, gather_hash_at(gather->plain, count, copied));
		copied++;
	}
}

/* In the pool: rebuild, decrypt. The stripe's units are not touched by the loop meanwhile. */
static void decode(void *arg)
{
	struct gather *gather = arg;
	struct gather_stripe *stripe = &gather->stripes[gather->head];
	size_t size = segment_unit_size(&gather->range.layout, gather->head);

	gather->err = ERR_OK;
	if (!is_subset(&stripe->wanted, &stripe->have))
		gather->err = erasure_rebuild(gather->erasure, &stripe->have, &stripe->wanted, stripe->units, size);
	if (gather->err == ERR_OK && gather->key != NULL)
		gather->err = decrypt(gather, stripe, size);
	else if (gather->err == ERR_OK)
		copy_units(gather, stripe, size);
}

/* What of the stripe just decrypted belongs to the range. */
static struct gather_part take_part(struct gather *gather)
{
	uint64_t start = segment_stripe_start(&gather->range.layout, gather->head);
	uint64_t end = start + segment_stripe_plain(&gather->range.layout, gather->head);
	uint64_t from = gather->range.from > start ? gather->range.from : start;
	uint64_t to = gather->range.to < end ? gather->range.to : end;
	struct gather_part part = {gather->plain, from - start, to - from};

	if (gather->key == NULL)
		part = (struct gather_part){gather->plain, 0, segment_unit_size(&gather->range.layout, gather->head)};
	gather->plain = NULL;
	return part;
}

static void on_decoded(void *arg)
{
	struct gather *gather = arg;
	struct gather_part part;

	gather->decoding = false;
	if (gather->events == NULL) {
		free_when_idle(gather);
		return;
	}
	if (gather->err != ERR_OK) {
		gather->events->failed(gather->arg);
		return;
	}
	part = take_part(gather);
	drop_units(gather, gather->head);
	gather->head++;
	gather->events->part(gather->arg, &part);
	gather_retry(gather);
	gather->events->moved(gather->arg);
}

/* Without all of the wanted units it takes any `required`, and room for what will be rebuilt. */
static void make_room(struct gather *gather, struct gather_stripe *stripe)
{
	for (uint32_t i = 0; i < gather->transfer->policy.total; i++) {
		if (erasure_set_has(&stripe->wanted, i) && stripe->units[i] == NULL)
			stripe->units[i] = buffers_take(gather->transfer->uplink->blocks);
	}
}

void gather_retry(struct gather *gather)
{
	struct uplink *uplink = gather->transfer->uplink;

	if (gather->decoding || gather->head > gather->last || !gather->stripes[gather->head].complete)
		return;
	if (!gather->events->may_decode(gather->arg))
		return;
	gather->decoding = true;
	gather->plain = buffers_take(gather->transfer->plain);
	make_room(gather, &gather->stripes[gather->head]);
	pool_submit(uplink->pool, decode, uplink->loop, on_decoded, gather);
}

static bool would_complete(const struct gather *gather, const struct gather_stripe *stripe,
			   const struct erasure_set *have)
{
	return is_subset(&stripe->wanted, have) || erasure_set_count(have) >= gather->range.layout.required;
}

void gather_add(struct gather *gather, uint32_t stripe, uint32_t unit, uint8_t *data)
{
	struct gather_stripe *into = &gather->stripes[stripe];

	assert(stripe >= gather->first && stripe <= gather->last && unit < gather->transfer->policy.total);
	if (into->complete || erasure_set_has(&into->have, unit)) {
		buffers_give(gather->transfer->uplink->blocks, data);
		return;
	}
	into->units[unit] = data;
	erasure_set_add(&into->have, unit);
	into->complete = would_complete(gather, into, &into->have);
	gather_retry(gather);
}

bool gather_suffices(const struct gather *gather, const struct erasure_set *coming)
{
	for (uint32_t i = gather->head; i <= gather->last; i++) {
		const struct gather_stripe *stripe = &gather->stripes[i];
		struct erasure_set have = stripe->have;

		for (int b = 0; b < 4; b++)
			have.bits[b] |= coming->bits[b];
		if (!stripe->complete && !would_complete(gather, stripe, &have))
			return false;
	}
	return true;
}
