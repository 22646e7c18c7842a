/*
 * Each stripe counts the running pieces that have yet to take it. It is dropped when the count reaches zero, and made
 * when a piece asks for it; asking for stripe s also asks for those after it, as far as there is memory, so that the
 * fastest piece rarely waits. That an upload soon uses all the memory that it may have, and no more, is meant: what
 * it needs must not depend on how long it runs.
 */
#include "uplink/stripes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/tree.h"
#include "common/memory.h"

enum stripe_state { STRIPE_PLAIN, STRIPE_WANTED, STRIPE_MAKING, STRIPE_READY };

struct stripe {
	uint8_t *plain;
	uint8_t *coded; /* units of SEGMENT_UNIT bytes each, then their hashes */
	enum stripe_state state;
	uint32_t waiting; /* running pieces that have yet to take it */
};

struct stripes {
	struct transfer *transfer;
	struct segment_layout layout;
	struct secret *key;
	const struct stripes_events *events; /* NULL once freed */
	void *arg;
	bool begun; /* pieces have begun */
	uint32_t held;
	uint32_t making;
	struct stripe stripe[SEGMENT_STRIPES];
};

struct making {
	struct stripes *stripes;
	uint32_t stripe;
	uint8_t *coded;
};

struct stripes *stripes_new(struct transfer *transfer, const struct stripes_plain *plain,
			    const struct stripes_events *events, void *arg)
{
	struct stripes *stripes = memory_new(1, sizeof(*stripes));

	stripes->transfer = transfer_hold(transfer);
	if (segment_plan(plain->size, transfer->policy.required, &stripes->layout) != ERR_OK)
		abort(); /* the caller filled no more than a segment */
	stripes->key = secret_generate();
	stripes->events = events;
	stripes->arg = arg;
	for (uint32_t i = 0; i < stripes->layout.stripes; i++)
		stripes->stripe[i].plain = plain->stripe[i];
	return stripes;
}

static void free_when_idle(struct stripes *stripes)
{
	struct transfer *transfer = stripes->transfer;

	if (stripes->events != NULL || stripes->making > 0)
		return;
	for (uint32_t i = 0; i < stripes->layout.stripes; i++) {
		buffers_give(transfer->plain, stripes->stripe[i].plain);
		buffers_give(transfer->coded, stripes->stripe[i].coded);
	}
	secret_free(stripes->key);
	free(stripes);
	transfer_release(transfer);
}

void stripes_free(struct stripes *stripes)
{
	if (stripes == NULL)
		return;
	stripes->events = NULL;
	free_when_idle(stripes);
}

const struct segment_layout *stripes_layout(const struct stripes *stripes)
{
	return &stripes->layout;
}

const struct secret *stripes_key(const struct stripes *stripes)
{
	return stripes->key;
}

static struct bytes32 *hashes_of(const struct stripes *stripes, uint8_t *coded)
{
	return (struct bytes32 *)(coded + (size_t)SEGMENT_UNIT * stripes->transfer->policy.total);
}

/* In the pool. Reads what the loop does not change meanwhile: plaintext, layout, key, code. */
static void make_stripe(void *arg)
{
	const struct making *making = arg;
	const struct stripes *stripes = making->stripes;
	const struct segment_layout *layout = &stripes->layout;
	const struct policy *policy = &stripes->transfer->policy;
	struct bytes32 *hashes = hashes_of(stripes, making->coded);
	const uint8_t *plain = stripes->stripe[making->stripe].plain;
	uint32_t unit_size = segment_unit_size(layout, making->stripe);
	uint8_t *units[ERASURE_TOTAL];

	for (uint32_t i = 0; i < policy->total; i++)
		units[i] = making->coded + (size_t)i * SEGMENT_UNIT;
	for (uint32_t i = 0; i < policy->required; i++) {
		uint32_t len = segment_unit_plain(layout, making->stripe, i);

		memcpy(units[i], plain, len);
		plain += len;
		crypto_seal_unit(stripes->key, segment_unit_number(layout, making->stripe, i), units[i], unit_size,
				 len);
	}
	if (erasure_encode(stripes->transfer->erasure, units, unit_size) != ERR_OK)
		abort(); /* a length that the layout made */
	for (uint32_t i = 0; i < policy->total; i++)
		tree_block_hash(units[i], unit_size, &hashes[i]);
}

