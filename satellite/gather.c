/* From sums by hour to a month's facts. */
#include "satellite/gather.h"

#include <string.h>

#include "satellite/storage.h"

#define DAY_HOURS 24

static enum err add_storage(struct database *db, const struct address *node, const struct stretch *stretch,
			    const struct pricing *pricing, struct gathered *gathered)
{
	struct storage_walk walk;
	enum err err = storage_walk_begin(&walk, db, node, stretch->first_day);

	if (err != ERR_OK)
		return err;
	while (err == ERR_OK && walk.day < stretch->end_day && walk.day * USAGE_DAY <= stretch->until) {
		struct prices prices = pricing_day(pricing, walk.day);
		struct byte_seconds day;

		err = storage_walk_day(&walk, stretch->until, &day);
		if (err == ERR_OK)
			err = month_add_stored(&gathered->month, day, &prices);
		if (err == ERR_OK)
			err = byte_seconds_add(gathered->tally.stored, day, &gathered->tally.stored);
	}
	gathered->carried = walk.carried;
	storage_walk_end(&walk);
	return err;
}

static struct query *select_hours(struct database *db, const char *sql, const struct address *node,
				  const struct stretch *stretch)
{
	struct query *q = database_query(db, sql);

	query_address(q, "node", node);
	query_int(q, "first", stretch->first_day * DAY_HOURS);
	query_int(q, "end", stretch->end_day * DAY_HOURS);
	return q;
}

/* Columns: day, action, bytes, orders. */
static enum err add_traffic(struct query *q, const struct pricing *pricing, struct gathered *gathered)
{
	struct prices prices = pricing_day(pricing, query_get_int(q, 0));
	enum action action = (enum action)query_get_int(q, 1);
	uint64_t bytes = query_get_int(q, 2);
	enum err err = month_add_traffic(&gathered->month, action, bytes, &prices);

	gathered->orders += query_get_int(q, 3);
	return err == ERR_OK ? tally_add_traffic(&gathered->tally, action, bytes) : err;
}

/* Columns: day, bytes, passed, failed. */
static enum err add_audits(struct query *q, const struct pricing *pricing, struct gathered *gathered)
{
	struct prices prices = pricing_day(pricing, query_get_int(q, 0));
	uint64_t bytes = query_get_int(q, 1);
	enum err err = month_add_traffic(&gathered->month, ACTION_GET_AUDIT, bytes, &prices);

	gathered->audits_passed += query_get_int(q, 2);
	gathered->audits_failed += query_get_int(q, 3);
	return err == ERR_OK ? tally_add_traffic(&gathered->tally, ACTION_GET_AUDIT, bytes) : err;
}

static const struct source {
	const char *sql;
	enum err (*add)(struct query *q, const struct pricing *pricing, struct gathered *gathered);
} sources[] = {
	{"SELECT hour / 24 AS day, action, SUM(bytes), SUM(orders) FROM traffic WHERE node = $node AND hour >= $first "
	 "AND hour < $end GROUP BY hour / 24, action",
	 add_traffic},
	{"SELECT hour / 24 AS day, SUM(bytes), SUM(passed), SUM(failed) FROM audited WHERE node = $node AND hour >= "
	 "$first AND hour < $end GROUP BY hour / 24",
	 add_audits},
};

enum err gather_node(struct database *db, const struct address *node, const struct stretch *stretch,
		     struct pricing *pricing, struct gathered *ret)
{
	enum err err = pricing_set_node(pricing, db, node);

	memset(ret, 0, sizeof(*ret));
	month_begin(&ret->month, stretch->at);
	ret->tally.at = stretch->at;
	if (err == ERR_OK)
		err = add_storage(db, node, stretch, pricing, ret);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && err == ERR_OK; i++) {
		struct query *q = select_hours(db, sources[i].sql, node, stretch);
		bool row = true;

		for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
			err = sources[i].add(q, pricing, ret);
			if (err != ERR_OK)
				break;
		}
		query_reset(q);
	}
	return err;
}
