/* Rules and SQL of graceful exit. */
#include "satellite/exits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "payments/typed.h"
#include "satellite/ledger.h"
#include "satellite/reputations.h"
#include "satellite/standings.h"

#define LOOK_SECONDS 60

/* An exit as it stands. */
struct leaving {
	struct address node;
	uint64_t asked; /* 0: it never did */
	uint64_t pieces, bytes, moved, failed, ended;
	uint64_t left;	  /* pieces still there */
	uint64_t missing; /* pieces that were lost, and are not made again yet */
	uint64_t reached, registered;
	enum node_state state;
	char why[200];
	uint8_t receipt[MESSAGE_SIGNED_MAX];
	size_t receipt_len;
};

static enum err read_exit(struct database *db, struct leaving *ret)
{
	struct query *q =
		database_query(db, "SELECT asked, pieces, bytes, moved, failed, ended, why, signed FROM exits "
				   "WHERE node = $node");
	struct bytes receipt;
	enum err err;

	query_address(q, "node", &ret->node);
	err = query_one(q);
	if (err == ERR_OK) {
		ret->asked = query_get_int(q, 0);
		ret->pieces = query_get_int(q, 1);
		ret->bytes = query_get_int(q, 2);
		ret->moved = query_get_int(q, 3);
		ret->failed = query_get_int(q, 4);
		ret->ended = query_get_int(q, 5);
		snprintf(ret->why, sizeof(ret->why), "%s", query_get_text(q, 6));
		receipt = query_get_bytes(q, 7);
		err = receipt.len <= sizeof(ret->receipt) ? ERR_OK : ERR_CORRUPT;
		ret->receipt_len = err == ERR_OK ? receipt.len : 0;
		if (ret->receipt_len > 0)
			memcpy(ret->receipt, receipt.data, receipt.len);
	}
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Pieces on their way to the node count as there: their upload began before it asked to leave. */
static enum err read_node(struct database *db, struct leaving *ret, uint64_t *ret_bytes)
{
	struct query *q = database_query(
		db, "SELECT n.registered, n.reached, r.state, "
		    "(SELECT COUNT(*) FROM pieces p WHERE p.node = n.address AND p.lost = 0), "
		    "(SELECT COALESCE(SUM(p.size), 0) FROM pieces p WHERE p.node = n.address AND p.lost = 0), "
		    "(SELECT COUNT(*) FROM pieces p WHERE p.node = n.address AND p.lost > 0), "
		    "(SELECT COUNT(*) FROM offers o WHERE o.node = n.address) + "
		    "(SELECT COUNT(*) FROM rebuilds b WHERE b.node = n.address) "
		    "FROM nodes n JOIN reputations r ON r.node = n.address WHERE n.address = $node");
	enum err err;

	query_address(q, "node", &ret->node);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	ret->registered = query_get_int(q, 0);
	ret->reached = query_get_int(q, 1);
	ret->state = (enum node_state)query_get_int(q, 2);
	ret->left = query_get_int(q, 3) + query_get_int(q, 6);
	*ret_bytes = query_get_int(q, 4);
	ret->missing = query_get_int(q, 5);
	query_reset(q);
	return ERR_OK;
}

/* In a view or a transaction. */
static enum err read_leaving(struct database *db, const struct address *node, struct leaving *ret)
{
	uint64_t bytes = 0;
	enum err err;

	memset(ret, 0, sizeof(*ret));
	ret->node = *node;
	err = read_node(db, ret, &bytes);
	if (err == ERR_OK)
		err = read_exit(db, ret);
	if (ret->asked == 0) {
		ret->pieces = ret->left;
		ret->bytes = bytes;
	}
	return err;
}

static uint64_t failed_max(const struct settings *settings, const struct leaving *leaving)
{
	return (leaving->pieces * settings->exit_failures + 99) / 100;
}

static uint64_t failed_so_far(const struct leaving *leaving)
{
	return leaving->failed + (leaving->asked > 0 && leaving->ended == 0 ? leaving->missing : 0);
}

/* EXIT under way. */
struct request {
	struct work *work;
	uint64_t now;
	struct leaving leaving;
	uint64_t held; /* base units */
};

static enum err read_request(struct database *db, struct request *request)
{
	struct ledger_sums sums;
	__int128 held;
	enum err err = read_leaving(db, &request->work->caller->address, &request->leaving);

