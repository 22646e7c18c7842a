/* Permits for repair. */
#include "satellite/repair_permits.h"

#include <stdlib.h>

#include "audit/select.h"
#include "common/clock.h"
#include "common/random.h"
#include "payments/serial.h"
#include "satellite/roster.h"

/* Fill in what number, root and endpoint do not say, and sign. */
static void sign(const struct desk *desk, const struct segment_health *health, enum action action,
		 const struct address *node, const struct bytes32 *piece, struct permit *permit)
{
	struct allocation *allocation = &permit->allocation;
	struct signature signature;
	uint8_t random[28];
	struct writer w;

	*allocation = (struct allocation){
		.satellite = *key_address(desk->key),
		.client = *key_address(desk->key),
		.node = *node,
		.piece = *piece,
		.action = action,
		.limit = health->piece_size,
		.issued = clock_wall(),
		.pieceExpires = health->expires,
	};
	allocation->expires = allocation->issued + desk->settings->allocation_lifetime;
	random_bytes(random, sizeof(random));
	serial_make(allocation->expires, random, &allocation->serial);
	typed_hash(&typed_allocation, allocation, &permit->hash);
	typed_sign(&typed_allocation, allocation, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, permit->wire, sizeof(permit->wire));
	typed_encode(&typed_allocation, allocation, &signature, &w);
	permit->wire_len = w.len;
}

void repair_permits_read(const struct desk *desk, const struct segment_health *health, const struct repair_plan *plan,
			 struct permit *ret)
{
	for (uint32_t i = 0; i < plan->source_count; i++) {
		const struct judged_piece *piece = &health->pieces[plan->sources[i]];

		ret[i] = (struct permit){.number = piece->number, .root = piece->root, .endpoint = piece->endpoint};
		sign(desk, health, ACTION_GET_REPAIR, &piece->node, &piece->piece, &ret[i]);
	}
}

/* Whoever has or had a piece of it gets no other, and where networks count, nor do their neighbours. */
static uint32_t choose(struct desk *desk, const struct segment_health *health, uint32_t want, uint32_t *ret)
{
	const struct select_rules rules = {
		.want = want,
		.room = health->piece_size + desk->settings->node_reserve,
		.distinct_networks = !desk->settings->test_network,
		.cheaper = desk->settings->prefer_cheaper,
		.better = desk->settings->prefer_better,
		.new_nodes = desk->settings->new_nodes,
	};
	struct select_set *set = roster_set(desk->roster);
	struct random_stream random;
	uint8_t seed[32];

	random_bytes(seed, sizeof(seed));
	random_stream_init(&random, bytes_of(seed, sizeof(seed)));
	select_begin(set);
	for (uint32_t i = 0; i < health->count; i++) {
		select_exclude(set, &health->pieces[i].node);
		if (rules.distinct_networks && piece_is_kept(health->pieces[i].state))
			select_hold_network(set, health->pieces[i].network);
	}
	return select_nodes(set, &rules, &random, ret);
}

static enum err make_target(struct desk *desk, const struct segment_health *health, uint16_t number, uint32_t chosen,
			    struct permit *ret)
{
	const struct judged_piece *replaced = repair_plan_piece(health, number);
	const struct candidate *candidates;
	struct bytes32 piece;
	uint32_t count;

	candidates = roster_candidates(desk->roster, &count);
	*ret = (struct permit){.number = number};
	if (replaced != NULL)
		ret->root = replaced->root;
	if (endpoint_parse(roster_endpoint(desk->roster, chosen), &ret->endpoint) != ERR_OK)
		return ERR_CORRUPT;
	random_bytes(piece.b, sizeof(piece.b));
	sign(desk, health, ACTION_PUT_REPAIR, &candidates[chosen].node, &piece, ret);
	return ERR_OK;
}

enum err repair_permits_store(struct desk *desk, const struct segment_health *health, const struct repair_plan *plan,
			      struct permit *ret, uint32_t *ret_count)
{
	uint32_t chosen[REDUNDANCY_TOTAL], count = 0;
	enum err err = ERR_OK;

	/* A second look, at fresh rows, before making do with fewer. */
	for (int look = 0; look < 2 && err == ERR_OK && count < plan->count; look++) {
		err = roster_refresh(desk, look > 0);
		if (err == ERR_OK)
			count = choose(desk, health, plan->count, chosen);
	}
	for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
		err = make_target(desk, health, plan->numbers[i], chosen[i], &ret[i]);
		roster_take_room(desk->roster, chosen[i], health->piece_size);
	}
	*ret_count = count;
	return err;
}
