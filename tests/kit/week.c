/* A model of what should be there, and dice. */
#include "tests/kit/week.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/hands.h"
#include "tests/kit/pieces.h"

#define HELD 4 /* uploads under way at a time that will be cancelled */
#define CANCELLED 27
#define EXPIRING 40 /* of 100 */
#define HOUR 3600
#define DAY 86400
#define HOURS (7 * 24)
#define SETTLED 48 /* hours until the mean counts */

#define MUST(what) \
	do { \
		if (!(what)) \
			die(#what, __LINE__); \
	} while (0)

struct piece {
	size_t len; /* of what is there; 0: nothing is */
	uint64_t expires;
};

struct week {
	const struct week_plan *plan;
	struct fault *fault;
	struct store *store;
	struct random_stream dice;
	struct piece *pieces;
	uint32_t next;
	uint64_t live;
	struct store_upload *held[HELD];
	struct week_result result;
};

static void die(const char *what, int line)
{
	fprintf(stderr, "week.c:%d: does not hold: %s\n", line, what);
	abort();
}

static uint64_t draw(struct week *w, uint64_t below)
{
	return random_stream_below(&w->dice, below);
}

/* Mostly small, some of a quarter of a megabyte. */
static size_t draw_size(struct week *w)
{
	return draw(w, 4) == 0 ? 100000 + draw(w, 160000) : 1 + draw(w, 40000);
}

static void cancel(struct week *w, uint32_t key, size_t len)
{
	struct store_upload **held = &w->held[draw(w, HELD)];

	store_put_abort(*held);
	*held = NULL;
	MUST(pieces_hold(w->store, key, len / 2 + 1, len + 1, held) == ERR_OK);
}

static void upload(struct week *w)
{
	uint32_t key = w->next++;
	size_t len = draw_size(w);
	uint64_t expires = draw(w, 100) < EXPIRING ? clock_wall() + HOUR + draw(w, 3ull * DAY) : 0;

	if (draw(w, 100) < CANCELLED) {
		cancel(w, key, len);
		return;
	}
	MUST(pieces_put_until(w->store, key, 1, len, expires) == ERR_OK);
	w->pieces[key] = (struct piece){len, expires};
	w->live += len;
	w->result.put += len;
}

/* Whatever expires within the next minute is nobody's business. */
static bool is_there(const struct piece *piece, uint64_t margin)
{
	return piece->len != 0 && (piece->expires == 0 || clock_wall() + margin < piece->expires);
}

static void forget_expired(struct week *w)
{
	for (uint32_t key = 0; key < w->next; key++) {
		if (w->pieces[key].len == 0 || is_there(&w->pieces[key], 0))
			continue;
		w->live -= w->pieces[key].len;
		w->pieces[key].len = 0;
	}
}

static void delete_one(struct week *w)
{
	uint32_t key = (uint32_t)draw(w, w->next);

	if (!is_there(&w->pieces[key], 60))
		return;
	MUST(pieces_delete(w->store, key) == ERR_OK);
	w->live -= w->pieces[key].len;
	w->pieces[key].len = 0;
}

static double dead_share(struct week *w)
{
	struct store_space space;
	uint64_t files;

	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	MUST(!space.read_only);
	files = space.live + space.trash + space.dead + space.overhead + space.reserved + space.free;
	MUST(files <= w->plan->allocation);
	return (double)space.dead / (double)files;
}

static void pass_hour(struct week *w, int hour)
{
	double share;

	for (unsigned i = 0; i < w->plan->uploads; i++)
		upload(w);
	for (unsigned i = 0; i < w->plan->uploads / 3 || w->live > w->plan->allocation / 8 * 3; i++)
		delete_one(w);
	for (int i = 0; i < 1000 && store_upkeep_step(w->store, NULL); i++)
		;
	share = dead_share(w);
	if (share > w->result.worst)
		w->result.worst = share;
	if (hour > SETTLED)
		w->result.mean += share / (HOURS - SETTLED);
}

static void check_counters(struct week *w)
{
	struct store_space space;
	struct store_scan scan;

	committer_flush(w->store->committer);
	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	MUST(store_scan(w->store, &scan) == ERR_OK);
	MUST(scan.live == space.live && scan.pieces == space.pieces);
	MUST(scan.dead == space.dead && scan.overhead == space.overhead);
	MUST(scan.unused == space.free + space.reserved);
	MUST(scan.bytes == scan.live + scan.trash + scan.dead + scan.overhead + scan.unused);
	MUST(scan.bytes + scan.rounding == scan.blocks);
	/* Expired pieces count as live until they are reaped. */
	MUST(space.live >= w->live);
}

static void check_pieces(struct week *w)
{
	for (uint32_t key = 0; key < w->next; key++) {
		const struct piece *piece = &w->pieces[key];

		if (is_there(piece, 60))
			MUST(pieces_check(w->store, key, 1, piece->len) == ERR_OK);
		else if (!is_there(piece, 0))
			MUST(pieces_check(w->store, key, 1, piece->len) == ERR_NOT_FOUND);
	}
}

static void open_store(struct week *w)
{
	const struct store_options options = {.allocation = w->plan->allocation, .no_upkeep = true};
	char why[STORE_MESSAGE];

	MUST(store_open("/", &options, fault_seam(w->fault), &w->store, why) == ERR_OK);
}

static void close_store(struct week *w)
{
	struct store_space space;

	for (int i = 0; i < HELD; i++) {
		store_put_abort(w->held[i]);
		w->held[i] = NULL;
	}
	store_space(w->store, &space);
	w->result.copied += space.copied;
	store_close(w->store);
}

void week_live(const struct week_plan *plan, struct week_result *ret)
{
	struct week w = {.plan = plan};
	char why[STORE_MESSAGE];

	hands_set_ahead(0);
	random_stream_init(&w.dice, bytes_of(&plan->seed, sizeof(plan->seed)));
	w.pieces = memory_new((size_t)plan->uploads * HOURS, sizeof(*w.pieces));
	w.fault = fault_new(plan->allocation * 2);
	MUST(store_init("/", plan->allocation, plan->segment_size, fault_seam(w.fault), why) == ERR_OK);
	open_store(&w);
	for (int hour = 1; hour <= HOURS; hour++) {
		hands_set_ahead((int64_t)hour * HOUR);
		forget_expired(&w);
		pass_hour(&w, hour);
		if (hour % 24 == 0)
			check_counters(&w);
		if (hour % 48 == 0) {
			close_store(&w);
			open_store(&w);
		}
	}
	check_pieces(&w);
	close_store(&w);
	w.result.live = w.live;
	fault_free(w.fault);
	free(w.pieces);
	*ret = w.result;
}
