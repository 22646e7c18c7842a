/*
 * A random week in fast motion: uploads by the hour, 27 of 100 cancelled half-way, pieces that expire, pieces that are
 * deleted, and upkeep in between. At no time is more than a quarter of the files dead, and every byte is accounted for.
 *
 * GRANARY_SOAK=1 lives through a dozen of them, each from another seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/hands.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define KEYS 8192
#define HELD 4		    /* uploads under way at a time that will be cancelled */
#define FULL (24ull << 20) /* bytes of live pieces above which the oldest wishes are deleted */
#define HOUR 3600
#define DAY 86400

struct piece {
	size_t len; /* of what is there; 0: nothing is */
	uint64_t expires;
};

struct week {
	struct fault *fault;
	struct store *store;
	struct random_stream dice;
	struct piece pieces[KEYS];
	uint32_t next;
	uint64_t live;
	uint64_t put;	 /* bytes, in all */
	uint64_t copied; /* … by compaction */
	struct store_upload *held[HELD];
	unsigned worst; /* percent dead at the end of an hour */
};

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
	assert_int_equal(pieces_hold(w->store, key, len / 2 + 1, len + 1, held), ERR_OK);
}

static void upload(struct week *w)
{
	uint32_t key = w->next++;
	size_t len = draw_size(w);
	uint64_t expires = draw(w, 10) < 4 ? clock_wall() + HOUR + draw(w, 3ull * DAY) : 0;

	assert_true(key < KEYS);
	if (draw(w, 100) < 27) {
		cancel(w, key, len);
		return;
	}
	assert_int_equal(pieces_put_until(w->store, key, 1, len, expires), ERR_OK);
	w->pieces[key] = (struct piece){len, expires};
	w->live += len;
	w->put += len;
}

static bool is_there(const struct piece *piece)
{
	return piece->len != 0 && (piece->expires == 0 || clock_wall() < piece->expires);
}

static void forget_expired(struct week *w)
{
	for (uint32_t key = 0; key < w->next; key++) {
		if (w->pieces[key].len == 0 || is_there(&w->pieces[key]))
			continue;
		w->live -= w->pieces[key].len;
		w->pieces[key].len = 0;
	}
}

static void delete_one(struct week *w)
{
	uint32_t key = (uint32_t)draw(w, w->next);

	/* One that is about to expire may do so meanwhile. */
	if (!is_there(&w->pieces[key]) || (w->pieces[key].expires != 0 && w->pieces[key].expires < clock_wall() + 60))
		return;
	assert_int_equal(pieces_delete(w->store, key), ERR_OK);
	w->live -= w->pieces[key].len;
	w->pieces[key].len = 0;
}

static unsigned dead_share(struct week *w)
{
	struct store_space space;
	uint64_t files;

	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	assert_false(space.read_only);
	files = space.live + space.trash + space.dead + space.overhead + space.reserved + space.free;
	assert_true(files <= ALLOCATION);
	return (unsigned)(space.dead * 100 / files);
}

static void pass_hour(struct week *w)
{
	unsigned share;

	for (int i = 0; i < 24; i++)
		upload(w);
	for (int i = 0; i < 8 || w->live > FULL; i++)
		delete_one(w);
	for (int i = 0; i < 200 && store_upkeep_step(w->store, NULL); i++)
		;
	share = dead_share(w);
	if (share > w->worst)
		w->worst = share;
}

static void expect_all_counted(struct week *w)
{
	struct store_space space;
	struct store_scan scan;

	committer_flush(w->store->committer);
	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	assert_int_equal(store_scan(w->store, &scan), ERR_OK);
	assert_int_equal(scan.live, space.live);
	assert_int_equal(scan.pieces, space.pieces);
	assert_int_equal(scan.dead, space.dead);
	assert_int_equal(scan.overhead, space.overhead);
	assert_int_equal(scan.unused, space.free + space.reserved);
	assert_int_equal(scan.bytes + scan.rounding, scan.blocks);
	/* Expired pieces count as live until they are reaped. */
	assert_true(space.live >= w->live);
}

static void expect_pieces(struct week *w)
{
	for (uint32_t key = 0; key < w->next; key++) {
		const struct piece *piece = &w->pieces[key];

		if (piece->expires != 0 && piece->len != 0 && piece->expires < clock_wall() + 60)
			continue;
		assert_int_equal(pieces_check(w->store, key, 1, piece->len),
				 piece->len == 0 ? ERR_NOT_FOUND : ERR_OK);
	}
}

static void open_store(struct week *w)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	char why[STORE_MESSAGE];

	assert_int_equal(store_open("/", &options, fault_seam(w->fault), &w->store, why), ERR_OK);
}

static void close_store(struct week *w)
{
	struct store_space space;

	store_space(w->store, &space);
	w->copied += space.copied;
	for (int i = 0; i < HELD; i++) {
		store_put_abort(w->held[i]);
		w->held[i] = NULL;
	}
	store_close(w->store);
}

static void live_through(uint32_t seed)
{
	struct week *w = memory_new(1, sizeof(*w));
	char why[STORE_MESSAGE];

	hands_set_ahead(0);
	random_stream_init(&w->dice, bytes_of(&seed, sizeof(seed)));
	w->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w->fault), why), ERR_OK);
	open_store(w);
	for (int hour = 1; hour <= 7 * 24; hour++) {
		hands_set_ahead((int64_t)hour * HOUR);
		forget_expired(w);
		pass_hour(w);
		if (hour % 24 != 0)
			continue;
		expect_all_counted(w);
		if (hour % 48 == 0) {
			close_store(w);
			open_store(w);
		}
	}
	expect_pieces(w);
	close_store(w);
	print_message("# seed %u: %llu MB put, %llu MB copied, %llu MB live, at worst %u %% of the files dead\n", seed,
		      (unsigned long long)w->put / 1000000, (unsigned long long)w->copied / 1000000,
		      (unsigned long long)w->live / 1000000, w->worst);
	assert_true(w->worst <= 25);
	/* Not bought with endless copying. */
	assert_true(w->copied < 2 * w->put);
	fault_free(w->fault);
	free(w);
}

static void test_random_week(void **state)
{
	uint32_t seeds = getenv("GRANARY_SOAK") != NULL ? 12 : 1;

	(void)state;
	for (uint32_t seed = 1; seed <= seeds; seed++)
		live_through(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_week)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
