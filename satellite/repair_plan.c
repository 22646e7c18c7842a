/* Numbers by their state, sources by theirs. */
#include "satellite/repair_plan.h"

#include <string.h>

/* Whether a number may be made again at this step; a number that nobody holds counts as step 1. */
static int step_of(enum piece_state state)
{
	switch (state) {
	case PIECE_LOST:
	case PIECE_DISQUALIFIED:
		return 0;
	case PIECE_CROWDED:
		return 2;
	case PIECE_GONE:
		return 3;
	case PIECE_SUSPENDED:
		return 4;
	case PIECE_GOOD:
	case PIECE_AWAY:
	case PIECE_EXITING:
		break;
	}
	return -1;
}

#define STEP_UNUSED 1
#define STEPS 5

const struct judged_piece *repair_plan_piece(const struct segment_health *health, uint16_t number)
{
	for (uint32_t i = 0; i < health->count; i++) {
		if (health->pieces[i].number == number)
			return &health->pieces[i];
	}
	return NULL;
}

static void add_moves(const struct segment_health *health, struct repair_plan *plan)
{
	for (uint32_t i = 0; i < health->count; i++) {
		if (health->pieces[i].state != PIECE_EXITING)
			continue;
		if (health->pieces[i].online)
			plan->numbers[plan->count++] = health->pieces[i].number;
		else
			plan->waits = true;
	}
	plan->moves = plan->count;
}

static void add_missing(const struct segment_health *health, struct repair_plan *plan)
{
	for (int step = 0; step < STEPS; step++) {
		for (uint16_t i = 0; i < health->redundancy.total && plan->count < health->health.rebuild; i++) {
			const struct judged_piece *piece = repair_plan_piece(health, i);

			if (step == (piece == NULL ? STEP_UNUSED : step_of(piece->state)))
				plan->numbers[plan->count++] = i;
		}
	}
}

/* Good nodes in any order, so that all bear the load, then those that one would rather not rely on. */
static void add_sources(const struct segment_health *health, struct random_stream *random, enum piece_state state,
			struct repair_plan *plan)
{
	uint32_t first = plan->source_count;

	for (uint32_t i = 0; i < health->count; i++) {
		uint32_t at;

		if (health->pieces[i].state != state || !health->pieces[i].online)
			continue;
		at = first + (uint32_t)random_stream_below(random, plan->source_count - first + 1);
		plan->sources[plan->source_count++] = plan->sources[at];
		plan->sources[at] = i;
	}
}

/* Only moves: their own pieces suffice. Otherwise any `required` do. */
static void choose_beginning(const struct segment_health *health, struct repair_plan *plan)
{
	plan->begin_with = plan->count == plan->moves ? plan->moves : health->redundancy.required;
	if (plan->begin_with > plan->source_count)
		plan->begin_with = plan->source_count;
}

void repair_plan_make(const struct segment_health *health, struct random_stream *random, struct repair_plan *ret)
{
	static const enum piece_state others[] = {PIECE_GOOD, PIECE_CROWDED, PIECE_EXITING, PIECE_SUSPENDED};
	bool repair;

	memset(ret, 0, sizeof(*ret));
	add_moves(health, ret);
	repair = health->health.verdict == HEALTH_REPAIR || health->health.verdict == HEALTH_URGENT;
	if (repair)
		add_missing(health, ret);
	if (ret->count == ret->moves)
		add_sources(health, random, PIECE_EXITING, ret);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (others[i] != PIECE_EXITING || ret->count > ret->moves)
			add_sources(health, random, others[i], ret);
	}
	choose_beginning(health, ret);
}

void repair_plan_cut(struct repair_plan *plan, uint32_t count)
{
	/* What is read stays as it was: a move that is left out makes its source one of the others. */
	if (count < plan->count)
		plan->count = count;
	if (plan->moves > plan->count)
		plan->moves = plan->count;
}
