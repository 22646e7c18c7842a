/* Weighing observations, and the SQL. */
#include "satellite/reputations.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "payments/tally.h"
#include "satellite/notices.h"
#include "satellite/standings.h"

const char *node_state_name(enum node_state state)
{
	switch (state) {
	case STATE_GOOD:
		return "good";
	case STATE_VETTING:
		return "vetting";
	case STATE_SUSPENDED:
		return "suspended";
	case STATE_OFFLINE:
		return "offline";
	case STATE_DISQUALIFIED:
		return "disqualified";
	case STATE_EXITING:
		return "exiting";
	case STATE_EXITED:
		break;
	}
	return "exited";
}

enum err reputations_state(struct database *db, const struct address *node, enum node_state *ret)
{
	struct query *q = database_query(db, "SELECT state FROM reputations WHERE node = $node");
	enum err err;

	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = (enum node_state)query_get_int(q, 0);
	query_reset(q);
	return err;
}

enum err reputations_add(struct database *db, const struct address *node, uint64_t now)
{
	struct query *q = database_query(db, "INSERT INTO reputations (node, state, since, reason, model, notices, "
					     "due, loss_period, loss_pieces) VALUES ($node, $state, $now, '', $model, "
					     "0, 0, 0, 0) ON CONFLICT (node) DO NOTHING");

	query_address(q, "node", node);
	query_int(q, "state", STATE_VETTING);
	query_int(q, "now", now);
	query_bytes(q, "model", bytes_of("", 0));
	return query_run(q);
}

/* Empty before the first observation. */
static enum err read_model(const struct reputation_rules *rules, struct bytes column, uint64_t since,
			   struct reputation *ret)
{
	if (column.len > 0)
		return reputation_decode(rules, column, ret) == ERR_OK ? ERR_OK : ERR_CORRUPT;
	reputation_init(rules, since, ret);
	return ERR_OK;
}

enum err reputations_read(struct database *db, const struct reputation_rules *rules, const struct address *node,
			  struct reputed *ret)
{
	struct query *q =
		database_query(db, "SELECT r.state, r.since, r.reason, r.model, r.loss_period, r.loss_pieces, "
				   "n.registered FROM reputations r JOIN nodes n ON n.address = r.node WHERE "
				   "r.node = $node");
	enum err err;

	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_model(rules, query_get_bytes(q, 3), query_get_int(q, 6), &ret->model);
	if (err == ERR_OK) {
		ret->state = (enum node_state)query_get_int(q, 0);
		ret->since = query_get_int(q, 1);
		snprintf(ret->reason, sizeof(ret->reason), "%s", query_get_text(q, 2));
		ret->loss_period = query_get_int(q, 4);
		ret->loss_pieces = query_get_int(q, 5);
	}
	query_reset(q);
	return err;
}

static enum err write_state(struct database *db, const struct address *node, const struct reputed *reputed)
{
	struct query *q = database_query(db, "UPDATE reputations SET state = $state, since = $since, reason = $reason "
					     "WHERE node = $node");

	query_int(q, "state", reputed->state);
	query_int(q, "since", reputed->since);
	query_text(q, "reason", reputed->reason);
	query_address(q, "node", node);
	return query_run(q);
}

static enum err write_model(struct database *db, const struct sighting *sighting, const struct reputed *reputed)
{
	struct query *q = database_query(db, "UPDATE reputations SET model = $model, loss_period = $period, "
					     "loss_pieces = $pieces, due = CASE WHEN $due > 0 AND $due < due THEN $due "
					     "ELSE due END WHERE node = $node");
	uint8_t wire[REPUTATION_ENCODED];
	struct writer w;

	writer_init(&w, wire, sizeof(wire));
	reputation_encode(sighting->rules, &reputed->model, &w);
	query_bytes(q, "model", writer_bytes(&w));
	query_int(q, "period", reputed->loss_period);
	query_int(q, "pieces", reputed->loss_pieces);
	query_int(q, "due", reputation_due(sighting->rules, &reputed->model));
	query_address(q, "node", sighting->node);
	return query_run(q);
}

static bool is_final(enum node_state state)
{
	return state == STATE_DISQUALIFIED || state == STATE_EXITED;
}

/* The new state with its reason, told to the node. */
static enum err change_state(struct database *db, const struct address *node, const struct notice *notice)
{
	struct reputed reputed = {.state = (enum node_state)notice->state, .since = notice->at};
	enum err err;

	snprintf(reputed.reason, sizeof(reputed.reason), "%s", notice->words);
	err = write_state(db, node, &reputed);
	return err == ERR_OK ? notices_add(db, node, notice) : err;
}

/* Silence and absence are one party's word: what was held back of the node's pay stays the node's then. */
static enum err forfeit(struct database *db, const struct sighting *sighting, const char *why)
{
	enum err err = standings_note(db, sighting->node, STANDING_DISQUALIFIED, sighting->now, why);

	return err == ERR_EXISTS || err == ERR_CONFLICT ? ERR_OK : err;
}

/* Keep what an observation came to. */
static enum err conclude(struct database *db, const struct sighting *sighting, struct reputed *reputed,
			 const struct reputation_change *change, struct state_change *ret)
{
	struct notice notice = {.at = sighting->now, .kind = NOTICE_STATE, .words = ret->why};
	enum err err = write_model(db, sighting, reputed);

	ret->from = ret->to = reputed->state;
	ret->why[0] = '\0';
	if (err != ERR_OK || change->from == change->to)
		return err;
	if (reputed->state == STATE_EXITING && change->to != REPUTATION_DISQUALIFIED)
		return ERR_OK;
	ret->to = (enum node_state)change->to;
	reputation_describe(sighting->rules, &reputed->model, change->reason, sighting->now, ret->why);
	notice.state = (uint8_t)ret->to;
	if (sighting->challenge != NULL)
		notice.challenge = bytes_of(sighting->challenge->b, sizeof(sighting->challenge->b));
	err = change_state(db, sighting->node, &notice);
	return err == ERR_OK && change->forfeits ? forfeit(db, sighting, ret->why) : err;
}

