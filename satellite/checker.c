/* Batches of segments to judge, from four sides. */
#include "satellite/checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "satellite/exits.h"
#include "satellite/rebuilds.h"
#include "satellite/registry.h"
#include "satellite/repairs.h"

#define BATCH 100
#define PAUSE_MS 1000
#define WORK "checker"
#define LEASE_SECONDS 20 /* short, for it also holds up the next process after a restart; renewed at half of it */
#define WALK_SECONDS (6 * 3600) /* from one walk over all segments to the next */

/* Segments to judge. */
struct batch {
	const struct desk *desk;
	uint64_t now;
	struct bytes32 ids[BATCH];
	uint32_t count;
	struct bytes32 last; /* piece or segment up to which this batch goes */
};

static enum err judge(struct database *db, const struct batch *batch, const struct bytes32 *id, bool write,
		      struct segment_health *room, bool *ret_current)
{
	enum err err = segment_health_read(batch->desk, id, batch->now, room);

	if (err == ERR_NOT_FOUND)
		return write ? repairs_forget(db, id) : repairs_is_forgotten(db, id, ret_current);
	if (err != ERR_OK)
		return err;
	return write ? repairs_judge(db, room, batch->now) : repairs_is_current(db, room, ret_current);
}

/* Drop those of which all is known already. */
static enum err sieve(struct database *db, void *arg)
{
	struct batch *batch = arg;
	struct segment_health *room = memory_new(1, sizeof(*room));
	uint32_t kept = 0;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++) {
		bool current = false;

		err = judge(db, batch, &batch->ids[i], false, room, &current);
		if (!current)
			batch->ids[kept++] = batch->ids[i];
	}
	batch->count = kept;
	free(room);
	return err;
}

static enum err judge_all(struct database *db, void *arg)
{
	struct batch *batch = arg;
	struct segment_health *room = memory_new(1, sizeof(*room));
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++)
		err = judge(db, batch, &batch->ids[i], true, room, NULL);
	free(room);
	return err;
}

/* The write lock is taken only for what is news. */
static enum err judge_batch(struct batch *batch)
{
	enum err err = ERR_OK;

	if (batch->count > 0)
		err = database_view(batch->desk->db, sieve, batch);
	return err == ERR_OK && batch->count > 0 ? database_transaction(batch->desk->db, judge_all, batch) : err;
}

/* Columns: segment, and what `last` is. */
static enum err read_batch(struct query *q, struct batch *batch)
{
	bool row;
	enum err err;

