/*
 * SQL of the repair queue.
 *
 * Rows are ordered by one number, in three bands: urgent ones, the others that need repair, and those from which
 * pieces only move away.
 */
#include "satellite/repairs.h"

#include <stdio.h>

#define BAND (HEALTH_ORDER_MAX + 1)
#define RETRY_FIRST 30	  /* seconds until a repair that failed is tried again, … */
#define RETRY_DOUBLINGS 7 /* … twice as many with each failure, up to an hour */

static uint64_t place_of(const struct segment_health *h)
{
	uint64_t band = h->health.verdict == HEALTH_FINE ? 2 : h->health.verdict == HEALTH_REPAIR ? 1 : 0;

	return band * BAND + h->place;
}

static enum err note_healthy(struct database *db, const struct segment_health *h)
{
	struct query *q = database_query(db, "UPDATE segments SET healthy = $healthy WHERE segment = $segment AND "
					     "(healthy IS NULL OR healthy <> $healthy)");

	query_int(q, "healthy", h->health.healthy);
	query_bytes32(q, "segment", &h->segment);
	return query_run(q);
}

static enum err notice_lost(struct database *db, const struct segment_health *h)
{
	struct query *q = database_query(db, "UPDATE pieces SET noticed = 1 WHERE segment = $segment AND lost > 0 AND "
					     "noticed = 0");

	query_bytes32(q, "segment", &h->segment);
	return query_run(q);
}

static enum err put(struct database *db, const struct segment_health *h, uint64_t now)
{
	struct query *q =
		database_query(db, "INSERT INTO repairs (segment, verdict, place, healthy, retrievable, moving, since, "
				   "due, until, holder, tries, why) VALUES ($segment, $verdict, $place, $healthy, "
				   "$retrievable, $moving, $now, $now, 0, $nobody, 0, '') ON CONFLICT (segment) DO "
				   "UPDATE SET due = CASE WHEN repairs.verdict = excluded.verdict AND repairs.healthy "
				   "= excluded.healthy AND repairs.retrievable = excluded.retrievable AND "
				   "repairs.moving = excluded.moving THEN repairs.due ELSE excluded.due END, "
				   "verdict = excluded.verdict, place = excluded.place, healthy = excluded.healthy, "
				   "retrievable = excluded.retrievable, moving = excluded.moving");

	query_bytes32(q, "segment", &h->segment);
	query_int(q, "verdict", h->health.verdict);
	query_int(q, "place", place_of(h));
	query_int(q, "healthy", h->health.healthy);
	query_int(q, "retrievable", h->health.retrievable);
	query_int(q, "moving", h->counts[PIECE_EXITING]);
	query_int(q, "now", now);
	query_bytes(q, "nobody", bytes_of("", 0));
	return query_run(q);
}

static bool is_queued(const struct segment_health *h)
{
	return h->health.verdict != HEALTH_FINE || h->counts[PIECE_EXITING] > 0;
}

/* Columns: healthy pieces as noted; of the row: verdict, healthy, retrievable, moving, place; lost pieces unnoticed. */
static bool is_same(struct query *q, const struct segment_health *h)
{
	if (query_is_null(q, 0) || query_get_int(q, 0) != h->health.healthy || query_get_int(q, 6) > 0)
		return false;
	if (!is_queued(h))
		return query_is_null(q, 1);
	return query_get_int(q, 1) == h->health.verdict && query_get_int(q, 2) == h->health.healthy &&
	       query_get_int(q, 3) == h->health.retrievable && query_get_int(q, 4) == h->counts[PIECE_EXITING] &&
	       query_get_int(q, 5) == place_of(h);
}

enum err repairs_is_current(struct database *db, const struct segment_health *health, bool *ret)
{
	struct query *q =
		database_query(db, "SELECT s.healthy, r.verdict, r.healthy, r.retrievable, r.moving, r.place, "
				   "(SELECT COUNT(*) FROM pieces p WHERE p.segment = s.segment AND p.lost > 0 "
				   "AND p.noticed = 0) FROM segments s LEFT JOIN repairs r ON r.segment = "
				   "s.segment WHERE s.segment = $segment");
	enum err err;

	query_bytes32(q, "segment", &health->segment);
	err = query_one(q);
	*ret = err == ERR_OK && is_same(q, health);
	query_reset(q);
	return err;
}