static void drop_coded(struct stripes *stripes, struct stripe *stripe)
{
	buffers_give(stripes->transfer->coded, stripe->coded);
	stripe->coded = NULL;
	stripe->state = STRIPE_PLAIN;
	stripes->held--;
	stripes->events->dropped(stripes->arg);
}

static void on_made(void *arg)
{
	struct making *making = arg;
	struct stripes *stripes = making->stripes;
	struct stripe *stripe = &stripes->stripe[making->stripe];

	free(making);
	stripes->making--;
	stripe->state = STRIPE_READY;
	if (stripes->events == NULL)
		free_when_idle(stripes);
	else if (stripe->waiting == 0)
		drop_coded(stripes, stripe);
	else
		stripes->events->made(stripes->arg);
}

/* Begin to make it, if there is memory; otherwise it stays wanted, and false is returned. */
static bool want(struct stripes *stripes, uint32_t index)
{
	struct stripe *stripe = &stripes->stripe[index];
	struct making *making;

	if (stripe->state != STRIPE_PLAIN && stripe->state != STRIPE_WANTED)
		return true;
	stripe->state = STRIPE_WANTED;
	if (!stripes->events->may_encode(stripes->arg, index))
		return false;
	stripe->state = STRIPE_MAKING;
	stripe->coded = buffers_take(stripes->transfer->coded);
	stripes->held++;
	stripes->making++;
	making = memory_new(1, sizeof(*making));
	*making = (struct making){stripes, index, stripe->coded};
	pool_submit(stripes->transfer->uplink->pool, make_stripe, stripes->transfer->uplink->loop, on_made, making);
	return true;
}

void stripes_retry(struct stripes *stripes)
{
	for (uint32_t i = 0; i < stripes->layout.stripes; i++) {
		if (stripes->stripe[i].state == STRIPE_WANTED && !want(stripes, i))
			return;
	}
}

/* One piece fewer needs this stripe. */
static void leave(struct stripes *stripes, uint32_t index)
{
	struct stripe *stripe = &stripes->stripe[index];

	assert(stripe->waiting > 0);
	if (--stripe->waiting > 0)
		return;
	if (stripe->state == STRIPE_READY)
		drop_coded(stripes, stripe);
	else if (stripe->state == STRIPE_WANTED)
		stripe->state = STRIPE_PLAIN;
}

void stripes_piece_begins(struct stripes *stripes)
{
	stripes->begun = true;
	for (uint32_t i = 0; i < stripes->layout.stripes; i++)
		stripes->stripe[i].waiting++;
}

void stripes_piece_leaves(struct stripes *stripes, uint32_t at)
{
	for (uint32_t i = at; i < stripes->layout.stripes; i++)
		leave(stripes, i);
}

enum piece_next stripes_next(struct stripes *stripes, uint16_t number, uint32_t *at, uint32_t stripe,
			     struct piece_block *ret)
{
	struct stripe *wanted;

	while (*at < stripe)
		leave(stripes, (*at)++);
	if (stripe >= stripes->layout.stripes)
		return PIECE_END;
	for (uint32_t i = stripe; i < stripes->layout.stripes && want(stripes, i); i++)
		;
	wanted = &stripes->stripe[stripe];
	if (wanted->state != STRIPE_READY)
		return PIECE_WAIT;
	ret->data =
		bytes_of(wanted->coded + (size_t)number * SEGMENT_UNIT, segment_unit_size(&stripes->layout, stripe));
	ret->hash = &hashes_of(stripes, wanted->coded)[number];
	return PIECE_BLOCK;
}

uint32_t stripes_held(const struct stripes *stripes)
{
	return stripes->held;
}

uint32_t stripes_needed(const struct stripes *stripes)
{
	uint32_t needed = 0;

	if (!stripes->begun)
		return stripes->layout.stripes;
	for (uint32_t i = 0; i < stripes->layout.stripes; i++)
		needed += stripes->stripe[i].waiting > 0 || stripes->stripe[i].coded != NULL;
	return needed;
}

uint32_t stripes_lowest(const struct stripes *stripes)
{
	uint32_t lowest = 0;

	if (!stripes->begun)
		return 0;
	while (lowest < stripes->layout.stripes && stripes->stripe[lowest].waiting == 0)
		lowest++;
	return lowest;
}
