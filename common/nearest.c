/* Damerau's edit distance (optimal string alignment), in three rows of the table. */
#include "common/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t rows_count = strlen(a), columns = strlen(b);

	if (rows_count > NEAREST_MAX || columns > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= columns; j++)
		last[j] = j;
	for (size_t i = 1; i <= rows_count; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[columns];
}

void nearest_init(struct nearest *n, const char *typed)
{
	size_t allowed = strlen(typed) / 3;

	*n = (struct nearest){typed, NULL, allowed < 1 ? 2 : allowed + 1};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t distance = nearest_distance(n->typed, candidate);

	if (distance < n->distance) {
		n->best = candidate;
		n->distance = distance;
	}
}
