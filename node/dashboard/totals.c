/* One walk over the history. */
#include "node/dashboard/totals.h"

#include <string.h>

#define ACTIONS 5

static const char *const names[ACTIONS] = {"put", "get", "audit", "get_repair", "put_repair"};

const char *totals_action_name(enum action action)
{
	return action >= 1 && action <= ACTIONS ? names[action - 1] : "";
}

struct sums {
	uint64_t outcomes[METER_OUTCOMES];
	uint64_t bytes;
};

static enum err add(void *arg, const struct history_traffic *point)
{
	struct sums *sums = arg, *of[2] = {&sums[0], NULL};

	if (point->action >= 1 && point->action <= ACTIONS)
		of[1] = &sums[point->action];
	for (size_t i = 0; i < 2 && of[i] != NULL; i++) {
		for (size_t k = 0; k < METER_OUTCOMES; k++)
			of[i]->outcomes[k] += point->outcomes[k];
		of[i]->bytes += point->bytes;
	}
	return ERR_OK;
}

static json_t *json_of(const struct sums *sums)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "bytes", (json_int_t)sums->bytes, "done",
			 (json_int_t)sums->outcomes[METER_DONE], "lost", (json_int_t)sums->outcomes[METER_LOST],
			 "failed", (json_int_t)sums->outcomes[METER_FAILED]);
}

json_t *totals_json(struct desk *desk, uint64_t from, uint64_t until, const struct address *satellite)
{
	const struct history_range range = {from, until, HISTORY_HOUR, satellite};
	struct sums sums[1 + ACTIONS];
	json_t *json, *actions = json_object();

	memset(sums, 0, sizeof(sums));
	if (history_each_traffic(desk->history, &range, add, sums) != ERR_OK)
		memset(sums, 0, sizeof(sums));
	for (size_t i = 0; i < ACTIONS; i++)
		json_object_set_new(actions, names[i], json_of(&sums[1 + i]));
	json = json_of(&sums[0]);
	json_object_set_new(json, "actions", actions);
	return json;
}