	if (err == ERR_OK)
		err = ledger_sum(db, &request->work->caller->address, &sums);
	if (err != ERR_OK)
		return err;
	held = ledger_balance(&sums, LEDGER_HELD);
	request->held = held > 0 ? (uint64_t)held : 0;
	return ERR_OK;
}

static enum err insert_exit(struct database *db, const struct leaving *leaving, uint64_t now)
{
	struct query *q =
		database_query(db, "INSERT INTO exits (node, asked, pieces, bytes, moved, failed, ended, why, "
				   "signed) VALUES ($node, $now, $pieces, $bytes, 0, 0, 0, '', $nothing)");

	query_address(q, "node", &leaving->node);
	query_int(q, "now", now);
	query_int(q, "pieces", leaving->pieces);
	query_int(q, "bytes", leaving->bytes);
	query_bytes(q, "nothing", bytes_of("", 0));
	return query_run(q);
}

static enum err check_begin(struct request *request)
{
	struct work *work = request->work;
	const struct leaving *leaving = &request->leaving;
	uint64_t allowed = leaving->registered + work->desk->settings->exit_age;
	char when[32];

	if (leaving->state == STATE_DISQUALIFIED)
		return work_refuse(work, REFUSAL_EXIT_CLOSED, "this node is disqualified");
	if (leaving->state == STATE_EXITED)
		return work_refuse(work, REFUSAL_EXIT_CLOSED, "this node has left already");
	if (allowed > request->now)
		return work_refuse(work, REFUSAL_EXIT_AGE, "this node may leave in good order from %s on",
				   clock_format(allowed, when, sizeof(when)));
	return ERR_OK;
}

static enum err begin(struct database *db, void *arg)
{
	struct request *request = arg;
	enum err err = read_request(db, request);

	if (err != ERR_OK || request->leaving.asked > 0)
		return err;
	err = check_begin(request);
	if (err == ERR_OK && request->leaving.state != STATE_EXITING)
		err = standings_note(db, &request->leaving.node, STANDING_EXITING, request->now,
				     "the node asked to leave");
	if (err == ERR_OK)
		err = insert_exit(db, &request->leaving, request->now);
	return err == ERR_OK ? read_request(db, request) : err;
}

static enum err look(struct database *db, void *arg)
{
	return read_request(db, arg);
}

static enum exit_state state_of(const struct leaving *leaving)
{
	if (leaving->asked == 0)
		return EXIT_NONE;
	if (leaving->ended == 0)
		return EXIT_UNDER_WAY;
	return leaving->why[0] == '\0' ? EXIT_COMPLETE : EXIT_FAILED;
}

static void answer(struct request *request)
{
	const struct settings *settings = request->work->desk->settings;
	const struct leaving *leaving = &request->leaving;
	struct message message = {.type = MSG_EXIT_STATE};

	message.exit_state = (struct msg_exit_state){
		.state = state_of(leaving),
		.allowed = leaving->registered + settings->exit_age,
		.asked = leaving->asked,
		.ended = leaving->ended,
		.pieces = leaving->pieces,
		.bytes = leaving->bytes,
		.left = leaving->left,
		.moved = leaving->moved,
		.failed = failed_so_far(leaving),
		.failed_max = failed_max(settings, leaving),
		.held = request->held,
		.why = bytes_of_text(leaving->why),
		.receipt = bytes_of(leaving->receipt, leaving->receipt_len),
	};
	reply_add(request->work->reply, &message);
}

enum err exits_answer(struct work *work)
{
	struct request *request = memory_new(1, sizeof(*request));
	char node[KEY_ADDRESS_TEXT];
	enum err err;

	request->work = work;
	request->now = clock_wall();
	if (work->message->exit.begin != 0)
		err = database_transaction(work->desk->db, begin, request);
	else
		err = database_view(work->desk->db, look, request);
	if (err == ERR_OK && work->message->exit.begin != 0 && request->leaving.asked == request->now) {
		address_to_text(&request->leaving.node, node);
		log_event(LOG_INFO, "exit_begun", "node=%s pieces=%" PRIu64 " bytes=%" PRIu64, node,
			  request->leaving.pieces, request->leaving.bytes);
	}
	if (err == ERR_OK)
		answer(request);
	free(request);
	return err;
}

enum err exits_count(struct database *db, const struct address *node, bool moved)
{
	struct query *q = database_query(db, "UPDATE exits SET moved = moved + $moved, failed = failed + 1 - $moved "
					     "WHERE node = $node AND ended = 0");

