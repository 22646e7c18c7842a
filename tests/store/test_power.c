/*
 * Power cuts. A workload runs on a disk in memory; before each change to the disk some images are taken of what it
 * might hold if the power went then, and each is opened: every piece that was acknowledged is there byte for byte, none
 * that nobody put, none whose deletion was acknowledged, and the sums add up. Of ten images one loses power again while
 * it recovers, some once more right afterwards (recovery finds the same again), and some go on working.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/effort.h"
#include "tests/kit/fault.h"
#include "tests/kit/model.h"

#define DISK (256ull << 20)
#define STEPS 500

struct power {
	struct fault *fault;
	struct play play;
	struct model model;
	struct random_stream dice;
	uint64_t seed;
	bool made;
	uint64_t wanted; /* images in all */
	uint64_t each;	 /* of a thousand changes */
	uint64_t due;	 /* thousandths of an image */
	uint64_t images, again, repeated, continued;
	char flaw[512];
};

/* One image, from its disk on. */
struct cut {
	struct fault *disk;
	struct model model;
	struct play play;
	const bool *transfers;
};

/* A checkpoint is a shortcut: a third of the starts do without it. */
static void cut_begin(struct cut *cut, struct fault *disk, uint64_t seed)
{
	cut->disk = disk;
	play_init(&cut->play, "/", fault_seam(disk), &cut->model);
	cut->play.options.rebuild = seed / 1000 % 3 == 0;
}

static void cut_end(struct cut *cut)
{
	play_end(&cut->play);
	fault_free(cut->disk);
}

/* Go on from what another power cut makes of it. */
static void cut_again(struct cut *cut, enum fault_keep keep, uint64_t seed)
{
	struct fault *next = fault_image(cut->disk, keep, seed);

	cut_end(cut);
	cut_begin(cut, next, seed / 3);
}

static bool open_and_check(struct power *p, struct cut *cut)
{
	enum err err = play_open(&cut->play);
	struct store_damage damage;

	/* Making the store was cut off: making it again must do. */
	if (err != ERR_OK && !p->made) {
		err = play_make(&cut->play);
		if (err == ERR_OK)
			err = play_open(&cut->play);
	}
	if (err != ERR_OK) {
		snprintf(cut->model.flaw, sizeof(cut->model.flaw), "does not open: %.180s", cut->play.why);
		return false;
	}
	store_damage(cut->play.store, &damage);
	if (damage.pieces > 0) {
		snprintf(cut->model.flaw, sizeof(cut->model.flaw), "%" PRIu64 " pieces are said to be damaged",
			 damage.pieces);
		return false;
	}
	return model_check(&cut->model, cut->play.store, cut->transfers);
}

/* Cut off recovery itself, at one of its first changes. */
static void fail_recovery(struct cut *cut, uint64_t seed)
{
	fault_stop(cut->disk, seed % 29);
	if (play_open(&cut->play) == ERR_OK)
		play_close(&cut->play);
	cut_again(cut, (enum fault_keep)(seed / 29 % FAULT_KEEPS), seed);
}

static bool works_on(struct cut *cut)
{
	static const struct step steps[] = {
		{.verb = STEP_DELETE, .key = 3},
		{.verb = STEP_PUT, .key = 3, .version = 1001, .len = 5000},
		{.verb = STEP_COMPACT},
		{.verb = STEP_DELETE, .key = 3},
		{.verb = STEP_PUT, .key = 3, .version = 1002, .len = 70000},
		{.verb = STEP_RESTART},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum err err = play_take(&cut->play, &steps[i]);

		if (err != ERR_OK && (i > 0 || err != ERR_NOT_FOUND)) {
			snprintf(cut->model.flaw, sizeof(cut->model.flaw), "step %zu after recovery: %s", i,
				 err_name(err));
			return false;
		}
	}
	return model_check(&cut->model, cut->play.store, cut->model.durable);
}

