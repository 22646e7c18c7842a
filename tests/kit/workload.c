/* Steps drawn by weight, with the pieces that would be there kept in mind. */
#include "tests/kit/workload.h"

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
	[STEP_COMPACT] = {"compact", 5},
	[STEP_CHECKPOINT] = {"checkpoint", 3},
	[STEP_UPKEEP] = {"upkeep", 6},
	[STEP_RESTART] = {"restart", 1},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

const char *workload_verb_name(enum verb verb)
{
	return verbs[verb].name;
}

static uint32_t below(struct workload *workload, uint32_t bound)
{
	return (uint32_t)random_stream_below(&workload->dice, bound);
}

/* Most are small, some at the edges, a few larger than a segment. */
static uint32_t draw_len(struct workload *workload)
{
	switch (below(workload, 16)) {
	case 0:
		return 0;
	case 1:
		return 65536 + below(workload, 2);
	case 2:
		return 32767 + below(workload, 3);
	case 3:
	case 4:
		return 65536 + below(workload, 300000);
	case 5:
		return below(workload, 8) == 0 ? 1000000 + below(workload, 400000) : below(workload, 200000);
	case 6:
	case 7:
	case 8:
		return below(workload, 65536);
	default:
		return below(workload, 5000);
	}
}

static enum verb draw_verb(struct workload *workload)
{
	uint32_t sum = 0, at;

	for (size_t i = 0; i < VERBS; i++)
		sum += verbs[i].weight;
	at = below(workload, sum);
	for (size_t i = 0; i < VERBS; i++) {
		if (at < verbs[i].weight)
			return (enum verb)i;
		at -= verbs[i].weight;
	}
	return STEP_GET;
}

/* A key in this state; any, when there is none such. */
static uint32_t draw_key(struct workload *workload, int state)
{
	uint32_t key = below(workload, WORKLOAD_KEYS);

	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++) {
		if ((int)workload->keys[(key + i) % WORKLOAD_KEYS] == state)
			return (key + i) % WORKLOAD_KEYS;
	}
	return key;
}

/* An upload of some key that is not there; a third of them reserve more than they use. */
static struct step draw_upload(struct workload *workload, enum verb verb)
{
	struct step step = {verb, draw_key(workload, WORKLOAD_ABSENT), 0, draw_len(workload), 0, 0};

	/* Of an upload given up the head was written already, and not yet of one that has its room then. */
	if (verb == STEP_ABORT)
		step.len = 65537 + below(workload, 300000);
	else if (verb == STEP_HOLD && below(workload, 2) == 0)
		step.len = below(workload, 5000);
	if (below(workload, 3) == 0)
		step.limit = step.len + below(workload, 100000);
	/* Far enough ahead that none expires in a test. */
	if (verb == STEP_PUT && step.limit == 0 && below(workload, 4) == 0)
		step.days = 2 + below(workload, 9);
	if (verb == STEP_PUT) {
		step.version = ++workload->versions[step.key];
		workload->keys[step.key] = WORKLOAD_LIVE;
	}
	return step;
}

struct step workload_next(struct workload *workload)
{
	struct step step = {draw_verb(workload), 0, 0, 0, 0, 0};

	switch (step.verb) {
	case STEP_PUT:
	case STEP_ABORT:
		return draw_upload(workload, step.verb);
	case STEP_HOLD:
	case STEP_DROP:
		step = workload->held ? (struct step){.verb = STEP_DROP} : draw_upload(workload, STEP_HOLD);
		workload->held = !workload->held;
		break;
	case STEP_GET:
		step.key = below(workload, WORKLOAD_KEYS);
		if (workload->keys[step.key] == WORKLOAD_TRASHED)
			workload->keys[step.key] = WORKLOAD_LIVE;
		break;
	case STEP_DELETE:
		step.key = draw_key(workload, below(workload, 4) == 0 ? WORKLOAD_TRASHED : WORKLOAD_LIVE);
		workload->keys[step.key] = WORKLOAD_ABSENT;
		break;
	case STEP_TRASH:
		step.key = draw_key(workload, WORKLOAD_LIVE);
		if (workload->keys[step.key] == WORKLOAD_LIVE)
			workload->keys[step.key] = WORKLOAD_TRASHED;
		break;
	case STEP_RESTORE:
		step.key = draw_key(workload, WORKLOAD_TRASHED);
		if (workload->keys[step.key] == WORKLOAD_TRASHED)
			workload->keys[step.key] = WORKLOAD_LIVE;
		break;
	case STEP_TRANSFER:
		step.key = workload->transfers++ % WORKLOAD_TRANSFERS;
		step.len = workload->transfers;
		break;
	case STEP_RESTART:
		workload->held = false;
		break;
	case STEP_COMPACT:
	case STEP_CHECKPOINT:
	case STEP_UPKEEP:
	case STEP_FLUSH:
		break;
	}
	return step;
}

void workload_begin(struct workload *workload, uint64_t seed)
{
	*workload = (struct workload){.held = false};
	random_stream_init(&workload->dice, bytes_of(&seed, sizeof(seed)));
}

void workload_draw(uint64_t seed, struct step *steps, size_t count)
{
	struct workload workload;

	workload_begin(&workload, seed);
	for (size_t i = 0; i < count; i++)
		steps[i] = workload_next(&workload);
	if (workload.held)
		steps[count - 1] = (struct step){.verb = STEP_DROP};
}