	batch->count = 0;
	query_int(q, "limit", BATCH);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = query_get_exact(q, 0, batch->ids[batch->count++].b, sizeof(batch->ids[0].b));
		if (err == ERR_OK)
			err = query_get_exact(q, 1, batch->last.b, sizeof(batch->last.b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err judge_found(struct desk *desk, const char *sql, bool *ret_more)
{
	struct batch *batch = memory_new(1, sizeof(*batch));
	enum err err;

	batch->desk = desk;
	batch->now = clock_wall();
	err = read_batch(database_query(desk->db, sql), batch);
	*ret_more = batch->count == BATCH;
	if (err == ERR_OK)
		err = judge_batch(batch);
	free(batch);
	return err;
}

static enum err look_at_lost(struct desk *desk, bool *ret_more)
{
	return judge_found(
		desk,
		"SELECT DISTINCT p.segment, p.segment FROM pieces p JOIN segments s ON s.segment = p.segment "
		"JOIN objects o ON o.version = s.version WHERE p.lost > 0 AND p.noticed = 0 AND o.state = 2 "
		"LIMIT $limit",
		ret_more);
}

static enum err look_at_new(struct desk *desk, bool *ret_more)
{
	return judge_found(desk,
			   "SELECT s.segment, s.segment FROM segments s JOIN objects o ON o.version = s.version WHERE "
			   "s.state = 2 AND s.healthy IS NULL AND s.data IS NULL AND o.state = 2 LIMIT $limit",
			   ret_more);
}

/* Nodes that are not as they were. */
struct changed_node {
	struct address node;
	enum piece_state state;
	char network[SEGMENT_HEALTH_NETWORK];
};

struct changes {
	const struct desk *desk;
	struct changed_node *nodes;
	size_t count, room;
};

/* Columns: address, state, checked_in, reachable, reached, network, and the last two as they are watched. */
static enum err compare_node(struct query *q, struct changes *changes, uint64_t now)
{
	const struct settings *settings = changes->desk->settings;
	bool online = query_get_int(q, 3) == 1 && query_get_int(q, 2) >= registry_online_since(settings, now);
	struct changed_node node = {.state = segment_health_of_node(settings, (enum node_state)query_get_int(q, 1),
								    online, query_get_int(q, 4), now)};
	enum err err = query_get_exact(q, 0, node.node.b, sizeof(node.node.b));

	snprintf(node.network, sizeof(node.network), "%s", query_get_text(q, 5));
	if (err != ERR_OK || (query_get_int(q, 6) == node.state && strcmp(query_get_text(q, 7), node.network) == 0))
		return err;
	changes->nodes = memory_grow(changes->nodes, &changes->room, changes->count + 1, sizeof(*changes->nodes));
	changes->nodes[changes->count++] = node;
	return ERR_OK;
}

static enum err find_changed(struct changes *changes)
{
	struct query *q = database_query(changes->desk->db,
					 "SELECT n.address, r.state, n.checked_in, n.reachable, n.reached, n.network, "
					 "w.state, w.network FROM nodes n JOIN reputations r ON r.node = n.address "
					 "LEFT JOIN watched w ON w.node = n.address");
	uint64_t now = clock_wall();
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = compare_node(q, changes, now);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err watch(struct database *db, void *arg)
{
	const struct changes *changes = arg;
	enum err err = ERR_OK;

	for (size_t i = 0; i < changes->count && err == ERR_OK; i++) {
		struct query *q = database_query(
			db, "INSERT INTO watched (node, state, network, walking, after) VALUES ($node, $state, "
			    "$network, 1, $start) ON CONFLICT (node) DO UPDATE SET state = excluded.state, network "
			    "= excluded.network, walking = 1, after = excluded.after");

		query_address(q, "node", &changes->nodes[i].node);
		query_int(q, "state", changes->nodes[i].state);
		query_text(q, "network", changes->nodes[i].network);
		query_bytes(q, "start", bytes_of("", 0));
		err = query_run(q);
	}
	return err;
}

static enum err watch_nodes(struct desk *desk, bool *ret_more)
{
	struct changes changes = {.desk = desk};
	enum err err = find_changed(&changes);

	*ret_more = false;
	if (err == ERR_OK && changes.count > 0)
		err = database_transaction(desk->db, watch, &changes);
	free(changes.nodes);
	return err;
}

/* How far a walk has come; or that it is over, and when the next begins. */
struct step {
	struct address node; /* of a walk over a node's pieces */
	struct bytes after;
	bool over;
	uint64_t due;
};

static enum err note_node(struct database *db, void *arg)
{
	const struct step *step = arg;
	struct query *q = database_query(db, "UPDATE watched SET walking = $walking, after = $after WHERE node = "
					     "$node");

	query_int(q, "walking", !step->over);
	query_bytes(q, "after", step->after);
	query_address(q, "node", &step->node);
	return query_run(q);
}

static enum err note_walk(struct database *db, void *arg)
{
	const struct step *step = arg;
	struct query *q = database_query(db, "INSERT INTO walks (name, after, due) VALUES ('segments', $after, $due) "
					     "ON CONFLICT (name) DO UPDATE SET after = excluded.after, due = "
					     "excluded.due");

	query_bytes(q, "after", step->over ? bytes_of("", 0) : step->after);
	query_int(q, "due", step->due);
	return query_run(q);
}

/* Judge a batch and note how far that is. */
static enum err walk_on(struct batch *batch, struct step *step, enum err (*note)(struct database *db, void *arg),
			bool *ret_more)
{
	struct database *db = batch->desk->db;
	enum err err;

	step->over = batch->count < BATCH;
	step->after = bytes_of(batch->last.b, batch->count > 0 ? sizeof(batch->last.b) : 0);
	step->due = batch->now + (step->over ? WALK_SECONDS : 0);
	*ret_more = !step->over;
	err = judge_batch(batch);
	return err == ERR_OK ? database_transaction(db, note, step) : err;
}

static enum err read_walk(struct query *q, struct bytes32 *ret_after, size_t *ret_len)
{
	struct bytes after;
	enum err err = query_one(q);

	*ret_len = 0;
	if (err == ERR_OK) {
		after = query_get_bytes(q, 0);
		if (after.len > sizeof(ret_after->b))
			return ERR_CORRUPT;
		if (after.len > 0)
			memcpy(ret_after->b, after.data, after.len);
		*ret_len = after.len;
	}
	return err;
}

/* The pieces of a node that changed. */
static enum err walk_node(struct desk *desk, bool *ret_more)
{
	struct query *q = database_query(desk->db, "SELECT after, node FROM watched WHERE walking = 1 LIMIT 1");
	struct batch *batch = memory_new(1, sizeof(*batch));
	struct step step = {.over = false};
	struct bytes32 after;
	size_t len;
	enum err err;

	*batch = (struct batch){.desk = desk, .now = clock_wall()};
	*ret_more = false;
	err = read_walk(q, &after, &len);
	if (err == ERR_OK)
		err = query_get_exact(q, 1, step.node.b, sizeof(step.node.b));
	query_reset(q);
	if (err == ERR_OK) {
		q = database_query(desk->db, "SELECT segment, piece FROM pieces WHERE node = $node AND piece > $after "
					     "ORDER BY piece LIMIT $limit");
		query_address(q, "node", &step.node);
		query_bytes(q, "after", bytes_of(after.b, len));
		err = read_batch(q, batch);
	}
	if (err == ERR_OK)
		err = walk_on(batch, &step, note_node, ret_more);
	if (err == ERR_OK)
		*ret_more = true; /* another node may wait */
	free(batch);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* All segments, when it is time for that. */
static enum err walk_all(struct desk *desk, bool *ret_more)
{
	struct query *q = database_query(desk->db, "SELECT after, due FROM walks WHERE name = 'segments'");
	struct batch *batch = memory_new(1, sizeof(*batch));
	struct step step = {.over = false};
	struct bytes32 after;
	uint64_t due = 0;
	size_t len;
	enum err err;

	*batch = (struct batch){.desk = desk, .now = clock_wall()};
	*ret_more = false;
	err = read_walk(q, &after, &len);
	if (err == ERR_OK)
		due = query_get_int(q, 1);
	query_reset(q);
	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	if (err == ERR_OK && due <= batch->now) {
		q = database_query(desk->db, "SELECT segment, segment FROM segments WHERE segment > $after AND state = "
					     "2 AND data IS NULL ORDER BY segment LIMIT $limit");
		query_bytes(q, "after", bytes_of(after.b, len));
		err = read_batch(q, batch);
		if (err == ERR_OK)
			err = walk_on(batch, &step, note_walk, ret_more);
		*ret_more = false; /* no hurry: the next batch with the next round */
	}
	free(batch);
	return err;
}

enum err checker_step(struct desk *desk, bool *ret_more)
{
	static enum err (*const steps[])(struct desk * desk, bool *ret_more) = {
		watch_nodes, look_at_lost, look_at_new, walk_node, walk_all, rebuilds_drop_lapsed, exits_conclude,
	};
	bool more = false;
	enum err err = ERR_OK;

	*ret_more = false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && err == ERR_OK; i++) {
		err = steps[i](desk, &more);
		*ret_more |= more;
	}
	return err;
}

static enum err claim(const struct round *round, bool *ret_ours)
{
	uint64_t now = clock_wall();
	enum err err = lease_holds(round->desk->db, &round->holder, WORK, now + LEASE_SECONDS / 2, ret_ours);

	if (err != ERR_OK || *ret_ours)
		return err;
	return lease_take(round->desk->db, &round->holder, WORK, now, LEASE_SECONDS, ret_ours);
}

unsigned checker_walk(struct round *round)
{
	struct desk *desk = round->desk;
	bool ours = true, more = true;
	char quoted[300];
	enum err err = ERR_OK;

	while (err == ERR_OK && ours && more && !patrol_is_stopping(round)) {
		err = claim(round, &ours);
		if (err == ERR_OK && ours)
			err = checker_step(desk, &more);
	}
	if (err != ERR_OK)
		log_event(LOG_ERROR, "checker_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