	query_int(q, "moved", moved);
	query_address(q, "node", node);
	return query_run(q);
}

/* An exit that may be over. */
struct conclusion {
	const struct desk *desk;
	uint64_t now;
	struct leaving leaving;
	bool over;
};

/* Why it has failed; NULL: it has not. Once an operator says that it has left, nothing can fail any more. */
static const char *find_failure(const struct conclusion *c, char why[200])
{
	const struct leaving *leaving = &c->leaving;
	uint64_t failed = failed_so_far(leaving), most = failed_max(c->desk->settings, leaving);

	if (leaving->state == STATE_DISQUALIFIED)
		return "disqualified meanwhile";
	if (leaving->state == STATE_EXITED)
		return NULL;
	if (failed > most)
		snprintf(why, 200, "%" PRIu64 " of %" PRIu64 " pieces could not be moved, at most %" PRIu64 " may fail",
			 failed, leaving->pieces, most);
	else if (leaving->reached + EXITS_AWAY < c->now && leaving->left > 0)
		snprintf(why, 200, "away for more than %d days", EXITS_AWAY / 86400);
	else
		return NULL;
	return why;
}

static enum err close_exit(struct database *db, const struct conclusion *c, const char *why, struct bytes receipt)
{
	struct query *q = database_query(db, "UPDATE exits SET ended = $now, failed = $failed, why = $why, signed = "
					     "$signed WHERE node = $node");

	query_int(q, "now", c->now);
	query_int(q, "failed", failed_so_far(&c->leaving));
	query_text(q, "why", why);
	query_bytes(q, "signed", receipt);
	query_address(q, "node", &c->leaving.node);
	return query_run(q);
}

static enum err complete(struct database *db, const struct conclusion *c)
{
	struct exit_receipt exit = {*key_address(c->desk->key), c->leaving.node, c->now};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;
	enum err err = ERR_OK;

	if (c->leaving.state != STATE_EXITED)
		err = standings_note(db, &c->leaving.node, STANDING_EXITED, c->now, "all pieces were moved away");
	if (err != ERR_OK)
		return err;
	typed_sign(&typed_exit, &exit, &c->desk->settings->domain, c->desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_exit, &exit, &signature, &w);
	return close_exit(db, c, "", writer_bytes(&w));
}

static enum err fail(struct database *db, const struct conclusion *c, const char *why)
{
	char note[240];
	enum err err = ERR_OK;

	snprintf(note, sizeof(note), "its exit failed: %s", why);
	if (c->leaving.state != STATE_DISQUALIFIED)
		err = standings_note(db, &c->leaving.node, STANDING_DISQUALIFIED, c->now, note);
	return err == ERR_OK ? close_exit(db, c, why, bytes_of("", 0)) : err;
}

static enum err conclude_one(struct database *db, void *arg)
{
	struct conclusion *c = arg;
	struct address node = c->leaving.node;
	const char *why;
	char text[200];
	enum err err = read_leaving(db, &node, &c->leaving);

	c->over = false;
	if (err != ERR_OK || c->leaving.ended != 0)
		return err;
	/* An operator said that it leaves. */
	if (c->leaving.asked == 0)
		return insert_exit(db, &c->leaving, c->now);
	why = find_failure(c, text);
	c->over = why != NULL || c->leaving.left == 0 || c->leaving.state == STATE_EXITED;
	if (why != NULL) {
		snprintf(c->leaving.why, sizeof(c->leaving.why), "%s", why);
		return fail(db, c, why);
	}
	return c->over ? complete(db, c) : ERR_OK;
}

/* Whether there is something to conclude; looked at without the write lock. */
static enum err is_over(struct database *db, void *arg)
{
	struct conclusion *c = arg;
	struct address node = c->leaving.node;
	char why[200];
	enum err err = read_leaving(db, &node, &c->leaving);

