/* A lot for every drive and day, against the chance of its age. */
#include "audit/drives.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"

#define INFANCY 90
#define OLD_AGE (3 * SIMULATE_YEAR)
#define OLDEST 4		 /* times the usual chance */
#define AGES (5 * SIMULATE_YEAR) /* of drives at the beginning, where age counts */

struct making {
	const struct simulate_plan *plan;
	struct drives *drives;
	struct random_stream random;
	uint32_t *current; /* drive in each place */
	uint32_t day;
};

static uint32_t add_drive(struct drives *drives, uint32_t place, int32_t born)
{
	drives->drives = memory_grow(drives->drives, &drives->room, drives->count + 1, sizeof(*drives->drives));
	drives->drives[drives->count] = (struct drive){place, born, DRIVES_NEVER, DRIVES_NEVER};
	return drives->count++;
}

/* True with a chance in billionths. */
static bool happens(struct random_stream *random, uint64_t chance)
{
	uint128 limit = ((uint128)chance << 64) / SIMULATE_CERTAIN;

	return chance > 0 && random_stream_u64(random) < limit;
}

static void replace(struct making *making, uint32_t place, uint32_t stays)
{
	struct drive *drive = &making->drives->drives[making->current[place]];

	drive->leaving = making->day;
	drive->gone = making->day + stays;
	making->current[place] = add_drive(making->drives, place, (int32_t)making->day);
}

static bool came_today(const struct making *making, uint32_t place)
{
	return making->current[place] >= making->drives->first[making->day];
}

static uint64_t chance_of(const struct making *making, uint32_t place)
{
	uint64_t chance = making->plan->daily_failure, most = OLDEST * chance, age;

	if (making->plan->model == SIMULATE_NETWORKS)
		return chance - chance / 2;
	if (making->plan->model == SIMULATE_CONSTANT)
		return chance;
	age = (uint64_t)((int64_t)making->day - making->drives->drives[making->current[place]].born);
	if (age < INFANCY)
		return chance + 2 * chance * (INFANCY - age) / INFANCY;
	if (age < OLD_AGE)
		return chance;
	chance += chance * (age - OLD_AGE) / SIMULATE_YEAR;
	return chance < most ? chance : most;
}

static void fail(struct making *making, uint32_t place)
{
	replace(making, place, 0);
	making->drives->failures++;
	making->drives->failed[making->day]++;
}

static void fail_networks(struct making *making)
{
	uint32_t nodes = making->plan->nodes, size = making->plan->network_nodes;

	for (uint32_t first = 0; first < nodes; first += size) {
		if (!happens(&making->random, making->plan->daily_failure / 2))
			continue;
		for (uint32_t place = first; place < nodes && place - first < size; place++)
			fail(making, place);
	}
}

/* So many places, drawn from all. */
static void lose_at_once(struct making *making, uint32_t *places, uint32_t count)
{
	uint32_t nodes = making->plan->nodes;

	for (uint32_t i = 0; i < nodes; i++)
		places[i] = i;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t other = i + (uint32_t)random_stream_below(&making->random, nodes - i), place = places[other];

		places[other] = places[i];
		if (came_today(making, place))
			continue; /* it failed already */
		replace(making, place, 0);
		making->drives->outages++;
		making->drives->failed[making->day]++;
	}
}

static void live_a_day(struct making *making, uint32_t *places)
{
	const struct simulate_plan *plan = making->plan;

	making->drives->first[making->day] = making->drives->count;
	if (plan->model == SIMULATE_NETWORKS)
		fail_networks(making);
	for (uint32_t place = 0; place < plan->nodes; place++) {
		if (plan->model == SIMULATE_NETWORKS && came_today(making, place))
			continue;
		if (happens(&making->random, chance_of(making, place))) {
			fail(making, place);
		} else if (happens(&making->random, plan->churn / SIMULATE_YEAR)) {
			replace(making, place, plan->exit_days);
			making->drives->exits++;
		}
	}
	if (making->day % SIMULATE_YEAR == SIMULATE_YEAR / 2)
		lose_at_once(making, places, (uint32_t)((uint64_t)plan->nodes * plan->outage / SIMULATE_CERTAIN));
}

void drives_init(const struct simulate_plan *plan, struct drives *ret)
{
	struct making making = {.plan = plan, .drives = ret};
	uint32_t *places = memory_new(plan->nodes, sizeof(*places));
	char seed[64];

	snprintf(seed, sizeof(seed), "simulate drives %llu", (unsigned long long)plan->seed);
	random_stream_init(&making.random, bytes_of_text(seed));
	*ret = (struct drives){.days = plan->years * SIMULATE_YEAR};
	ret->first = memory_new(ret->days + 1, sizeof(*ret->first));
	ret->failed = memory_new(ret->days, sizeof(*ret->failed));
	making.current = memory_new(plan->nodes, sizeof(*making.current));
	for (uint32_t place = 0; place < plan->nodes; place++) {
		uint64_t age = plan->model == SIMULATE_BATHTUB ? random_stream_below(&making.random, AGES) : AGES;

		making.current[place] = add_drive(ret, place, -(int32_t)age);
	}
	for (making.day = 0; making.day < ret->days; making.day++)
		live_a_day(&making, places);
	ret->first[ret->days] = ret->count;
	free(making.current);
	free(places);
}

void drives_free(struct drives *drives)
{
	free(drives->drives);
	free(drives->first);
	free(drives->failed);
}