/* What an operator said before is not weighed again: *ret_done. */
static enum err begin(struct database *db, const struct sighting *sighting, struct reputed *ret,
		      struct state_change *ret_change, bool *ret_done)
{
	enum err err = reputations_read(db, sighting->rules, sighting->node, ret);

	if (err == ERR_OK) {
		*ret_change = (struct state_change){.from = ret->state, .to = ret->state};
		*ret_done = is_final(ret->state);
	}
	return err;
}

enum err reputations_note_audit(struct database *db, const struct sighting *sighting,
				const struct reputation_verdicts *verdicts, struct state_change *ret)
{
	struct reputation_change change;
	struct reputed reputed;
	bool done;
	enum err err = begin(db, sighting, &reputed, ret, &done);

	if (err != ERR_OK || done)
		return err;
	change = reputation_note_audit(sighting->rules, &reputed.model, verdicts, sighting->now);
	return conclude(db, sighting, &reputed, &change, ret);
}

enum err reputations_note_online(struct database *db, const struct sighting *sighting, bool online,
				 struct state_change *ret)
{
	struct reputation_change change;
	struct reputed reputed;
	bool done;
	enum err err = begin(db, sighting, &reputed, ret, &done);

	if (err != ERR_OK || done)
		return err;
	change = reputation_note_online(sighting->rules, &reputed.model, online, sighting->now);
	return conclude(db, sighting, &reputed, &change, ret);
}

enum err reputations_note_time(struct database *db, const struct sighting *sighting, struct state_change *ret)
{
	struct reputation_change change;
	struct reputed reputed;
	bool done;
	enum err err = begin(db, sighting, &reputed, ret, &done);

	if (err != ERR_OK || done)
		return err;
	change = reputation_note_time(sighting->rules, &reputed.model, sighting->now);
	return conclude(db, sighting, &reputed, &change, ret);
}

static enum err tell_losses(struct database *db, const struct sighting *sighting, enum node_state state, uint64_t lost)
{
	struct notice notice = {.at = sighting->now, .kind = NOTICE_LOSS, .state = (uint8_t)state};
	char words[100];

	snprintf(words, sizeof(words), "the node reported %" PRIu64 " pieces as damaged or gone", lost);
	notice.words = words;
	return notices_add(db, sighting->node, &notice);
}

enum err reputations_note_losses(struct database *db, const struct sighting *sighting, uint64_t lost, uint64_t held,
				 struct state_change *ret)
{
	uint64_t period = month_period(sighting->now), earlier;
	struct reputation_change change;
	struct reputed reputed;
	bool done;
	enum err err = begin(db, sighting, &reputed, ret, &done);

	if (err == ERR_OK)
		err = tell_losses(db, sighting, reputed.state, lost);
	if (err != ERR_OK || done)
		return err;
	earlier = reputed.loss_period == period ? reputed.loss_pieces : 0;
	reputed.loss_period = period;
	reputed.loss_pieces = earlier + lost;
	/* What it held when the month's first losses were reported. */
	change = reputation_note_losses(sighting->rules, &reputed.model, lost, earlier, held + earlier, sighting->now);
	return conclude(db, sighting, &reputed, &change, ret);
}

enum err reputations_set_state(struct database *db, const struct address *node, enum node_state state, uint64_t now,
			       const char *why)
{
	const struct notice notice = {.at = now, .kind = NOTICE_STATE, .state = (uint8_t)state, .words = why};
	enum node_state before;
	enum err err = reputations_add(db, node, now);

	if (err == ERR_OK)
		err = reputations_state(db, node, &before);
	if (err != ERR_OK || before == state)
		return err;
	return change_state(db, node, &notice);
}

void reputations_log(const struct address *node, const struct state_change *change)
{
	char address[KEY_ADDRESS_TEXT], quoted[2 * REPUTATION_TEXT];
	bool worse = change->to != STATE_GOOD && change->to != STATE_VETTING;

	if (change->from == change->to)
		return;
	address_to_text(node, address);
	log_event(worse ? LOG_WARN : LOG_INFO, "node_state", "node=%s from=%s to=%s why=%s", address,
		  node_state_name(change->from), node_state_name(change->to),
		  log_quote(change->why, quoted, sizeof(quoted)));
}

enum err reputations_due(struct database *db, uint64_t now, struct address *ret)
{
	struct query *q = database_query(db, "SELECT node FROM reputations WHERE due <= $now AND state <> "
					     "$disqualified AND state <> $exited ORDER BY due LIMIT 1");
	enum err err;

	query_int(q, "now", now);
	query_int(q, "disqualified", STATE_DISQUALIFIED);
	query_int(q, "exited", STATE_EXITED);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->b, sizeof(ret->b));
	query_reset(q);
	return err;
}

enum err reputations_set_due(struct database *db, const struct address *node, uint64_t due)
{
	struct query *q = database_query(db, "UPDATE reputations SET due = $due WHERE node = $node");

	query_int(q, "due", due);
	query_address(q, "node", node);
	return query_run(q);
}
