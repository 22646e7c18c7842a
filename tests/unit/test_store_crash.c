/*
 * The store under crashes: a small workload is cut off at every change to the disk, failed at every operation, and its
 * files are damaged; whatever was acknowledged must be there, byte for byte, and nothing that was not put.
 *
 * A model follows what was acknowledged. An operation that got no answer, or an error, may have happened or not. Every
 * image is opened twice: the second time must find the same. GRANARY_SOAK=1 takes many more images.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define KEYS 16
#define STATES 24
#define TRANSFERS 16

enum verb { PUT, ABORT, HOLD, DROP, DELETE, TRANSFER, FLUSH, RESTART };

struct step {
	enum verb verb;
	uint32_t key;
	uint32_t version;
	size_t len;
	uint64_t limit;
};

/* Small and large pieces, limits not used up, aborted uploads whose room is used again, also half of it by an upload
 * that has written nothing yet, segments that fill up, pieces deleted and put anew, clean stops in between. */
static const struct step workload[] = {
	{PUT, 0, 1, 1000, 0},
	{PUT, 1, 1, 0, 0},
	{ABORT, 9, 0, 150000, 200000},
	{HOLD, 13, 0, 3000, 3000},
	{PUT, 2, 1, 40000, 0},
	{TRANSFER, 0, 0, 1, 0},
	{PUT, 3, 1, 100000, 300000},
	{DROP, 13, 0, 0, 0},
	{DELETE, 0, 0, 0, 0},
	{PUT, 4, 1, 300000, 0},
	{FLUSH, 0, 0, 0, 0},
	{PUT, 0, 2, 70000, 0},
	{TRANSFER, 1, 0, 2, 0},
	{ABORT, 9, 0, 300000, 400000},
	{PUT, 5, 1, 380000, 0},
	{PUT, 6, 1, 65536, 0},
	{DELETE, 2, 0, 0, 0},
	{RESTART, 0, 0, 0, 0},
	{PUT, 7, 1, 500000, 0},
	{PUT, 8, 1, 4096, 100000},
	{DELETE, 4, 0, 0, 0},
	{TRANSFER, 2, 0, 3, 0},
	{HOLD, 13, 0, 100000, 200000},
	{PUT, 9, 1, 450000, 0},
	{ABORT, 10, 0, 60000, 60000},
	{PUT, 10, 1, 2000, 0},
	{PUT, 2, 2, 90000, 0},
	{DROP, 13, 0, 0, 0},
	{FLUSH, 0, 0, 0, 0},
	{DELETE, 0, 0, 0, 0},
	{PUT, 4, 2, 120000, 0},
	{PUT, 11, 1, 1200000, 0},
	{PUT, 0, 3, 10, 0},
	{RESTART, 0, 0, 0, 0},
	{PUT, 12, 1, 33000, 0},
	{DELETE, 9, 0, 0, 0},
};
#define STEPS (sizeof(workload) / sizeof(workload[0]))

/* What a key may hold: version 0 is nothing. The first is what was acknowledged last, the rest what may have happened
 * since. */
struct holding {
	struct {
		uint32_t version;
		size_t len;
	} states[STATES];
	size_t count;
};

struct world {
	struct fault *fault;
	struct store *store;
	struct store_upload *held;
	bool made; /* store_init was acknowledged */
	struct holding keys[KEYS];
	bool written[TRANSFERS]; /* survives the process */
	bool durable[TRANSFERS]; /* survives the power */
	uint32_t failures;
	uint64_t fail_at; /* number of the operation that fails */
};

static long images;

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->fault = fault_new(256 << 20);
	w->fail_at = FAULT_NEVER;
	for (int i = 0; i < KEYS; i++)
		w->keys[i].count = 1;
}

static void drop_held(struct world *w)
{
	store_put_abort(w->held);
	w->held = NULL;
}

static void close_world(struct world *w)
{
	drop_held(w);
	store_close(w->store);
	w->store = NULL;
}

static void world_end(struct world *w)
{
	close_world(w);
	fault_free(w->fault);
}

static void happened(struct world *w, const struct step *step, enum err err)
{
	struct holding *key = &w->keys[step->key];
	uint32_t version = step->verb == PUT ? step->version : 0;

	if (err == ERR_OK)
		key->count = 0;
	/* These say that nothing was done. */
	if (err == ERR_EXISTS || err == ERR_NOT_FOUND || err == ERR_FULL)
		return;
	assert_true(key->count < STATES);
	key->states[key->count].version = version;
	key->states[key->count].len = step->len;
	key->count++;
}

