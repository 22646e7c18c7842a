/* Taking reports. */
#include "satellite/reports.h"

#include <string.h>

#include "common/clock.h"
#include "payments/rules.h"

#define LATE 3600 /* seconds after an allocation has lapsed, for the last word about it */

/* A report under way. */
struct taking {
	struct address nodes[MESSAGE_REPORT_MAX]; /* of the transfers that count */
	struct bytes32 serials[MESSAGE_REPORT_MAX];
	struct experience_seen seen[MESSAGE_REPORT_MAX];
	size_t count;
	enum action action; /* of the first; others are of another kind, and not to be held against it */
	unsigned jury;
	uint64_t now;
};

static bool is_known(const struct taking *taking, const struct bytes32 *serial)
{
	for (size_t i = 0; i < taking->count; i++)
		if (bytes32_equal(&taking->serials[i], serial))
			return true;
	return false;
}

static bool counts(const struct taking *taking, const struct work *work, const struct item_transfer *item,
		   struct allocation *ret)
{
	const struct desk *desk = work->desk;
	struct signature signature;

	if (item->outcome == 0 || typed_decode(&typed_allocation, item->allocation, ret, &signature) != ERR_OK)
		return false;
	if (!address_equal(&ret->client, &work->caller->address) || item->bytes > ret->limit)
		return false;
	if (ret->issued > taking->now || taking->now > ret->expires + LATE || is_known(taking, &ret->serial))
		return false;
	if ((ret->action != ACTION_PUT && ret->action != ACTION_GET) ||
	    (taking->count > 0 && (enum action)ret->action != taking->action))
		return false;
	return typed_verify(&typed_allocation, ret, &desk->settings->domain, &signature, key_address(desk->key)) ==
	       REFUSAL_NONE;
}

static void read_report(struct taking *taking, const struct work *work)
{
	const struct list *list = &work->message->report.transfers;
	struct reader r;

	reader_init(&r, list->raw);
	for (uint32_t i = 0; i < list->count; i++) {
		struct allocation allocation;
		struct item_transfer item;

		list_next(&item_transfer_fields, &r, &item);
		if (!counts(taking, work, &item, &allocation))
			continue;
		taking->nodes[taking->count] = allocation.node;
		taking->serials[taking->count] = allocation.serial;
		taking->seen[taking->count++] =
			(struct experience_seen){.outcome = (enum transfer_outcome)item.outcome, .ms = item.ms};
		taking->action = (enum action)allocation.action;
	}
}

/* Columns from `first` on: at, succeeded, failed, timed, pace. */
static struct experience read_sum(struct query *q, int first)
{
	return (struct experience){query_get_int(q, first), query_get_int(q, first + 1), query_get_int(q, first + 2),
				   query_get_int(q, first + 3), query_get_int(q, first + 4)};
}

static enum err find_sum(struct database *db, const struct address *node, unsigned jury, struct experience *ret)
{
	struct query *q = database_query(db, "SELECT at, succeeded, failed, timed, pace FROM experiences WHERE "
					     "node = $node AND jury = $jury");
	enum err err;

	query_address(q, "node", node);
	query_int(q, "jury", jury);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = read_sum(q, 0);
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err keep_sum(struct database *db, const struct address *node, unsigned jury, const struct experience *sum)
{
	struct query *q = database_query(
		db, "INSERT INTO experiences (node, jury, at, succeeded, failed, timed, pace) VALUES ($node, $jury, "
		    "$at, $succeeded, $failed, $timed, $pace) ON CONFLICT (node, jury) DO UPDATE SET at = excluded.at, "
		    "succeeded = excluded.succeeded, failed = excluded.failed, timed = excluded.timed, "
		    "pace = excluded.pace");

	query_address(q, "node", node);
	query_int(q, "jury", jury);
	query_int(q, "at", sum->at);
	query_int(q, "succeeded", sum->succeeded);
	query_int(q, "failed", sum->failed);
	query_int(q, "timed", sum->timed);
	query_int(q, "pace", sum->pace);
	return query_run(q);
}

static enum err keep(struct database *db, void *arg)
{
	const struct taking *taking = arg;
	enum err err = ERR_OK;

	for (size_t i = 0; i < taking->count && err == ERR_OK; i++) {
		struct experience sum = {.at = taking->now};

		err = find_sum(db, &taking->nodes[i], taking->jury, &sum);
		experience_fade(&sum, taking->now);
		experience_add(&sum, &taking->seen[i]);
		if (err == ERR_OK)
			err = keep_sum(db, &taking->nodes[i], taking->jury, &sum);
	}
	return err;
}

enum err reports_take(struct work *work)
{
	struct taking taking = {.now = clock_wall(), .jury = experience_jury(&work->caller->address)};

	read_report(&taking, work);
	if (taking.count == 0)
		return ERR_OK;
	experience_weigh(taking.seen, taking.count);
	return database_transaction(work->desk->db, keep, &taking);
}

enum err reports_each(struct database *db, uint64_t now, reports_visit *visit, void *arg)
{
	struct query *q = database_query(
		db, "SELECT node, at, succeeded, failed, timed, pace FROM experiences ORDER BY node");
	struct experience all = {0}, sum;
	struct address node, last = {{0}};
	struct select_record record;
	bool row, any = false;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = query_get_exact(q, 0, node.b, sizeof(node.b));
		if (err == ERR_OK && any && !address_equal(&node, &last)) {
			record = experience_record(&all);
			err = visit(&last, &record, arg);
			all = (struct experience){0};
		}
		if (err != ERR_OK)
			break;
		sum = read_sum(q, 1);
		experience_fade(&sum, now);
		experience_hear(&all, &sum);
		last = node;
		any = true;
	}
	query_reset(q);
	record = experience_record(&all);
	return err == ERR_OK && any ? visit(&last, &record, arg) : err;
}
