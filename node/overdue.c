/* A state under a lock, and what it was when something was last said. */
#include "node/overdue.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "payments/rules.h"

struct overdue {
	pthread_mutex_t lock;
	struct overdue_state state;
};

const char *overdue_name(enum overdue_level level)
{
	switch (level) {
	case OVERDUE_NONE:
		return "none";
	case OVERDUE_WAITING:
		return "waiting";
	case OVERDUE_LAPSING_SOON:
		return "lapsing";
	}
	return "unknown";
}

struct overdue_state overdue_judge(const struct ledger_oldest *oldest, uint64_t now)
{
	struct overdue_state state = {.since = oldest->at};

	if (oldest->at == 0)
		return state;
	/* The allocation ends within the hour that its serial names: at its beginning, for all we can be sure of. */
	state.until = oldest->hour * 3600 + RULES_GRACE;
	if (now + OVERDUE_LAPSING >= state.until)
		state.level = OVERDUE_LAPSING_SOON;
	else if (now > oldest->at && now - oldest->at > OVERDUE_AFTER)
		state.level = OVERDUE_WAITING;
	return state;
}

struct overdue *overdue_new(void)
{
	struct overdue *overdue = memory_new(1, sizeof(*overdue));

	pthread_mutex_init(&overdue->lock, NULL);
	return overdue;
}

void overdue_free(struct overdue *overdue)
{
	if (overdue == NULL)
		return;
	pthread_mutex_destroy(&overdue->lock);
	free(overdue);
}

static void report(const struct overdue_state *state)
{
	char since[24], until[24];

	if (state->level == OVERDUE_NONE)
		log_event(LOG_INFO, "orders_in_time", "level=%s", overdue_name(state->level));
	else
		log_event(LOG_WARN, "orders_overdue", "level=%s since=%s settle_by=%s", overdue_name(state->level),
			  clock_format(state->since, since, sizeof(since)),
			  clock_format(state->until, until, sizeof(until)));
}

void overdue_see(struct overdue *overdue, const struct ledger_oldest *oldest)
{
	struct overdue_state state = overdue_judge(oldest, clock_wall());
	bool changed;

	pthread_mutex_lock(&overdue->lock);
	changed = state.level != overdue->state.level;
	overdue->state = state;
	pthread_mutex_unlock(&overdue->lock);
	if (changed)
		report(&state);
}

struct overdue_state overdue_now(struct overdue *overdue)
{
	struct overdue_state state;

	pthread_mutex_lock(&overdue->lock);
	state = overdue->state;
	pthread_mutex_unlock(&overdue->lock);
	return state;
}
