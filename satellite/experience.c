/* Sums that fade. */
#include "satellite/experience.h"

#include <math.h>
#include <stdlib.h>

#define ONE 1000	  /* transfer */
#define PATIENCE_MS 20	  /* that make no difference to anybody */
#define TIMED_LEAST 4	  /* transfers, for a middle that says something */
#define PACE_LEAST 500	  /* twice as fast as the middle, … */
#define PACE_MOST 2000	  /* … and as slow */
#define PACE_USUAL 10	  /* transfers at the typical pace that every node is taken to have had besides */
#define SUM_MOST 1000000u /* transfers: far more than fade in a day */

unsigned experience_jury(const struct address *client)
{
	return client->b[sizeof(client->b) - 1] % EXPERIENCE_JURIES;
}

static int compare_ms(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The middle of those that went well; false when they are too few. */
static bool find_middle(const struct experience_seen *seen, size_t count, uint32_t *ret_ms)
{
	uint32_t ms[MESSAGE_REPORT_MAX];
	size_t timed = 0;

	for (size_t i = 0; i < count && timed < MESSAGE_REPORT_MAX; i++)
		if (seen[i].outcome == TRANSFER_DONE)
			ms[timed++] = seen[i].ms;
	if (timed < TIMED_LEAST)
		return false;
	qsort(ms, timed, sizeof(ms[0]), compare_ms);
	*ret_ms = ms[timed / 2];
	return true;
}

static uint32_t pace_of(uint32_t ms, uint32_t middle)
{
	uint64_t pace = ((uint64_t)ms + PATIENCE_MS) * EXPERIENCE_TYPICAL / ((uint64_t)middle + PATIENCE_MS);

	return pace < PACE_LEAST ? PACE_LEAST : pace > PACE_MOST ? PACE_MOST : (uint32_t)pace;
}

void experience_weigh(struct experience_seen *seen, size_t count)
{
	uint32_t middle = 0;
	bool timed = find_middle(seen, count, &middle);
	size_t failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += seen[i].outcome == TRANSFER_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct experience_seen *one = &seen[i];
		uint32_t pace = timed ? pace_of(one->ms, middle) : 0;

		one->succeeded = one->outcome == TRANSFER_DONE;
		one->failed = one->outcome == TRANSFER_FAILED && failed * 2 <= count;
		/* How long a failure took says nothing; one that was given up early is not slow for that. */
		one->pace =
			one->outcome == TRANSFER_DONE || (one->outcome == TRANSFER_SLOW && pace > EXPERIENCE_TYPICAL)
				? pace
				: 0;
	}
}

static uint64_t faded(uint64_t value, double factor)
{
	return (uint64_t)((double)value * factor);
}

void experience_fade(struct experience *sum, uint64_t now)
{
	double factor;

	/* Clocks of two processes may differ: what is younger than now is as it is. */
	if (now <= sum->at)
		return;
	factor = exp2(-(double)(now - sum->at) / EXPERIENCE_HALF_LIFE);
	sum->succeeded = faded(sum->succeeded, factor);
	sum->failed = faded(sum->failed, factor);
	sum->timed = faded(sum->timed, factor);
	sum->pace = faded(sum->pace, factor);
	sum->at = now;
}

void experience_add(struct experience *sum, const struct experience_seen *seen)
{
	if (sum->succeeded + sum->failed + sum->timed > (uint64_t)SUM_MOST * ONE)
		return;
	sum->succeeded += seen->succeeded ? ONE : 0;
	sum->failed += seen->failed ? ONE : 0;
	if (seen->pace > 0) {
		sum->timed += ONE;
		sum->pace += (uint64_t)seen->pace * ONE;
	}
}

/* `part` of a whole that counts as EXPERIENCE_JURY_WEIGHT transfers at most. */
static uint64_t capped(uint64_t part, uint64_t whole)
{
	const uint64_t most = (uint64_t)EXPERIENCE_JURY_WEIGHT * ONE;

	return whole <= most ? part : (uint64_t)((uint128)part * most / whole);
}

void experience_hear(struct experience *all, const struct experience *jury)
{
	uint64_t ended = jury->succeeded + jury->failed;

	all->succeeded += capped(jury->succeeded, ended);
	all->failed += capped(jury->failed, ended);
	all->timed += capped(jury->timed, jury->timed);
	all->pace += capped(jury->pace, jury->timed);
}

struct select_record experience_record(const struct experience *all)
{
	return (struct select_record){
		.succeeded = (all->succeeded + ONE / 2) / ONE,
		.failed = (all->failed + ONE / 2) / ONE,
		.ms = (uint32_t)((all->pace + (uint64_t)PACE_USUAL * ONE * EXPERIENCE_TYPICAL) /
				 (all->timed + PACE_USUAL * ONE)),
	};
}