static bool ignore_transfer(void *arg, const struct store_transfer *transfer)
{
	(void)arg;
	(void)transfer;
	return true;
}

static const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};

static enum err open_world(struct world *w)
{
	char why[STORE_MESSAGE];

	return store_open("/", &options, fault_seam(w->fault), &w->store, why);
}

static enum err take_step(struct world *w, const struct step *step)
{
	struct store_space space;
	uint64_t operations;
	enum err err = ERR_OK;

	switch (step->verb) {
	case PUT:
		err = pieces_put(w->store, step->key, step->version, step->len, step->limit);
		happened(w, step, err);
		break;
	case ABORT:
		err = pieces_abort(w->store, step->key, step->len, step->limit);
		break;
	case HOLD:
		err = pieces_hold(w->store, step->key, step->len, step->limit, &w->held);
		break;
	case DROP:
		drop_held(w);
		break;
	case DELETE:
		err = pieces_delete(w->store, step->key);
		happened(w, step, err);
		break;
	case TRANSFER:
		err = pieces_transfer(w->store, step->key, step->len);
		w->written[step->key] = err == ERR_OK;
		break;
	case FLUSH:
		err = store_transfers_each(w->store, 0, 0, ignore_transfer, NULL);
		store_space(w->store, &space);
		if (!space.read_only && !fault_stopped(w->fault))
			memcpy(w->durable, w->written, sizeof(w->durable));
		break;
	case RESTART:
		drop_held(w);
		store_space(w->store, &space);
		operations = fault_operations(w->fault);
		store_close(w->store);
		/* What a failed sync did not take, the page cache need not have kept. */
		if (space.read_only || (w->fail_at >= operations && w->fail_at < fault_operations(w->fault)))
			memcpy(w->written, w->durable, sizeof(w->written));
		w->store = NULL;
		err = open_world(w);
		break;
	}
	return err;
}

/* Make the store and go through the workload, until something fails, or to the end whatever fails. */
static void run(struct world *w, bool to_the_end)
{
	char why[STORE_MESSAGE];
	enum err err = store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w->fault), why);

	if (err != ERR_OK && to_the_end && !fault_stopped(w->fault))
		err = store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w->fault), why);
	w->made = err == ERR_OK || err == ERR_EXISTS;
	if (w->made)
		err = open_world(w);
	if (err != ERR_OK && to_the_end)
		err = open_world(w);
	if (err != ERR_OK)
		return;
	for (size_t i = 0; i < STEPS; i++) {
		err = take_step(w, &workload[i]);
		if (err == ERR_OK)
			continue;
		w->failures++;
		if (!to_the_end)
			return;
		if (w->store == NULL)
			assert_int_equal(open_world(w), ERR_OK);
	}
}

/* Which of the states that it may have does the key have? */
static size_t find_state(struct world *w, uint32_t key)
{
	const struct holding *holding = &w->keys[key];
	enum err err = ERR_OK;

	for (size_t i = 0; i < holding->count; i++) {
		uint32_t version = holding->states[i].version;

		err = pieces_check(w->store, key, version, holding->states[i].len);
		if (err == (version == 0 ? ERR_NOT_FOUND : ERR_OK))
			return i;
	}
	print_message("key %u: %s, %zu states, acknowledged version %u of %zu bytes\n", key, err_name(err),
		      holding->count, holding->states[0].version, holding->states[0].len);
	fault_print(w->fault);
	fail();
	return 0;
}

struct found {
	bool transfers[TRANSFERS];
	uint64_t last;
};