	c->over = err == ERR_OK && (c->leaving.asked == 0 || c->leaving.left == 0 || c->leaving.state == STATE_EXITED ||
				    find_failure(c, why) != NULL);
	return err;
}

static void tell(const struct conclusion *c)
{
	char node[KEY_ADDRESS_TEXT], quoted[300];

	address_to_text(&c->leaving.node, node);
	if (c->leaving.why[0] == '\0')
		log_event(LOG_INFO, "exit_complete", "node=%s moved=%" PRIu64 " failed=%" PRIu64, node,
			  c->leaving.moved, failed_so_far(&c->leaving));
	else
		log_event(LOG_WARN, "exit_failed", "node=%s why=%s", node,
			  log_quote(c->leaving.why, quoted, sizeof(quoted)));
}

static enum err conclude(struct desk *desk, const struct address *node)
{
	struct conclusion *c = memory_new(1, sizeof(*c));
	enum err err;

	c->desk = desk;
	c->now = clock_wall();
	c->leaving.node = *node;
	err = database_view(desk->db, is_over, c);
	if (err == ERR_OK && c->over) {
		err = database_transaction(desk->db, conclude_one, c);
		if (err == ERR_OK && c->over)
			tell(c);
	}
	free(c);
	return err;
}

static enum err note_looked(struct database *db, void *arg)
{
	const uint64_t *due = arg;
	struct query *q = database_query(db, "INSERT INTO walks (name, after, due) VALUES ('exits', $nothing, $due) ON "
					     "CONFLICT (name) DO UPDATE SET due = excluded.due");

	query_bytes(q, "nothing", bytes_of("", 0));
	query_int(q, "due", *due);
	return query_run(q);
}

/* Counting the pieces of all that leave takes a while, so it is done now and then. */
static enum err is_time(struct database *db, uint64_t now, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM walks WHERE name = 'exits' AND due > $now");
	uint64_t due = now + LOOK_SECONDS;
	enum err err;

	query_int(q, "now", now);
	err = query_one(q);
	query_reset(q);
	*ret = err == ERR_NOT_FOUND;
	if (err == ERR_NOT_FOUND)
		err = database_transaction(db, note_looked, &due);
	return err;
}

/* At all times: those that have no piece left, that failed with enough to fail, or that an operator sent away. */
static struct query *find_open(const struct desk *desk, bool all)
{
	struct query *q = database_query(
		desk->db, "SELECT e.node FROM exits e WHERE e.ended = 0 AND ($all = 1 OR e.failed > (e.pieces * "
			  "$percent + 99) / 100 OR NOT EXISTS (SELECT 1 FROM pieces p WHERE p.node = e.node AND p.lost "
			  "= 0)) UNION SELECT r.node FROM reputations r LEFT JOIN exits e ON e.node = r.node WHERE "
			  "r.state = 6 AND e.node IS NULL");

	query_int(q, "all", all);
	query_int(q, "percent", desk->settings->exit_failures);
	return q;
}

enum err exits_conclude(struct desk *desk, bool *ret_more)
{
	struct address *nodes = NULL;
	size_t count = 0, room = 0;
	struct query *q;
	bool row, all;
	enum err err = is_time(desk->db, clock_wall(), &all);

	*ret_more = false;
	if (err != ERR_OK)
		return err;
	q = find_open(desk, all);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		nodes = memory_grow(nodes, &room, count + 1, sizeof(*nodes));
		err = query_get_exact(q, 0, nodes[count++].b, sizeof(nodes[0].b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = conclude(desk, &nodes[i]);
	free(nodes);
	return err;
}

enum err exits_each(struct database *db, enum err (*each)(const struct exit_row *row, void *arg), void *arg)
{
	struct query *q = database_query(db, "SELECT e.node, e.asked, e.pieces, e.bytes, e.moved, e.failed, e.ended, "
					     "e.why, (SELECT COUNT(*) FROM pieces p WHERE p.node = e.node AND p.lost = "
					     "0) FROM exits e ORDER BY e.asked DESC, e.node");
	struct exit_row exit;
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = query_get_exact(q, 0, exit.node.b, sizeof(exit.node.b));
		exit.asked = query_get_int(q, 1);
		exit.pieces = query_get_int(q, 2);
		exit.bytes = query_get_int(q, 3);
		exit.moved = query_get_int(q, 4);
		exit.failed = query_get_int(q, 5);
		exit.ended = query_get_int(q, 6);
		exit.why = query_get_text(q, 7);
		exit.left = query_get_int(q, 8);
		if (err == ERR_OK)
			err = each(&exit, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