static void try_image(struct power *p, enum fault_keep keep, uint64_t seed)
{
	struct cut cut;
	bool fine;

	play_moment(&p->play, &cut.model);
	cut.transfers = keep == FAULT_ALL ? cut.model.written : cut.model.durable;
	cut_begin(&cut, fault_image(p->fault, keep, seed), seed);
	p->images++;
	if (seed % 10 == 0) {
		cut.transfers = cut.model.durable;
		fail_recovery(&cut, seed / 10);
		p->again++;
	}
	fine = open_and_check(p, &cut);
	if (fine && seed % 3 == 1) {
		cut.transfers = cut.model.durable;
		cut_again(&cut, (enum fault_keep)(seed / 3 % FAULT_KEEPS), seed);
		fine = open_and_check(p, &cut);
		p->repeated++;
	}
	if (fine && seed % 3 == 2) {
		fine = works_on(&cut);
		p->continued++;
	}
	if (!fine)
		snprintf(p->flaw, sizeof(p->flaw), "%.255s (before change %llu, image %d of seed %llu)", cut.model.flaw,
			 (unsigned long long)fault_changes(p->fault), (int)keep, (unsigned long long)seed);
	cut_end(&cut);
}

static void watch(void *arg)
{
	struct power *p = arg;

	if (p->images >= p->wanted)
		return;
	for (p->due += p->each; p->due >= 1000 && p->flaw[0] == '\0'; p->due -= 1000) {
		enum fault_keep keep = (enum fault_keep)random_stream_below(&p->dice, FAULT_KEEPS);

		try_image(p, keep, random_stream_u64(&p->dice) >> 1);
	}
}

static void go_on_if_fine(struct power *p)
{
	if (p->flaw[0] == '\0' && p->model.flaw[0] == '\0')
		return;
	print_message("# workload of seed %llu: %s%s\n", (unsigned long long)p->seed, p->flaw, p->model.flaw);
	fault_print(p->fault);
	fail();
}

/* Run one workload; `each` images for a thousand changes. */
static void run(struct power *p, uint64_t seed, uint64_t each)
{
	struct step steps[STEPS];

	workload_draw(seed, steps, STEPS);
	p->seed = seed;
	p->each = each;
	p->made = false;
	p->fault = fault_new(DISK);
	model_init(&p->model);
	play_init(&p->play, "/", fault_seam(p->fault), &p->model);
	fault_watch(p->fault, watch, p);
	assert_int_equal(play_make(&p->play), ERR_OK);
	p->made = true;
	assert_int_equal(play_open(&p->play), ERR_OK);
	for (size_t i = 0; i < STEPS; i++) {
		enum err err = play_take(&p->play, &steps[i]);

		go_on_if_fine(p);
		if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_EXISTS)
			print_message("# step %zu, %s: %s\n", i, workload_verb_name(steps[i].verb), err_name(err));
		assert_true(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_EXISTS);
	}
	play_end(&p->play);
	go_on_if_fine(p);
	fault_free(p->fault);
}

/* What is left of a store in the making opens, or can be made again: nobody is left with a store that does neither. */
static void test_making_a_store_is_cut_off(void **state)
{
	struct power p = {.seed = 0};
	uint64_t stop = 0;
	bool through = false;

	(void)state;
	for (; !through; stop++) {
		p.fault = fault_new(DISK);
		model_init(&p.model);
		play_init(&p.play, "/", fault_seam(p.fault), &p.model);
		fault_stop(p.fault, stop);
		through = play_make(&p.play) == ERR_OK;
		for (uint64_t seed = 0; seed < effort(100, 1000); seed++)
			try_image(&p, (enum fault_keep)(seed % FAULT_KEEPS), seed);
		play_end(&p.play);
		go_on_if_fine(&p);
		fault_free(p.fault);
	}
	assert_true(stop > 10);
}

static void test_power_cuts(void **state)
{
	uint64_t seed = effort_seed("power cuts", 1), wanted = effort(10000, 100000), each = effort(5000, 8000);
	struct power *p = memory_new(1, sizeof(*p));

	(void)state;
	random_stream_init(&p->dice, bytes_of(&seed, sizeof(seed)));
	p->wanted = wanted;
	for (; p->images < wanted; seed++)
		run(p, seed, each);
	print_message("# power cuts: %llu images, %llu of them cut off again during recovery; "
		      "%llu recovered twice, %llu went on\n",
		      (unsigned long long)p->images, (unsigned long long)p->again, (unsigned long long)p->repeated,
		      (unsigned long long)p->continued);
	assert_true(p->again >= p->images / 12);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_making_a_store_is_cut_off),
		cmocka_unit_test(test_power_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
