/* Drawing without replacement: a Fisher–Yates shuffle that stops as soon as enough were found, and that the next choice
 * goes on with: a draw from any order of the rest is uniform. In a draw of two nodes the loser stays with those that
 * can still be drawn. */
#include "audit/select.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define NOBODY UINT32_MAX

/* Candidates, by index: `next` of them were drawn in this choice. */
struct pool {
	uint32_t *order;
	uint32_t count, next;
};

struct select_set {
	const struct candidate *candidates;
	uint32_t count;
	struct pool vetted, fresh;
	uint32_t *networks; /* number of each candidate's network */
	const char **names; /* of networks, sorted: the number is the place */
	uint32_t network_count;
	uint32_t *by_address; /* indices, sorted when first needed */
	uint32_t choice;      /* number of this choice */
	uint32_t *avoided;    /* per candidate and per network: … */
	uint32_t *crowded;    /* the last choice that must avoid it */
};

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

void select_sort(struct address *list, size_t count)
{
	if (count > 1)
		qsort(list, count, sizeof(*list), compare_addresses);
}

bool select_listed(const struct address *address, const struct address *list, size_t count)
{
	return count > 0 && bsearch(address, list, count, sizeof(*list), compare_addresses) != NULL;
}

uint16_t select_quality(const struct select_record *record, uint32_t typical_ms)
{
	double succeeded = (double)record->succeeded + 10, speed = 1;
	double share = succeeded / (succeeded + (double)record->failed);

	if (record->ms > 0 && typical_ms > 0)
		speed = (double)typical_ms / record->ms;
	if (speed > 2)
		speed = 2;
	else if (speed < 0.5)
		speed = 0.5;
	return (uint16_t)(SELECT_QUALITY_USUAL * share * share * speed);
}

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct candidate *candidates = arg;

	return strcmp(candidates[*(const uint32_t *)a].network, candidates[*(const uint32_t *)b].network);
}

static int compare_indices(const void *a, const void *b, void *arg)
{
	const struct candidate *candidates = arg;

	return compare_addresses(&candidates[*(const uint32_t *)a].node, &candidates[*(const uint32_t *)b].node);
}

static uint32_t *sorted_indices(const struct select_set *set, int (*compare)(const void *, const void *, void *))
{
	uint32_t *indices = memory_new(set->count, sizeof(*indices));

	for (uint32_t i = 0; i < set->count; i++)
		indices[i] = i;
	qsort_r(indices, set->count, sizeof(*indices), compare, (void *)set->candidates);
	return indices;
}

/* Numbers instead of names. */
static void number_networks(struct select_set *set)
{
	uint32_t *indices = sorted_indices(set, compare_names);

	for (uint32_t i = 0; i < set->count; i++) {
		const char *name = set->candidates[indices[i]].network;

		if (set->network_count == 0 || strcmp(set->names[set->network_count - 1], name) != 0)
			set->names[set->network_count++] = name;
		set->networks[indices[i]] = set->network_count - 1;
	}
	free(indices);
}

struct select_set *select_set_new(const struct candidate *candidates, uint32_t count)
{
	struct select_set *set = memory_new(1, sizeof(*set));

	set->candidates = candidates;
	set->count = count;
	set->vetted.order = memory_new(count, sizeof(uint32_t));
	set->fresh.order = memory_new(count, sizeof(uint32_t));
	set->networks = memory_new(count, sizeof(uint32_t));
	set->names = memory_new(count, sizeof(*set->names));
	set->avoided = memory_new(count, sizeof(uint32_t));
	set->crowded = memory_new(count, sizeof(uint32_t));
	number_networks(set);
	select_renew(set);
	select_begin(set);
	return set;
}

void select_set_free(struct select_set *set)
{
	if (set == NULL)
		return;
	free(set->vetted.order);
	free(set->fresh.order);
	free(set->networks);
	free(set->names);
	free(set->by_address);
	free(set->avoided);
	free(set->crowded);
	free(set);
}

void select_renew(struct select_set *set)
{
	set->vetted.count = set->fresh.count = 0;
	for (uint32_t i = 0; i < set->count; i++) {
		struct pool *pool = set->candidates[i].vetted ? &set->vetted : &set->fresh;

		pool->order[pool->count++] = i;
	}
}

