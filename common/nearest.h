/* What somebody probably meant: the known word with the fewest edits from a mistyped one. */
#ifndef GRANARY_COMMON_NEAREST_H
#define GRANARY_COMMON_NEAREST_H

#include <stddef.h>

/* The longest word compared; longer ones are nobody's neighbour. */
#define NEAREST_MAX 64

/* Collects candidates one at a time. */
struct nearest {
	const char *typed;
	const char *best; /* NULL while nothing is near enough */
	size_t distance;
};

/* Start looking for what is near `typed`: at most a third of its letters changed, and at least one edit allowed. */
void nearest_init(struct nearest *n, const char *typed);
/* Consider a candidate, which must outlive `n`. The first of several equally near ones wins. */
void nearest_offer(struct nearest *n, const char *candidate);

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b, at most NEAREST_MAX letters
 * each; SIZE_MAX when one is longer. */
size_t nearest_distance(const char *a, const char *b);

#endif