static bool find_transfer(void *arg, const struct store_transfer *transfer)
{
	struct found *found = arg;

	assert_true(transfer->sequence > found->last);
	found->last = transfer->sequence;
	if (transfer->allocation.action == ACTION_GET)
		found->transfers[get_be32(transfer->allocation.serial.b)] = true;
	return true;
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

static void expect_sums(struct world *w, uint64_t live, uint64_t pieces)
{
	struct store_space space;
	uint64_t files = 0;

	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	fault_files(w->fault, add_size, &files);
	assert_int_equal(space.live + space.trash + space.dead + space.overhead + space.reserved + space.free, files);
	assert_int_equal(space.live, live);
	assert_int_equal(space.pieces, pieces);
}

/* Open the world's disk and compare all with the model; the states that were found are the only ones from now on. */
static void expect_recovered(struct world *w, const bool transfers[TRANSFERS])
{
	struct found found = {.last = 0};
	uint64_t live = 0, pieces = 0;
	enum err err = open_world(w);

	images++;
	if (!w->made && err != ERR_OK)
		return;
	if (err != ERR_OK)
		fault_print(w->fault);
	assert_int_equal(err, ERR_OK);
	for (uint32_t key = 0; key < KEYS; key++) {
		struct holding *holding = &w->keys[key];

		holding->states[0] = holding->states[find_state(w, key)];
		holding->count = 1;
		pieces += holding->states[0].version != 0;
		live += holding->states[0].version != 0 ? holding->states[0].len : 0;
	}
	assert_int_equal(store_transfers_each(w->store, 0, 0, find_transfer, &found), ERR_OK);
	for (int i = 0; i < TRANSFERS; i++)
		assert_true(found.transfers[i] || !transfers[i]);
	expect_sums(w, live, pieces);
}

/* What was found stays, the store goes on working, and its next start finds the same. */
static void expect_usable(struct world *w)
{
	const struct step steps[] = {{PUT, 14, 1, 5000, 0}, {DELETE, 14, 0, 0, 0}, {PUT, 15, 1, 200000, 0}};

	if (w->store == NULL)
		return;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(take_step(w, &steps[i]), ERR_OK);
	close_world(w);
	expect_recovered(w, w->durable);
}

/* An image of the disk, as it may be after a crash, must recover; also when recovery itself is cut off first. */
static void expect_image(const struct world *crashed, enum fault_keep keep, uint64_t seed, bool crash_again)
{
	struct world w = *crashed;

	w.store = NULL;
	w.fault = fault_image(crashed->fault, keep, seed);
	if (crash_again) {
		struct fault *first = w.fault;
		char why[STORE_MESSAGE];
		struct store *store;

		fault_stop(first, seed % 23);
		if (store_open("/", &options, fault_seam(first), &store, why) == ERR_OK)
			store_close(store);
		w.fault = fault_image(first, (enum fault_keep)(seed % FAULT_KEEPS), seed);
		fault_free(first);
		images++;
	}
	expect_recovered(&w, keep == FAULT_ALL && !crash_again ? crashed->written : crashed->durable);
	if (seed % 4 == 0)
		expect_usable(&w);
	world_end(&w);
}

static bool soak(void)
{
	return getenv("GRANARY_SOAK") != NULL;
}

static uint64_t changes_of_whole_run(void)
{
	struct world w;
	uint64_t changes;

	world_init(&w);
	run(&w, false);
	assert_int_equal(w.failures, 0);
	close_world(&w);
	changes = fault_changes(w.fault);
	world_end(&w);
	return changes;
}

static void test_cut_off_everywhere(void **state)
{
	uint64_t changes = changes_of_whole_run(), seeds = soak() ? 120 : 2, seed = 0;

	(void)state;
	images = 0;
	for (uint64_t stop = 0; stop <= changes; stop++) {
		struct world w;

		world_init(&w);
		fault_stop(w.fault, stop);
		run(&w, false);
		close_world(&w);
		for (int keep = 0; keep < FAULT_KEEPS; keep++) {
			for (uint64_t i = 0; i < (keep <= FAULT_SYNCED ? 1 : seeds); i++, seed++)
				expect_image(&w, (enum fault_keep)keep, seed, seed % 10 == 0);
		}
		world_end(&w);
	}
	print_message("# boundaries cut off at: %llu, images opened: %ld\n", (unsigned long long)changes + 1, images);
	assert_true(images > 2000);
}

/* In the short form every failure with EIO, and a third of the others. */
static uint64_t stride_of(int number)
{
	return soak() || number == EIO ? 1 : 3;
}

/* No operation that fails leads to an acknowledgement that does not hold, or to a store that does not start again. */
static void test_each_operation_fails(void **state)
{
	static const int numbers[] = {EIO, ENOSPC, EINTR, FAULT_SHORT};
	uint64_t runs = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		bool reached = true;

		for (uint64_t nth = i; reached; nth += stride_of(numbers[i]), runs++) {
			struct world w;

			world_init(&w);
			fault_fail(w.fault, nth, numbers[i]);
			w.fail_at = nth;
			run(&w, true);
			if (numbers[i] == EINTR || numbers[i] == FAULT_SHORT)
				assert_int_equal(w.failures, 0);
			close_world(&w);
			reached = fault_operations(w.fault) > nth;
			fault_fail(w.fault, FAULT_NEVER, 0);
			expect_image(&w, FAULT_SYNCED, nth, false);
			if (numbers[i] == EIO)
				expect_image(&w, FAULT_SUBSET, nth, false);
			/* The machine ran on, so the page cache may still show what never reached the disk. */
			expect_recovered(&w, w.durable);
			world_end(&w);
		}
	}
	print_message("# operations failed: %llu\n", (unsigned long long)runs);
	assert_true(runs > 400);
}

