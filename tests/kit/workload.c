/* Steps drawn by weight, with the pieces that would be there kept in mind. */
#include "tests/kit/workload.h"

#include <stdbool.h>

#include "common/random.h"

struct draw {
	struct random_stream dice;
	enum { ABSENT, LIVE, TRASHED } keys[WORKLOAD_KEYS];
	uint32_t versions[WORKLOAD_KEYS];
	uint32_t transfers;
	bool held;
};

static const struct {
	const char *name;
	unsigned weight; /* of a hundred and something, when it makes sense */
} verbs[] = {
	[STEP_PUT] = {"put", 46},
	[STEP_GET] = {"get", 12},
	[STEP_DELETE] = {"delete", 14},
	[STEP_TRASH] = {"trash", 8},
	[STEP_RESTORE] = {"restore", 5},
	[STEP_ABORT] = {"abort", 6},
	[STEP_HOLD] = {"hold", 6},
	[STEP_DROP] = {"drop", 4},
	[STEP_TRANSFER] = {"transfer", 6},
	[STEP_FLUSH] = {"flush", 3},
	[STEP_COMPACT] = {"compact", 3},
	[STEP_UPKEEP] = {"upkeep", 6},
	[STEP_RESTART] = {"restart", 1},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

const char *workload_verb_name(enum verb verb)
{
	return verbs[verb].name;
}

static uint32_t below(struct draw *draw, uint32_t bound)
{
	return (uint32_t)random_stream_below(&draw->dice, bound);
}

/* Most are small, some at the edges, a few larger than a segment. */
static uint32_t draw_len(struct draw *draw)
{
	switch (below(draw, 16)) {
	case 0:
		return 0;
	case 1:
		return 65536 + below(draw, 2);
	case 2:
		return 32767 + below(draw, 3);
	case 3:
	case 4:
		return 65536 + below(draw, 300000);
	case 5:
		return below(draw, 8) == 0 ? 1000000 + below(draw, 400000) : below(draw, 200000);
	case 6:
	case 7:
	case 8:
		return below(draw, 65536);
	default:
		return below(draw, 5000);
	}
}

static enum verb draw_verb(struct draw *draw)
{
	uint32_t sum = 0, at;

	for (size_t i = 0; i < VERBS; i++)
		sum += verbs[i].weight;
	at = below(draw, sum);
	for (size_t i = 0; i < VERBS; i++) {
		if (at < verbs[i].weight)
			return (enum verb)i;
		at -= verbs[i].weight;
	}
	return STEP_GET;
}

/* A key in this state; any, when there is none such. */
static uint32_t draw_key(struct draw *draw, int state)
{
	uint32_t key = below(draw, WORKLOAD_KEYS);

	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++) {
		if ((int)draw->keys[(key + i) % WORKLOAD_KEYS] == state)
			return (key + i) % WORKLOAD_KEYS;
	}
	return key;
}

/* An upload of some key that is not there; a third of them reserve more than they use. */
static struct step draw_upload(struct draw *draw, enum verb verb)
{
	struct step step = {verb, draw_key(draw, ABSENT), 0, draw_len(draw), 0};

	/* Of an upload given up the head was written already, and not yet of one that has its room then. */
	if (verb == STEP_ABORT)
		step.len = 65537 + below(draw, 300000);
	else if (verb == STEP_HOLD && below(draw, 2) == 0)
		step.len = below(draw, 5000);
	if (below(draw, 3) == 0)
		step.limit = step.len + below(draw, 100000);
	if (verb == STEP_PUT) {
		step.version = ++draw->versions[step.key];
		draw->keys[step.key] = LIVE;
	}
	return step;
}

static struct step draw_step(struct draw *draw)
{
	struct step step = {draw_verb(draw), 0, 0, 0, 0};

	switch (step.verb) {
	case STEP_PUT:
	case STEP_ABORT:
		return draw_upload(draw, step.verb);
	case STEP_HOLD:
	case STEP_DROP:
		step = draw->held ? (struct step){STEP_DROP, 0, 0, 0, 0} : draw_upload(draw, STEP_HOLD);
		draw->held = !draw->held;
		break;
	case STEP_GET:
		step.key = below(draw, WORKLOAD_KEYS);
		if (draw->keys[step.key] == TRASHED)
			draw->keys[step.key] = LIVE;
		break;
	case STEP_DELETE:
		step.key = draw_key(draw, below(draw, 4) == 0 ? TRASHED : LIVE);
		draw->keys[step.key] = ABSENT;
		break;
	case STEP_TRASH:
		step.key = draw_key(draw, LIVE);
		if (draw->keys[step.key] == LIVE)
			draw->keys[step.key] = TRASHED;
		break;
	case STEP_RESTORE:
		step.key = draw_key(draw, TRASHED);
		if (draw->keys[step.key] == TRASHED)
			draw->keys[step.key] = LIVE;
		break;
	case STEP_TRANSFER:
		step.key = draw->transfers++ % WORKLOAD_TRANSFERS;
		step.len = draw->transfers;
		break;
	case STEP_RESTART:
		draw->held = false;
		break;
	case STEP_COMPACT:
	case STEP_UPKEEP:
	case STEP_FLUSH:
		break;
	}
	return step;
}

void workload_draw(uint64_t seed, struct step *steps, size_t count)
{
	struct draw draw = {.held = false};

	random_stream_init(&draw.dice, bytes_of(&seed, sizeof(seed)));
	for (size_t i = 0; i < count; i++)
		steps[i] = draw_step(&draw);
	if (draw.held)
		steps[count - 1] = (struct step){STEP_DROP, 0, 0, 0, 0};
}
