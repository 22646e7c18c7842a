/*
 * Every operation on the disk fails once: with EIO, with ENOSPC, interrupted, or cut short. A workload runs to its end
 * whatever happens; a store that turned read-only takes no more, and a restart must find all that was acknowledged,
 * on what is durable and on what the page cache still shows. Interruptions and short counts must not even be noticed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "tests/kit/effort.h"
#include "tests/kit/fault.h"
#include "tests/kit/model.h"

#define DISK (256ull << 20)
#define STEPS 100

struct failing {
	struct fault *fault;
	struct play play;
	struct model model;
	int number;   /* errno, or FAULT_SHORT */
	uint64_t nth; /* the operation that fails */
	uint64_t seed;
};

static void expect_fine(struct failing *f, bool fine, const char *what)
{
	if (fine && f->model.flaw[0] == '\0')
		return;
	print_message("# workload of seed %llu, operation %llu fails with %d: %s; %s; %s\n",
		      (unsigned long long)f->seed, (unsigned long long)f->nth, f->number, what, f->model.flaw,
		      f->play.why);
	fault_print(f->fault);
	fail();
}

static bool is_refusal(enum err err)
{
	return err == ERR_OK || err == ERR_EXISTS || err == ERR_NOT_FOUND;
}

/* The kernel may always do that, and nothing has failed when it does. */
static bool is_harmless(int number)
{
	return number == EINTR || number == FAULT_SHORT;
}

static void open_at_last(struct failing *f)
{
	if (f->play.store == NULL && play_open(&f->play) != ERR_OK)
		expect_fine(f, play_open(&f->play) == ERR_OK, "does not open");
}

static void take_all(struct failing *f, const struct step *steps, size_t count)
{
	enum err err = play_make(&f->play);

	if (err != ERR_OK)
		err = play_make(&f->play);
	expect_fine(f, err == ERR_OK || err == ERR_EXISTS, "is not made");
	open_at_last(f);
	for (size_t i = 0; i < count; i++) {
		err = play_take(&f->play, &steps[i]);
		expect_fine(f, is_refusal(err) || !is_harmless(f->number), workload_verb_name(steps[i].verb));
		open_at_last(f);
	}
	play_close(&f->play);
}

/* What an image of the disk shows must be what was acknowledged. */
static void expect_image(struct failing *f, enum fault_keep keep)
{
	struct failing image = *f;

	image.fault = fault_image(f->fault, keep, f->nth);
	play_init(&image.play, "/", fault_seam(image.fault), &image.model);
	expect_fine(&image, play_open(&image.play) == ERR_OK, "an image does not open");
	expect_fine(&image, model_check(&image.model, image.play.store, image.model.durable), "on an image");
	play_end(&image.play);
	fault_free(image.fault);
}

/* False when the workload has no such operation. */
static bool fail_one(struct failing *f, const struct step *steps, size_t count)
{
	bool reached;

	f->fault = fault_new(DISK);
	model_init(&f->model);
	play_init(&f->play, "/", fault_seam(f->fault), &f->model);
	fault_fail(f->fault, f->nth, f->number);
	take_all(f, steps, count);
	reached = fault_operations(f->fault) > f->nth;
	fault_fail(f->fault, FAULT_NEVER, 0);
	expect_image(f, FAULT_SYNCED);
	if (f->number == EIO)
		expect_image(f, FAULT_SUBSET);
	/* The machine ran on, so the page cache may still show what never reached the disk. */
	expect_fine(f, play_open(&f->play) == ERR_OK, "does not open again");
	expect_fine(f, model_check(&f->model, f->play.store, f->model.durable), "afterwards");
	play_end(&f->play);
	fault_free(f->fault);
	return reached;
}

static void test_every_operation_fails(void **state)
{
	static const int numbers[] = {EIO, ENOSPC, EINTR, FAULT_SHORT};
	uint64_t seed = effort_seed("failures", 1), workloads = effort(1, 20), stride = effort(10, 10) == 1 ? 10 : 1;
	struct step steps[STEPS];
	struct failing *f = memory_new(1, sizeof(*f));
	uint64_t runs = 0, operations = 0;

	(void)state;
	for (uint64_t i = 0; i < workloads; i++) {
		workload_draw(seed + i, steps, STEPS);
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++) {
			*f = (struct failing){.number = numbers[k], .seed = seed + i};
			while (fail_one(f, steps, STEPS)) {
				f->nth += stride;
				runs++;
			}
			operations += f->nth;
		}
	}
	print_message("# failures: %llu runs over %llu operations, %s with EIO, ENOSPC, EINTR and short\n",
		      (unsigned long long)runs, (unsigned long long)operations / 4,
		      stride == 1 ? "each" : "one in ten");
	assert_true(runs > (stride == 1 ? 1000 : 90));
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
