/* A list, newest first; nothing leaves it before the end. */
#include "uplink/fetches.h"

#include <assert.h>
#include <stdlib.h>

#include "audit/tree.h"
#include "common/clock.h"
#include "common/memory.h"
#include "uplink/piece_get.h"
#include "uplink/report.h"

#define FETCHES_MAGIC 0x46455443u
#define EARLY_BLOCKS 3 /* that a fetch may order while more run than are needed */
#define SLOW_BLOCKS 4  /* so far behind the middle one a fetch may be slow */

enum fetch_state {
	FETCH_RUNNING,
	FETCH_DONE,    /* all is here */
	FETCH_DROPPED, /* not needed any more */
	FETCH_FAILED,
};

struct fetch {
	struct fetches *fetches;
	struct permit permit;
	struct piece_get *get; /* while it runs */
	enum fetch_state state;
	uint32_t start; /* the first stripe it was asked for */
	uint32_t got;	/* blocks */
	uint64_t begun; /* monotonic nanoseconds */
	uint64_t moved; /* monotonic nanoseconds: when the last came */
	bool slow;	/* to be dropped as soon as there is another one */
	struct fetch *next;
};

struct fetches {
	uint32_t magic;
	struct transfer *transfer;
	struct gather *gather;
	uint32_t window;
	const struct fetches_events *events;
	void *arg;
	bool trimmed;
	struct report *report;
	struct fetch *first;
};

struct fetches *fetches_new(struct transfer *transfer, struct gather *gather, uint32_t window,
			    const struct fetches_events *events, void *arg)
{
	struct fetches *fetches = memory_new(1, sizeof(*fetches));

	fetches->magic = FETCHES_MAGIC;
	fetches->transfer = transfer;
	fetches->gather = gather;
	fetches->window = window;
	fetches->events = events;
	fetches->arg = arg;
	fetches->report = report_new(transfer->uplink);
	return fetches;
}

/* For the satellite: bytes are payload, of whole blocks but for the last. */
static void report(struct fetch *fetch, enum transfer_outcome outcome)
{
	uint64_t bytes = (uint64_t)fetch->got * TREE_BLOCK, limit = fetch->permit.allocation.limit;

	report_add(fetch->fetches->report, &fetch->permit, outcome, bytes < limit ? bytes : limit, fetch->begun);
}

static void stop(struct fetch *fetch, enum fetch_state state)
{
	if (fetch->get != NULL)
		piece_get_cancel(fetch->get);
	fetch->get = NULL;
	fetch->state = state;
}

void fetches_free(struct fetches *fetches)
{
	if (fetches == NULL)
		return;
	assert(fetches->magic == FETCHES_MAGIC);
	while (fetches->first != NULL) {
		struct fetch *fetch = fetches->first;

		fetches->first = fetch->next;
		stop(fetch, FETCH_DROPPED);
		free(fetch);
	}
	report_send(fetches->report);
	report_free(fetches->report);
	fetches->magic = 0;
	free(fetches);
}

/* How many blocks a fetch may order. The slack of an order may have brought the gather past its window. */
static uint32_t window_of(const struct fetches *fetches, const struct fetch *fetch)
{
	uint32_t end = gather_head(fetches->gather) + (fetches->trimmed ? fetches->window : EARLY_BLOCKS);

	return end > fetch->start ? end - fetch->start : 0;
}

static void on_block(void *arg, uint32_t block, uint8_t *data, size_t len)
{
	struct fetch *fetch = arg;
	struct fetches *fetches = fetch->fetches;

	(void)len; /* piece_get saw to it that it is the block's */
	assert(fetches->magic == FETCHES_MAGIC);
	fetch->got++;
	fetch->moved = clock_monotonic();
	gather_add(fetches->gather, block, fetch->permit.number, data);
	fetches->events->block(fetches->arg);
}

static void on_done(void *arg, enum err err, const char *why)
{
	struct fetch *fetch = arg;
	struct fetches *fetches = fetch->fetches;

	assert(fetches->magic == FETCHES_MAGIC);
	fetch->get = NULL;
	fetch->state = err == ERR_OK ? FETCH_DONE : FETCH_FAILED;
	report(fetch, err == ERR_OK ? TRANSFER_DONE : TRANSFER_FAILED);
	if (err != ERR_OK)
		fetches->events->failed(fetches->arg, &fetch->permit, err, why);
}

static const struct piece_sink fetch_sink = {.block = on_block, .done = on_done};

