/* Drawing without replacement: a Fisher–Yates shuffle that stops as soon as enough were found. In a draw of two nodes
 * the dearer one stays with those that can still be drawn. */
#include "audit/select.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

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

static bool fits(const struct candidate *candidate, const struct select_rules *rules)
{
	return candidate->available >= rules->room &&
	       !select_listed(&candidate->node, rules->excluded, rules->excluded_count);
}

static bool shares_network(const struct candidate *candidates, const uint32_t *chosen, uint32_t count,
			   const char *network)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(candidates[chosen[i]].network, network) == 0)
			return true;
	return false;
}

/* Where in order[from, count) the next node is. */
static uint32_t draw(const struct candidate *candidates, const uint32_t *order, uint32_t from, uint32_t count,
		     const struct select_rules *rules, struct random_stream *random)
{
	uint32_t first = from + (uint32_t)random_stream_below(random, count - from), second;
	const struct candidate *rival;

	if (rules->cheaper == 0 || random_stream_below(random, 100) >= rules->cheaper)
		return first;
	second = from + (uint32_t)random_stream_below(random, count - from);
	rival = &candidates[order[second]];
	return amount_units(rival->price) < amount_units(candidates[order[first]].price) && fits(rival, rules) ? second
													       : first;
}

uint32_t select_nodes(const struct candidate *candidates, uint32_t count, const struct select_rules *rules,
		      struct random_stream *random, uint32_t *ret)
{
	uint32_t *order = memory_new(count, sizeof(*order));
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = 0; i < count && found < rules->want; i++) {
		uint32_t j = draw(candidates, order, i, count, rules, random);
		uint32_t drawn = order[j];

		order[j] = order[i];
		if (!fits(&candidates[drawn], rules))
			continue;
		if (rules->distinct_networks && shares_network(candidates, ret, found, candidates[drawn].network))
			continue;
		ret[found++] = drawn;
	}
	free(order);
	return found;
}