enum err repairs_is_forgotten(struct database *db, const struct bytes32 *segment, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM repairs WHERE segment = $segment");
	enum err err;

	query_bytes32(q, "segment", segment);
	err = query_one(q);
	query_reset(q);
	*ret = err == ERR_NOT_FOUND;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err repairs_judge(struct database *db, const struct segment_health *health, uint64_t now)
{
	enum err err = note_healthy(db, health);

	if (err == ERR_OK && health->counts[PIECE_LOST] > 0)
		err = notice_lost(db, health);
	if (err != ERR_OK)
		return err;
	return is_queued(health) ? put(db, health, now) : repairs_forget(db, &health->segment);
}

enum err repairs_forget(struct database *db, const struct bytes32 *segment)
{
	struct query *q = database_query(db, "DELETE FROM repairs WHERE segment = $segment");

	query_bytes32(q, "segment", segment);
	return query_run(q);
}

struct claim {
	const struct repair_pace *pace;
	struct bytes32 *segment;
};

static enum err read_budget(struct database *db, uint64_t *ret_until)
{
	struct query *q = database_query(db, "SELECT until FROM budgets WHERE name = 'repair'");
	enum err err = query_one(q);

	*ret_until = err == ERR_OK ? query_get_int(q, 0) : 0;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err find_due(struct database *db, const struct claim *claim, uint64_t below)
{
	struct query *q =
		database_query(db, "SELECT segment FROM repairs WHERE place < $below AND verdict <= $last AND "
				   "due <= $now AND until <= $now ORDER BY place, since LIMIT 1");
	enum err err;

	query_int(q, "below", below);
	query_int(q, "last", HEALTH_URGENT);
	query_int(q, "now", claim->pace->now);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, claim->segment->b, sizeof(claim->segment->b));
	query_reset(q);
	return err;
}

static enum err take(struct database *db, void *arg)
{
	const struct claim *claim = arg;
	uint64_t budget = 0;
	struct query *q;
	enum err err = ERR_OK;

	if (claim->pace->bandwidth > 0)
		err = read_budget(db, &budget);
	if (err == ERR_OK)
		err = find_due(db, claim, budget > claim->pace->now_ms ? BAND : 3 * BAND);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE repairs SET holder = $holder, until = $until WHERE segment = $segment");
	query_bytes(q, "holder", bytes_of(claim->pace->holder.name, LEASE_HOLDER));
	query_int(q, "until", claim->pace->now + REPAIRS_LEASE);
	query_bytes32(q, "segment", claim->segment);
	return query_run(q);
}

enum err repairs_claim(struct database *db, const struct repair_pace *pace, struct bytes32 *ret)
{
	struct bytes32 segment;
	struct claim claim = {pace, &segment};
	/* The write lock is taken only when there is something to claim. */
	enum err err = find_due(db, &claim, 3 * BAND);

	if (err == ERR_OK)
		err = database_transaction(db, take, &claim);
	if (err == ERR_OK)
		*ret = segment;
	return err;
}

enum err repairs_charge(struct database *db, const struct repair_pace *pace, uint64_t bytes)
{
	struct query *q;

	if (pace->bandwidth == 0)
		return ERR_OK;
	q = database_query(db, "INSERT INTO budgets (name, until) VALUES ('repair', $now + $ms) ON CONFLICT (name) DO "
			       "UPDATE SET until = $ms + CASE WHEN budgets.until > $now THEN budgets.until ELSE $now "
			       "END");
	query_int(q, "now", pace->now_ms);
	query_int(q, "ms", (uint64_t)((unsigned __int128)bytes * 1000 / pace->bandwidth));
	return query_run(q);
}

enum err repairs_fail(struct database *db, const struct bytes32 *segment, uint64_t now, const char *why)
{
	struct query *q = database_query(db, "UPDATE repairs SET until = 0, tries = tries + 1, why = $why, due = $now "
					     "+ CASE WHEN tries < $doublings THEN $first * (1 << tries) ELSE 3600 END "
					     "WHERE segment = $segment");

	query_text(q, "why", why);
	query_int(q, "now", now);
	query_int(q, "doublings", RETRY_DOUBLINGS);
	query_int(q, "first", RETRY_FIRST);
	query_bytes32(q, "segment", segment);
	return query_run(q);
}

enum err repairs_postpone(struct database *db, const struct bytes32 *segment, uint64_t due, const char *why)
{
	struct query *q = database_query(db, "UPDATE repairs SET until = 0, why = $why, due = $due WHERE segment = "
					     "$segment");

	query_text(q, "why", why);
	query_int(q, "due", due);
	query_bytes32(q, "segment", segment);
	return query_run(q);
}

enum err repairs_count(struct database *db, uint64_t now, const struct repair_sums *sums)
{
	struct query *q =
		database_query(db, "INSERT INTO repaired (hour, segments, rebuilt, moved, failed, bytes_read, "
				   "bytes_stored) VALUES ($hour, $segments, $rebuilt, $moved, $failed, $bytes_read, "
				   "$bytes_stored) ON CONFLICT (hour) DO UPDATE SET segments = repaired.segments + "
				   "excluded.segments, rebuilt = repaired.rebuilt + excluded.rebuilt, moved = "
				   "repaired.moved + excluded.moved, failed = repaired.failed + excluded.failed, "
				   "bytes_read = repaired.bytes_read + excluded.bytes_read, bytes_stored = "
				   "repaired.bytes_stored + excluded.bytes_stored");

	query_int(q, "hour", now / 3600);
	query_int(q, "segments", sums->segments);
	query_int(q, "rebuilt", sums->rebuilt);
	query_int(q, "moved", sums->moved);
	query_int(q, "failed", sums->failed);
	query_int(q, "bytes_read", sums->bytes_read);
	query_int(q, "bytes_stored", sums->bytes_stored);
	return query_run(q);
}

static enum err read_row(struct query *q, uint64_t now, struct repair_row *ret)
{
	ret->verdict = (enum health_verdict)query_get_int(q, 1);
	ret->place = (uint32_t)query_get_int(q, 2);
	ret->healthy = (uint32_t)query_get_int(q, 3);
	ret->retrievable = (uint32_t)query_get_int(q, 4);
	ret->moving = (uint32_t)query_get_int(q, 5);
	ret->since = query_get_int(q, 6);
	ret->due = query_get_int(q, 7);
	ret->claimed = query_get_int(q, 8) > now;
	ret->tries = (uint32_t)query_get_int(q, 9);
	ret->why = query_get_text(q, 10);
	return query_get_exact(q, 0, ret->segment.b, sizeof(ret->segment.b));
}

enum err repairs_each(struct database *db, uint64_t now, uint32_t limit, repairs_visit *visit, void *arg)
{
	struct query *q =
		database_query(db, "SELECT segment, verdict, place, healthy, retrievable, moving, since, due, "
				   "until, tries, why FROM repairs ORDER BY place, since LIMIT $limit");
	struct repair_row row;
	bool any;
	enum err err;

	query_int(q, "limit", limit);
	for (err = query_step(q, &any); err == ERR_OK && any; err = query_step(q, &any)) {
		err = read_row(q, now, &row);
		if (err == ERR_OK)
			err = visit(&row, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err count_verdicts(struct database *db, struct repair_facts *ret)
{
	struct query *q = database_query(db, "SELECT verdict, COUNT(*), MIN(since) FROM repairs GROUP BY verdict");
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		uint64_t verdict = query_get_int(q, 0), since = query_get_int(q, 2);

		if (verdict > HEALTH_LOST)
			continue;
		ret->by_verdict[verdict] = query_get_int(q, 1);
		if ((verdict == HEALTH_REPAIR || verdict == HEALTH_URGENT) && (ret->oldest == 0 || since < ret->oldest))
			ret->oldest = since;
	}
	query_reset(q);
	return err;
}

enum err repairs_facts(struct database *db, struct repair_facts *ret)
{
	struct query *q = database_query(db, "SELECT COALESCE(SUM(segments), 0), COALESCE(SUM(rebuilt), 0), "
					     "COALESCE(SUM(moved), 0), COALESCE(SUM(failed), 0), "
					     "COALESCE(SUM(bytes_read), 0), COALESCE(SUM(bytes_stored), 0) FROM "
					     "repaired");
	enum err err;

	*ret = (struct repair_facts){.oldest = 0};
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	ret->done = (struct repair_sums){query_get_int(q, 0), query_get_int(q, 1), query_get_int(q, 2),
					 query_get_int(q, 3), query_get_int(q, 4), query_get_int(q, 5)};
	query_reset(q);
	return count_verdicts(db, ret);
}

enum err repairs_histogram(struct database *db, enum err (*each)(uint32_t healthy, uint64_t segments, void *arg),
			   void *arg)
{
	struct query *q = database_query(db, "SELECT s.healthy, COUNT(*) FROM segments s JOIN objects o ON o.version = "
					     "s.version WHERE s.state = 2 AND s.data IS NULL AND o.state = 2 GROUP BY "
					     "s.healthy ORDER BY s.healthy");
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = each(query_is_null(q, 0) ? UINT32_MAX : (uint32_t)query_get_int(q, 0), query_get_int(q, 1), arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