struct damage {
	char paths[64][160];
	uint64_t sizes[64];
	size_t count;
};

static void note_file(void *arg, const char *path, uint64_t size)
{
	struct damage *damage = arg;

	if (strstr(path, ".seg") == NULL || size <= SEGMENT_HEADER)
		return;
	snprintf(damage->paths[damage->count], sizeof(damage->paths[0]), "%s", path);
	damage->sizes[damage->count++] = size;
}

/* A flipped bit, a zeroed page, two pages swapped, a page written where another belongs. */
static void hurt(struct fault *fault, const struct damage *files, struct random_stream *dice)
{
	size_t one = (size_t)random_stream_below(dice, files->count),
	       two = (size_t)random_stream_below(dice, files->count);
	uint64_t at = random_stream_below(dice, files->sizes[one]);
	uint64_t from = at / 4096 * 4096, to = random_stream_below(dice, files->sizes[two]) / 4096 * 4096;
	uint8_t a[4096], b[4096];

	fault_peek(fault, files->paths[one], from, a, sizeof(a));
	fault_peek(fault, files->paths[two], to, b, sizeof(b));
	switch (random_stream_below(dice, 4)) {
	case 0:
		a[at % 4096] ^= (uint8_t)(1 << random_stream_below(dice, 8));
		break;
	case 1:
		memset(a, 0, sizeof(a));
		break;
	case 2:
		fault_poke(fault, files->paths[two], to, a, sizeof(a));
		memcpy(a, b, sizeof(a));
		break;
	default:
		memcpy(a, b, sizeof(a));
		break;
	}
	fault_poke(fault, files->paths[one], from, a, sizeof(a));
}

/* Whatever happens to the files, no read returns other bytes than were put, and pieces that were not hit are there. */
static void test_damage_is_never_served(void **state)
{
	long injections = soak() ? 10000 : 400, lost = 0;
	struct random_stream dice;
	struct world w;

	(void)state;
	random_stream_init(&dice, bytes_of("damage", 6));
	world_init(&w);
	run(&w, false);
	close_world(&w);
	for (long i = 0; i < injections; i++) {
		struct world hurt_world = w;
		struct damage files = {.count = 0};
		long missing = 0;

		hurt_world.fault = fault_image(w.fault, FAULT_ALL, 0);
		fault_files(hurt_world.fault, note_file, &files);
		hurt(hurt_world.fault, &files, &dice);
		assert_int_equal(open_world(&hurt_world), ERR_OK);
		for (uint32_t key = 0; key < KEYS; key++) {
			const struct holding *holding = &w.keys[key];
			enum err err =
				pieces_check(hurt_world.store, key, holding->states[0].version, holding->states[0].len);

			if (holding->states[0].version == 0 && err != ERR_OK)
				continue;
			assert_true(err == ERR_OK || err == ERR_CORRUPT || err == ERR_NOT_FOUND);
			missing += err != ERR_OK;
		}
		/* Two pages touch at most a few records, and a footer that is gone is made again. */
		assert_true(missing <= 5);
		lost += missing;
		world_end(&hurt_world);
	}
	print_message("# injections: %ld, pieces lost to them: %ld, wrong bytes: 0\n", injections, lost);
	assert_true(lost > injections / 20);
	world_end(&w);
}

static bool count_piece(void *arg, const struct store_key *key, uint64_t size)
{
	(void)key;
	(void)size;
	++*(int *)arg;
	return true;
}