void fetches_start(struct fetches *fetches, const struct permit *permit, uint64_t piece_size)
{
	struct fetch *fetch = memory_new(1, sizeof(*fetch));
	struct piece_range range = {.piece_size = piece_size};

	fetch->fetches = fetches;
	fetch->permit = *permit;
	fetch->start = gather_incomplete(fetches->gather);
	fetch->begun = fetch->moved = clock_monotonic();
	fetch->next = fetches->first;
	fetches->first = fetch;
	range.first = fetch->start;
	range.count = gather_last(fetches->gather) - fetch->start + 1;
	fetch->get = piece_get_start(fetches->transfer->uplink, &fetch->permit, &range, window_of(fetches, fetch),
				     &fetch_sink, fetch);
}

void fetches_widen(struct fetches *fetches)
{
	for (struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state == FETCH_RUNNING)
			piece_get_set_window(fetch->get, window_of(fetches, fetch));
	}
}

/* Of those that run, the one that got least. */
static struct fetch *find_last(const struct fetches *fetches)
{
	struct fetch *last = NULL;

	for (struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state == FETCH_RUNNING && (last == NULL || fetch->got < last->got))
			last = fetch;
	}
	return last;
}

void fetches_trim(struct fetches *fetches, uint32_t most)
{
	fetches->trimmed = true;
	for (uint32_t running = fetches_count(fetches); running > most; running--) {
		struct fetch *last = find_last(fetches);

		assert(last != NULL);
		stop(last, FETCH_DROPPED);
	}
	fetches_widen(fetches);
}

bool fetches_are_trimmed(const struct fetches *fetches)
{
	return fetches->trimmed;
}

struct erasure_set fetches_running(const struct fetches *fetches)
{
	struct erasure_set set = {0};

	for (const struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state == FETCH_RUNNING && !fetch->slow)
			erasure_set_add(&set, fetch->permit.number);
	}
	return set;
}

uint32_t fetches_count(const struct fetches *fetches)
{
	uint32_t count = 0;

	for (const struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next)
		count += fetch->state == FETCH_RUNNING;
	return count;
}

/* The middle position of the fetches that run or are done. */
static uint32_t median_position(const struct fetches *fetches)
{
	uint32_t count[SEGMENT_STRIPES + 1] = {0}, all = 0, below = 0, at = 0;

	for (const struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state != FETCH_RUNNING && fetch->state != FETCH_DONE)
			continue;
		count[fetch->start + fetch->got]++;
		all++;
	}
	while (at < SEGMENT_STRIPES && below + count[at] <= all / 2)
		below += count[at++];
	return at;
}

/* It owes us blocks, and has sent nothing yet, is far behind the middle one, or is the last to be waited for. */
static bool is_behind(const struct fetches *fetches, const struct fetch *fetch, uint32_t median)
{
	uint32_t at = fetch->start + fetch->got;

	if (fetch->got >= window_of(fetches, fetch))
		return false;
	return fetch->got == 0 || at + SLOW_BLOCKS <= median || (at < median && median > gather_last(fetches->gather));
}

void fetches_find_slow(struct fetches *fetches, uint64_t patience_ms)
{
	uint64_t now = clock_monotonic();
	uint32_t median = median_position(fetches);

	for (struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state == FETCH_RUNNING && is_behind(fetches, fetch, median) &&
		    now - fetch->moved > patience_ms * 1000000)
			fetch->slow = true;
	}
}

void fetches_drop_slow(struct fetches *fetches)
{
	struct trace *trace = fetches->transfer->uplink->trace;

	for (struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next) {
		if (fetch->state != FETCH_RUNNING || !fetch->slow)
			continue;
		trace_event(trace, &fetch->permit.endpoint.id, TRACE_FAILURE, "get of piece %u: too slow, replaced",
			    fetch->permit.number);
		transfer_avoid(fetches->transfer, &fetch->permit.allocation.node);
		report(fetch, TRANSFER_SLOW);
		stop(fetch, FETCH_FAILED);
	}
}

void fetches_pardon_slow(struct fetches *fetches)
{
	for (struct fetch *fetch = fetches->first; fetch != NULL; fetch = fetch->next)
		fetch->slow = false;
}

uint32_t fetches_write_nodes(const struct fetches *fetches, uint32_t most, struct writer *w)
{
	struct item_node item;
	uint32_t count = 0;

	for (const struct fetch *fetch = fetches->first; fetch != NULL && count < most; fetch = fetch->next) {
		if (fetch->state != FETCH_RUNNING && fetch->state != FETCH_FAILED)
			continue;
		item.node = fetch->permit.allocation.node;
		fields_encode(&item_node_fields, &item, w);
		count++;
	}
	return count;
}
