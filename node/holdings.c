/* Two sorted lists, walked side by side; our own records are read only where they differ or are new. */
#include "node/holdings.h"

#include <assert.h>
#include <stdlib.h>

#include "common/memory.h"

bool holdings_agree(const struct holdings *holdings)
{
	uint64_t held = holdings->alike.bytes + holdings->ended.bytes + holdings->unlisted.bytes;

	if (holdings->whole && holdings->unlisted.bytes > held / HOLDINGS_SPARE)
		return false;
	return holdings->other_size == 0 && holdings->other_time == 0;
}

static int compare(const void *a, const void *b)
{
	const struct holding *one = a, *other = b;
	int order = bytes32_compare(&one->piece, &other->piece);

	return order != 0 ? order : (one->order > other->order) - (one->order < other->order);
}

static void sort(struct holding_list *list)
{
	if (list->count > 0)
		qsort(list->list, list->count, sizeof(*list->list), compare);
}

static void add(struct holding_list *list, const struct holding *holding)
{
	list->list = memory_grow(list->list, &list->room, list->count + 1, sizeof(*list->list));
	list->list[list->count++] = *holding;
}

static void count(struct holdings_sum *sum, uint64_t size)
{
	sum->pieces++;
	sum->bytes += size;
}

/* Both sides know the piece. */
static void judge_both(const struct holding *listed, const struct holding *held, holdings_stored *stored, void *arg,
		       struct holdings *ret)
{
	uint64_t at;

	if (listed->ended) {
		count(&ret->ended, held->size);
		return;
	}
	count(&ret->alike, held->size);
	ret->other_size += listed->size != held->size;
	if (listed->from < (uint64_t)ret->day * USAGE_DAY)
		return;
	at = stored(arg, &held->piece);
	ret->other_time += at != 0 && at != listed->from;
}

/* Stored before the last signed day, and never counted. */
static void judge_unlisted(const struct holding *held, holdings_stored *stored, void *arg, struct holdings *ret)
{
	uint64_t at = stored(arg, &held->piece);

	if (at != 0 && at < (uint64_t)ret->day * USAGE_DAY)
		count(&ret->unlisted, held->size);
}

void holdings_judge(struct holding_list *listed, struct holding_list *held, holdings_stored *stored, void *arg,
		    struct holdings *ret)
{
	size_t i = 0, k = 0;

	sort(listed);
	sort(held);
	while (i < listed->count || k < held->count) {
		const struct holding *theirs = i < listed->count ? &listed->list[i] : NULL;
		const struct holding *ours = k < held->count ? &held->list[k] : NULL;
		int order;

		assert(theirs != NULL || ours != NULL);
		order = theirs == NULL ? 1 : ours == NULL ? -1 : bytes32_compare(&theirs->piece, &ours->piece);

		/* Only the last row about a piece counts. */
		if (i + 1 < listed->count && bytes32_equal(&theirs->piece, &theirs[1].piece)) {
			i++;
			continue;
		}
		if (order == 0)
			judge_both(theirs, ours, stored, arg, ret);
		else if (order > 0)
			judge_unlisted(ours, stored, arg, ret);
		else if (!theirs->ended)
			count(&ret->absent, theirs->size);
		i += order <= 0;
		k += order >= 0;
	}
}

/* The rows of all usages. */
struct reading {
	struct holding_list listed;
	uint32_t last; /* day */
	uint32_t days; /* read */
	bool whole;    /* nothing was carried into the first */
};

static enum err read_day(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct reading *reading = arg;
	struct usage_row row;
	struct reader r;

	if (reading->days++ == 0)
		reading->whole = paper->carried.bytes == 0;
	reading->last = usage->day;
	reader_init(&r, paper->rows);
	while (r.left > 0) {
		struct holding holding = {.order = (uint32_t)reading->listed.count};

		if (fields_decode(&usage_row_fields, &r, &row) != NULL)
			return ERR_CORRUPT;
		holding.piece = row.piece;
		holding.size = row.size;
		holding.from = row.from;
		holding.ended = row.change != USAGE_BEGAN;
		add(&reading->listed, &holding);
	}
	return ERR_OK;
}

struct walking {
	struct store *store;
	uint16_t satellite;
	struct holding_list held;
};

static bool walk_piece(void *arg, const struct store_key *key, uint64_t size)
{
	struct walking *walking = arg;
	const struct holding holding = {.piece = key->piece, .size = size};

	if (key->satellite == walking->satellite)
		add(&walking->held, &holding);
	return true;
}

static uint64_t stored_at(void *arg, const struct bytes32 *piece)
{
	const struct walking *walking = arg;
	const struct store_key key = {walking->satellite, *piece};
	struct store_reader *reader;
	uint64_t at;

	if (store_get(walking->store, &key, &reader) != ERR_OK)
		return 0;
	at = store_reader_piece(reader)->stored_at;
	store_reader_free(reader);
	return at;
}

enum err holdings_compare(struct papers *papers, struct store *store, const struct address *satellite,
			  struct holdings *ret)
{
	struct walking walking = {.store = store};
	struct reading reading = {.whole = false};
	struct holdings found = {0};
	enum err err = papers_days(papers, satellite, 0, UINT32_MAX, read_day, &reading);

	if (err == ERR_OK && reading.days == 0)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = store_satellite(store, satellite, &walking.satellite);
	if (err == ERR_OK)
		err = store_each(store, walk_piece, &walking);
	if (err == ERR_OK) {
		found.day = reading.last;
		found.whole = reading.whole;
		holdings_judge(&reading.listed, &walking.held, stored_at, &walking, &found);
		*ret = found;
	}
	free(reading.listed.list);
	free(walking.held.list);
	return err;
}