/* Heads that a stranger may know or guess, planted in a payload at every place where a head could stand. */
static size_t plant(struct world *w, uint8_t *payload, size_t len, uint32_t segment, uint32_t payload_at)
{
	struct record_secret guess = {{0}}, real;
	struct record fake = {.type = RECORD_PIECE, .piece = pieces_key(13).piece, .sequence = 1000, .size = 64};
	uint8_t seen[RECORD_HEAD_MAX];
	size_t planted = 0;

	fault_peek(w->fault, "//store/SUPER", 40, real.b, sizeof(real.b));
	fault_peek(w->fault, "//store/segments/00000002.seg", SEGMENT_HEADER, seen, sizeof(seen));
	fake.head = record_head_of_piece(1);
	fake.extent = record_extent(fake.head, fake.size);
	for (size_t at = 0; at + 1024 <= len; at += 1024, planted++) {
		struct record_place here = {segment, (uint32_t)(payload_at + at)},
				    elsewhere = {segment, payload_at + 64};

		switch (planted % 4) {
		case 0: /* a true head, from where it stands */
			memcpy(payload + at, seen, 1024);
			break;
		case 1: /* the right form, under a guessed secret */
			record_encode(&fake, &guess, &here, payload + at);
			break;
		case 2: /* under the true secret, as if a block of another place were written here */
			record_encode(&fake, &real, &elsewhere, payload + at);
			break;
		default: /* a pad that would hide what follows */
			fake.type = RECORD_PAD;
			fake.extent = 1 << 20;
			record_encode_core(&fake, &guess, &here, payload + at);
			fake.type = RECORD_PIECE;
			fake.extent = record_extent(fake.head, fake.size);
			break;
		}
	}
	return planted;
}

static void answer(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static void test_planted_heads_are_not_found(void **state)
{
	const size_t len = 300000;
	struct world w;
	struct allocation allocation = pieces_allocation(3, len);
	struct signature signature = {{0}};
	struct store_upload *upload;
	struct bytes32 hash = {{0}};
	uint8_t *payload = memory_new(1, len), zeros[RECORD_CORE] = {0};
	uint32_t head_at, payload_at;
	enum err err = ERR_BUSY;
	int count = 0;

	(void)state;
	world_init(&w);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w.fault), (char[STORE_MESSAGE]){0}),
			 ERR_OK);
	assert_int_equal(open_world(&w), ERR_OK);
	segments_wait_idle(w.store->segments); /* the first is for emergencies, the spare is segment 2 */
	assert_int_equal(pieces_put(w.store, 1, 1, 1000, 0), ERR_OK);
	head_at = SEGMENT_HEADER + record_extent(record_head_of_piece(1), 1000);
	payload_at = head_at + record_head_of_piece(tree_blocks(len));
	assert_true(plant(&w, payload, len, 2, payload_at) > 200);
	assert_int_equal(store_put_begin(w.store, 0, &allocation, &signature, &hash, &upload), ERR_OK);
	for (size_t at = 0; at < len; at += TREE_BLOCK)
		assert_int_equal(store_put_block(upload, payload + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK),
				 ERR_OK);
	store_put_end(upload, NULL, NULL, 1, answer, &err);
	committer_flush(w.store->committer);
	assert_int_equal(err, ERR_OK);
	assert_int_equal(pieces_put(w.store, 2, 1, 5000, 0), ERR_OK);
	/* Power fails, and the head of the piece with the planted payload rots, so the walk goes all through it. */
	struct world after = w;

	after.store = NULL;
	after.fault = fault_image(w.fault, FAULT_ALL, 0);
	fault_poke(after.fault, "//store/segments/00000002.seg", head_at, zeros, sizeof(zeros));
	assert_int_equal(open_world(&after), ERR_OK);
	assert_int_equal(pieces_check(after.store, 1, 1, 1000), ERR_OK);
	assert_int_equal(pieces_check(after.store, 2, 1, 5000), ERR_OK);
	assert_int_equal(pieces_check(after.store, 3, 1, len), ERR_NOT_FOUND);
	assert_int_equal(pieces_check(after.store, 13, 1, 64), ERR_NOT_FOUND);
	assert_int_equal(store_each(after.store, count_piece, &count), ERR_OK);
	assert_int_equal(count, 2);
	world_end(&after);
	world_end(&w);
	free(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_off_everywhere),
		cmocka_unit_test(test_each_operation_fails),
		cmocka_unit_test(test_damage_is_never_served),
		cmocka_unit_test(test_planted_heads_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
