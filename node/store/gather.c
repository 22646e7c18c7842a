/* Sort by place, then write run after run. */
#include "node/store/gather.h"

#include <stdlib.h>

#include "common/memory.h"

#define PARTS 256 /* of one call; the kernel takes 1,024 */

static int compare_places(const void *left, const void *right)
{
	const struct commit *a = *(struct commit *const *)left, *b = *(struct commit *const *)right;

	if (a->segment != b->segment)
		return a->segment->id < b->segment->id ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* The commits that have something to write, in order of place. */
static size_t sort_out(struct gather *gather, struct commit *first)
{
	size_t count = 0;

	for (struct commit *commit = first; commit != NULL; commit = commit->next) {
		if (commit->err != ERR_OK || commit->record.len == 0)
			continue;
		gather->list = memory_grow(gather->list, &gather->room, count + 1, sizeof(struct commit *));
		gather->list[count++] = commit;
	}
	if (count > 1)
		qsort(gather->list, count, sizeof(struct commit *), compare_places);
	return count;
}

/* How many of them, from the first on, stand side by side, and what they are. */
static int run_of(struct commit *const *list, size_t count, struct iovec parts[PARTS])
{
	const struct commit *first = list[0];
	size_t n = 0, end = first->offset;

	while (n < count && n < PARTS && list[n]->segment == first->segment && list[n]->offset == end) {
		parts[n] = (struct iovec){(void *)(uintptr_t)list[n]->record.data, list[n]->record.len};
		end += list[n]->record.len;
		n++;
	}
	return (int)n;
}

enum err gather_write(struct gather *gather, const struct seam *seam, struct health *health, struct commit *first)
{
	size_t count = sort_out(gather, first);
	struct iovec parts[PARTS];

	for (size_t i = 0; i < count;) {
		const struct commit *at = gather->list[i];
		int n = run_of(&gather->list[i], count - i, parts);
		enum err err = seam_write_parts(seam, at->segment->fd, parts, n, at->offset);

		if (err != ERR_OK) {
			health_fail(health, "writing", at->segment->id, err);
			return ERR_READ_ONLY;
		}
		i += (size_t)n;
	}
	return ERR_OK;
}

void gather_free(struct gather *gather)
{
	free(gather->list);
}
