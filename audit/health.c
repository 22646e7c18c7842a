/* Counting pieces, and the chance that too few of them last. */
#include "audit/health.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SUSPENDED_ODDS (HEALTH_CERTAIN * 0.05) /* what befalls a node that answers badly, until the next repair */
#define GONE_ODDS (HEALTH_CERTAIN * 0.5)       /* and one that has been away for long */

const struct health_odds health_odds_default = {.daily_failure = HEALTH_CERTAIN / 1000, .days = 7};

static const struct {
	const char *name;
	bool healthy, retrievable, kept;
} states[PIECE_STATES] = {
	[PIECE_GOOD] = {"good", true, true, true},
	[PIECE_AWAY] = {"away", true, false, true},
	[PIECE_GONE] = {"gone", false, false, true},
	[PIECE_SUSPENDED] = {"suspended", false, true, true},
	[PIECE_EXITING] = {"exiting", false, true, true},
	[PIECE_CROWDED] = {"crowded", false, true, true},
	[PIECE_DISQUALIFIED] = {"disqualified", false, false, false},
	[PIECE_LOST] = {"lost", false, false, false},
};

const char *piece_state_name(enum piece_state state)
{
	return states[state].name;
}

bool piece_is_healthy(enum piece_state state)
{
	return states[state].healthy;
}

bool piece_is_retrievable(enum piece_state state)
{
	return states[state].retrievable;
}

bool piece_is_kept(enum piece_state state)
{
	return states[state].kept;
}

const char *health_verdict_name(enum health_verdict verdict)
{
	switch (verdict) {
	case HEALTH_FINE:
		return "fine";
	case HEALTH_REPAIR:
		return "repair";
	case HEALTH_URGENT:
		return "urgent";
	case HEALTH_BLOCKED:
		return "blocked";
	case HEALTH_LOST:
		break;
	}
	return "lost";
}

static bool is_first_of_network(const struct health_piece *pieces, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (pieces[i].network == pieces[index].network && piece_is_healthy(pieces[i].state))
			return false;
	return true;
}

void health_mark_crowded(struct health_piece *pieces, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (pieces[i].network != 0 && piece_is_healthy(pieces[i].state) && !is_first_of_network(pieces, i))
			pieces[i].state = PIECE_CROWDED;
}

uint32_t health_threshold(const struct redundancy *redundancy)
{
	bool narrow = redundancy->repair >= redundancy->success && redundancy->success > 0;

	return narrow ? redundancy->success - 1U : redundancy->repair;
}

/* A quarter of the way from `required` to the threshold, one piece at least: 34 of 29/52, 5 of 4/6. */
static bool is_urgent(const struct redundancy *redundancy, uint32_t healthy)
{
	uint32_t margin = (uint32_t)(redundancy->repair - redundancy->required) / 4;

	return healthy <= redundancy->required + (margin > 0 ? margin : 1);
}

void health_judge_counts(const struct redundancy *redundancy, const uint32_t counts[PIECE_STATES], struct health *ret)
{
	struct health health = {.verdict = HEALTH_FINE};

	for (int state = PIECE_GOOD; state < PIECE_STATES; state++) {
		health.healthy += states[state].healthy ? counts[state] : 0;
		health.retrievable += states[state].retrievable ? counts[state] : 0;
		health.kept += states[state].kept ? counts[state] : 0;
	}
	if (health.kept < redundancy->required)
		health.verdict = HEALTH_LOST;
	else if (health.healthy <= health_threshold(redundancy))
		health.verdict = health.retrievable < redundancy->required ? HEALTH_BLOCKED
				 : is_urgent(redundancy, health.healthy)   ? HEALTH_URGENT
									   : HEALTH_REPAIR;
	if (health.verdict == HEALTH_REPAIR || health.verdict == HEALTH_URGENT)
		health.rebuild = redundancy->success - health.healthy;
	*ret = health;
}

void health_judge(const struct redundancy *redundancy, const struct health_piece *pieces, uint32_t count,
		  struct health *ret)
{
	uint32_t counts[PIECE_STATES] = {0};

	for (uint32_t i = 0; i < count; i++)
		counts[pieces[i].state]++;
	health_judge_counts(redundancy, counts, ret);
}

/* The chance that a piece in this state does not last. */
static double odds_of(enum piece_state state, double usual)
{
	double suspended = SUSPENDED_ODDS / HEALTH_CERTAIN, gone = GONE_ODDS / HEALTH_CERTAIN;

	switch (state) {
	case PIECE_GOOD:
	case PIECE_AWAY:
	case PIECE_EXITING:
	case PIECE_CROWDED:
		return usual;
	case PIECE_SUSPENDED:
		return usual > suspended ? usual : suspended;
	case PIECE_GONE:
		return usual > gone ? usual : gone;
	case PIECE_DISQUALIFIED:
	case PIECE_LOST:
		break;
	}
	return 1;
}

/* Another piece that fails with chance `odds`, to the chances that 0, 1, … of `count` pieces fail. */
static void add_piece(double *failing, uint32_t count, double odds)
{
	failing[count + 1] = failing[count] * odds;
	for (uint32_t i = count; i > 0; i--)
		failing[i] = failing[i] * (1 - odds) + failing[i - 1] * odds;
	failing[0] *= 1 - odds;
}

double health_chance_of_loss(const struct redundancy *redundancy, const uint32_t counts[PIECE_STATES],
			     const struct health_odds *odds)
{
	double failing[REDUNDANCY_TOTAL + 2] = {1}; /* failing[i]: the chance that i pieces do */
	double daily = (double)odds->daily_failure / HEALTH_CERTAIN, lasts = 1, chance = 0;
	uint32_t count = 0;

	for (uint32_t day = 0; day < odds->days; day++)
		lasts *= 1 - daily;
	for (int state = PIECE_GOOD; state < PIECE_STATES; state++) {
		if (!states[state].kept)
			continue;
		for (uint32_t i = 0; i < counts[state]; i++) {
			assert(count < REDUNDANCY_TOTAL);
			add_piece(failing, count++, odds_of((enum piece_state)state, 1 - lasts));
		}
	}
	if (count < redundancy->required)
		return 1;
	for (uint32_t i = count - redundancy->required + 1; i <= count; i++)
		chance += failing[i];
	return chance < 1 ? chance : 1;
}

uint32_t health_order(double chance_of_loss)
{
	double order;

	if (chance_of_loss >= 1)
		return 0;
	if (!(chance_of_loss > 0))
		return HEALTH_ORDER_MAX;
	order = -log2(chance_of_loss) * 100;
	return order < HEALTH_ORDER_MAX ? (uint32_t)order : HEALTH_ORDER_MAX;
}