void select_begin(struct select_set *set)
{
	set->vetted.next = set->fresh.next = 0;
	set->choice++;
	if (set->choice != 0)
		return;
	/* after four thousand million choices, old stamps would mean something again */
	memset(set->avoided, 0, set->count * sizeof(*set->avoided));
	memset(set->crowded, 0, set->count * sizeof(*set->crowded));
	set->choice = 1;
}

static uint32_t find_node(struct select_set *set, const struct address *node)
{
	uint32_t low = 0, high = set->count;

	if (set->by_address == NULL)
		set->by_address = sorted_indices(set, compare_indices);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2, index = set->by_address[middle];
		int order = compare_addresses(node, &set->candidates[index].node);

		if (order == 0)
			return index;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NOBODY;
}

void select_exclude(struct select_set *set, const struct address *node)
{
	uint32_t index = find_node(set, node);

	if (index != NOBODY)
		set->avoided[index] = set->choice;
}

void select_hold(struct select_set *set, uint32_t index)
{
	set->avoided[index] = set->choice;
	set->crowded[set->networks[index]] = set->choice;
}

static int compare_name(const void *name, const void *member)
{
	return strcmp(name, *(const char *const *)member);
}

void select_hold_network(struct select_set *set, const char *network)
{
	const char **found = bsearch(network, set->names, set->network_count, sizeof(*set->names), compare_name);

	if (found != NULL)
		set->crowded[found - set->names] = set->choice;
}

static bool fits(const struct select_set *set, uint32_t index, const struct select_rules *rules)
{
	return set->avoided[index] != set->choice && set->candidates[index].available >= rules->room &&
	       !(rules->distinct_networks && set->crowded[set->networks[index]] == set->choice);
}

/* Which of two places in the order wins a draw that `lot`, below 100, says the kind of. */
static bool second_wins(const struct candidate *first, const struct candidate *second, const struct select_rules *rules,
			uint64_t lot, struct random_stream *random)
{
	uint64_t sum = (uint64_t)first->quality + second->quality;

	if (lot < rules->cheaper)
		return amount_units(second->price) < amount_units(first->price);
	return sum > 0 && random_stream_below(random, sum) < second->quality;
}

/* Where in the pool's order the next node is. */
static uint32_t draw_place(const struct select_set *set, const struct pool *pool, const struct select_rules *rules,
			   struct random_stream *random)
{
	uint32_t left = pool->count - pool->next;
	uint32_t first = pool->next + (uint32_t)random_stream_below(random, left), second;
	uint64_t lot;

	if (rules->cheaper + rules->better == 0)
		return first;
	lot = random_stream_below(random, 100);
	if (lot >= rules->cheaper + rules->better)
		return first;
	second = pool->next + (uint32_t)random_stream_below(random, left);
	if (!fits(set, pool->order[second], rules))
		return first;
	return second_wins(&set->candidates[pool->order[first]], &set->candidates[pool->order[second]], rules, lot,
			   random)
		       ? second
		       : first;
}

static uint32_t draw(struct select_set *set, struct pool *pool, const struct select_rules *rules,
		     struct random_stream *random)
{
	while (pool->next < pool->count) {
		uint32_t place = draw_place(set, pool, rules, random), index = pool->order[place];

		pool->order[place] = pool->order[pool->next];
		pool->order[pool->next++] = index;
		if (fits(set, index, rules))
			return index;
	}
	return NOBODY;
}

uint32_t select_nodes(struct select_set *set, const struct select_rules *rules, struct random_stream *random,
		      uint32_t *ret)
{
	uint64_t fresh = (uint64_t)rules->want * rules->new_nodes;
	uint32_t found = 0;

	if (rules->new_nodes > 0)
		fresh = (fresh + random_stream_below(random, 100)) / 100;
	while (found < rules->want) {
		bool wants_fresh = fresh > 0 && random_stream_below(random, rules->want - found) < fresh;
		uint32_t index = draw(set, wants_fresh ? &set->fresh : &set->vetted, rules, random);

		fresh -= wants_fresh;
		if (index == NOBODY)
			index = draw(set, wants_fresh ? &set->vetted : &set->fresh, rules, random);
		if (index == NOBODY)
			break;
		select_hold(set, index);
		ret[found++] = index;
	}
	return found;
}
