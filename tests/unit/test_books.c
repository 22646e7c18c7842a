/*
 * The check of the books: right ones pass, and whatever is changed in them is found. Payouts: the tree, and what
 * becomes of it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/u256.h"
#include "satellite/adjustments.h"
#include "satellite/audits.h"
#include "satellite/books_check.h"
#include "satellite/closing.h"
#include "satellite/deleter.h"
#include "satellite/payees.h"
#include "satellite/payouts.h"
#include "satellite/verdicts.h"
#include "tests/kit/effort.h"
#include "tests/kit/office.h"

#define JANUARY UINT64_C(1767225600)  /* 2026-01-01T00:00:00Z */
#define FEBRUARY UINT64_C(1769904000) /* 2026-02-01T00:00:00Z */
#define MARCH UINT64_C(1772323200)    /* 2026-03-01T00:00:00Z */
#define DAY UINT64_C(86400)
#define TOKEN UINT64_C(100000000)
#define COMPLAINTS 4096
#define LIFE_OBJECTS 100

struct fixture {
	struct office office;
	char complaints[COMPLAINTS];
	struct books_checked checked;
};

struct row {
	const char *sql;
	struct address node;
	uint64_t at, bytes;
};

static enum err insert_row(struct database *db, void *arg)
{
	const struct row *row = arg;
	struct query *q = database_query(db, row->sql);

	query_bytes(q, "node", bytes_of(row->node.b, sizeof(row->node.b)));
	query_int(q, "hour", row->at / 3600);
	query_int(q, "bytes", row->bytes);
	return query_run(q);
}

/* As one settled order. */
static void send_bytes(struct office *office, unsigned node, uint64_t at, uint64_t bytes)
{
	struct row row = {NULL, *key_address(office->nodes[node]), at, bytes};
	static const char *const inserts[] = {
		"INSERT INTO traffic (node, hour, action, bytes, orders) VALUES ($node, $hour, 2, $bytes, 1)",
		"INSERT INTO settled (allocation, node, client, action, bytes, hour) VALUES (randomblob(32), $node, "
		"$node, 2, $bytes, $hour)",
	};

	for (int i = 0; i < 2; i++) {
		row.sql = inserts[i];
		assert_int_equal(database_transaction(office->desk->db, insert_row, &row), ERR_OK);
	}
}

static void remove_object(struct office *office, const char *name)
{
	uint8_t path[256];
	struct message message = {.type = MSG_REMOVE_OBJECT,
				  .get_object = {bytes_of_text("films"), bytes_of(path, office_path(name, path))}};
	enum err err;

	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	while ((err = deleter_take_apart(office->desk)) == ERR_OK)
		continue;
	assert_int_equal(err, ERR_NOT_FOUND);
}

static void store_object(struct office *office, const char *name)
{
	uint8_t path[256];

	office_store(office, "films", bytes_of(path, office_path(name, path)), 100000);
}

static void close_month(struct office *office, uint32_t period, uint64_t now)
{
	struct closing closing;

	office_set_clock(office, now);
	if (closing_close(office->desk, period, now, &closing) != ERR_OK)
		fail_msg("%s %s", closing.why, database_message(office->desk->db));
	closing_free(&closing);
}

static enum err keep_payee(struct database *db, void *arg)
{
	struct office *office = arg;
	struct payee payee = {*key_address(office->nodes[1]), {{9}}, FEBRUARY + 5};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	typed_sign(&typed_payee, &payee, &office->settings.domain, office->nodes[1], &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_payee, &payee, &signature, &w);
	return payees_keep(db, &payee.node, writer_bytes(&w));
}

static const struct bytes32 first_transaction = {{1}}, second_transaction = {{2}};

static enum err record(struct fixture *f, uint32_t period, const struct bytes32 *transaction, uint64_t *ret_nodes,
		       char why[PAYOUTS_WHY])
{
	uint64_t units;

	return payouts_record(f->office.desk, period, transaction, MARCH + 9, ret_nodes, &units, why);
}

/* Two months, the first recorded; one node changed its payee in the second. */
static void live_two_months(struct fixture *f)
{
	struct office *office = &f->office;
	char why[PAYOUTS_WHY];
	uint64_t nodes;

	office_open(office, "1/1/1/1");
	office->settings.online = 1000 * DAY;
	office_set_clock(office, JANUARY + 9 * DAY);
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	for (int i = 0; i < 2; i++)
		office_add_node(office, "192.0.2.1", 1000000000);
	office_make_bucket(office, "films");
	store_object(office, "a");
	store_object(office, "b");
	send_bytes(office, 0, JANUARY + 9 * DAY, 1000000000000);
	send_bytes(office, 1, JANUARY + 9 * DAY, 1000000000000);
	office_set_clock(office, JANUARY + 12 * DAY);
	store_object(office, "c");
	remove_object(office, "a");
	close_month(office, 202601, FEBRUARY + 3);
	assert_int_equal(record(f, 202601, &first_transaction, &nodes, why), ERR_OK);
	assert_int_equal(nodes, 2);
	remove_object(office, "b");
	send_bytes(office, 0, FEBRUARY + 5, 3000000000000);
	send_bytes(office, 1, FEBRUARY + 5, 3000000000000);
	assert_int_equal(database_transaction(office->desk->db, keep_payee, office), ERR_OK);
	close_month(office, 202602, MARCH + 3);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	live_two_months(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	office_close(&f->office);
	free(f);
	return 0;
}

static void complain(void *arg, const char *what)
{
	struct fixture *f = arg;
	size_t len = strlen(f->complaints);

	snprintf(f->complaints + len, sizeof(f->complaints) - len, "%s\n", what);
}

static void check(struct fixture *f)
{
	f->complaints[0] = '\0';
	assert_int_equal(books_check(f->office.desk, complain, f, &f->checked), ERR_OK);
}

static void test_right_books(void **state)
{
	struct fixture *f = *state;

	check(f);
	assert_string_equal(f->complaints, "");
	assert_int_equal(f->checked.wrong, 0);
	assert_int_equal(f->checked.nodes, 2);
	assert_int_equal(f->checked.months, 2);
	assert_int_equal(f->checked.statements, 4);
	assert_int_equal(f->checked.settled, 4);
	assert_int_equal(f->checked.pieces, 3);
	assert_true(f->checked.entries >= 12);
}

/* Copy a file of the office's directory, while its database is closed. */
static void copy_file(struct fixture *f, const char *from, const char *to)
{
	char command[256];

	desk_close(f->office.desk);
	f->office.desk = NULL;
	snprintf(command, sizeof(command), "cp '%s/%s' '%s/%s'", f->office.dir, from, f->office.dir, to);
	assert_int_equal(system(command), 0);
	office_reopen(&f->office);
}

/* Each of these, done to right books, is found. */
static void test_wrong_books(void **state)
{
	static const struct {
		const char *sql;
		const char *found;
	} wrongs[] = {
		{"UPDATE traffic SET bytes = bytes + 1 WHERE hour = (SELECT MIN(hour) FROM traffic)",
		 "bytes of egress are not those"},
		{"UPDATE traffic SET orders = orders + 1", "settled orders of action 2 differ"},
		{"DELETE FROM settled", "bytes of settled orders of action 2 differ"},
		{"UPDATE settled SET action = 9", "makes no sense"},
		{"UPDATE storage SET begun_seconds = begun_seconds + 1", "byte-seconds of pieces differ"},
		{"UPDATE storage SET begun_seconds = begun_seconds + 1", "byte-seconds are not those"},
		{"UPDATE storage SET ended = begun + 1", "more ends than began"},
		{"DELETE FROM ended", "byte-seconds of pieces differ"},
		{"DELETE FROM usages WHERE day = (SELECT MIN(day) FROM usages)", "not those of its days"},
		{"UPDATE usages SET signed = debt", "usage cannot be read"},
		{"UPDATE pieces SET size = size + 1", "bytes of pieces differ"},
		{"INSERT INTO audited SELECT address, 1, 2, 3, 4 FROM nodes", "audits differ"},
		{"UPDATE entries SET amount = amount + 1 WHERE reason = 2", "entries for \"egress\" differ"},
		{"UPDATE entries SET credit = 6 WHERE reason = 2", "other accounts"},
		{"DELETE FROM entries WHERE reason = 7", "entries for \"held\" differ"},
		{"DELETE FROM entries WHERE reason = 15", "entries for \"paid\" differ"},
		{"UPDATE entries SET period = 202603 WHERE reason = 15", "belong to no statement"},
		{"INSERT INTO entries SELECT address, 202602, 6, x'', 1, 2, 5, 1 FROM nodes", "something is left owed"},
		{"UPDATE statements SET allotted = allotted + 1", "the statement is of something else"},
		{"UPDATE statements SET payee = x'0000000000000000000000000000000000000001' WHERE period = 202601",
		 "the statement is of something else"},
		{"UPDATE statements SET stored = stored + 1", "carries into the next month"},
		{"UPDATE statements SET lines = substr(lines, 1, 34)", "2026-02: "},
		{"UPDATE statements SET signed = lines", "cannot be read"},
		{"UPDATE statements SET signed = (SELECT s.signed FROM statements s WHERE s.node <> statements.node "
		 "AND "
		 "s.period = statements.period)",
		 "the statement is of something else"},
		{"DELETE FROM statements WHERE period = 202601", "belong to no statement"},
		{"UPDATE months SET end_day = end_day + 1 WHERE period = 202601", "do not follow"},
		{"UPDATE payouts SET root = transaction_id", "recorded root"},
	};
	static const char *const guards[] = {"DROP TRIGGER entries_no_UPDATE",	  "DROP TRIGGER entries_no_DELETE",
					     "DROP TRIGGER usages_no_UPDATE",	  "DROP TRIGGER usages_no_DELETE",
					     "DROP TRIGGER statements_no_UPDATE", "DROP TRIGGER statements_no_DELETE",
					     "DROP TRIGGER months_no_UPDATE",	  "DROP TRIGGER payouts_no_UPDATE"};

	struct fixture *f = *state;

	copy_file(f, "satellite.db", "right.db");
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		for (size_t j = 0; j < sizeof(guards) / sizeof(guards[0]); j++)
			office_execute(&f->office, guards[j]);
		office_execute(&f->office, wrongs[i].sql);
		check(f);
		if (strstr(f->complaints, wrongs[i].found) == NULL)
			fail_msg("%s: not \"%s\" in:\n%s", wrongs[i].sql, wrongs[i].found, f->complaints);
		assert_true(f->checked.wrong > 0);
		copy_file(f, "right.db", "satellite.db");
	}
}

/* The ledger cannot be changed by any ordinary statement. */
static enum err execute(struct database *db, void *arg)
{
	return query_run(database_query(db, arg));
}

static void test_append_only(void **state)
{
	static const char *const tries[] = {
		"UPDATE entries SET amount = 1", "DELETE FROM entries",		 "UPDATE statements SET allotted = 1",
		"DELETE FROM statements",	 "UPDATE months SET closed = 1", "DELETE FROM payouts",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		assert_int_equal(database_transaction(f->office.desk->db, execute, (char *)(uintptr_t)tries[i]),
				 ERR_CONFLICT);
}

struct build {
	uint32_t period;
	struct payout payout;
	char why[PAYOUTS_WHY];
};

static enum err build(struct database *db, void *arg)
{
	struct build *b = arg;

	return payouts_build(db, b->period, &b->payout, b->why);
}

static uint64_t leaf_of(const struct payout_tree *tree, const struct address *payee)
{
	size_t i = 0;
	uint64_t units = 0;

	if (payout_tree_find(tree, payee, &i) == ERR_OK)
		assert_int_equal(u256_to_u64(&payout_tree_leaf(tree, i)->cumulative, &units), ERR_OK);
	return units;
}

/* The first month is the old payee's, the second the new one's; both leaves stay. */
static void test_tree(void **state)
{
	struct fixture *f = *state;
	struct build b = {.period = 202602};
	const struct address other = {{9}}, *own = key_address(f->office.nodes[1]);
	struct address *nodes;
	size_t count;

	assert_int_equal(database_view(f->office.desk->db, build, &b), ERR_OK);
	assert_int_equal(payout_tree_count(b.payout.tree), 3);
	assert_in_range(leaf_of(b.payout.tree, own), TOKEN / 2, TOKEN / 2 + TOKEN / 1000);
	assert_in_range(leaf_of(b.payout.tree, &other), 3 * TOKEN / 2, 3 * TOKEN / 2 + TOKEN / 1000);
	assert_int_equal(b.payout.transaction_at, 0);
	assert_int_equal(payouts_nodes(f->office.desk->db, 202602, &other, &nodes, &count), ERR_OK);
	assert_int_equal(count, 1);
	assert_true(address_equal(&nodes[0], own));
	free(nodes);
	payouts_free(&b.payout);
	b.period = 202601;
	assert_int_equal(database_view(f->office.desk->db, build, &b), ERR_OK);
	assert_int_equal(payout_tree_count(b.payout.tree), 2);
	assert_int_equal(b.payout.transaction_at, MARCH + 9);
	payouts_free(&b.payout);
	b.period = 202603;
	assert_int_equal(database_view(f->office.desk->db, build, &b), ERR_CANCELLED);
	assert_string_equal(b.why, "2026-03 is not closed");
}

static enum err append(void *arg, const char *text, size_t len)
{
	return fwrite(text, 1, len, arg) == len ? ERR_OK : ERR_IO;
}

static void test_export(void **state)
{
	struct fixture *f = *state;
	char *text = NULL, why[PAYOUTS_WHY];
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	struct build b = {.period = 202602};
	struct payout_tree *tree;

	assert_non_null(to);
	assert_int_equal(payouts_export(f->office.desk, 202602, append, to, why), ERR_OK);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(payout_tree_load(bytes_of(text, len), &tree, why), ERR_OK);
	assert_int_equal(database_view(f->office.desk->db, build, &b), ERR_OK);
	assert_memory_equal(payout_tree_root(tree), payout_tree_root(b.payout.tree), 32);
	assert_non_null(strstr(text, "\"nodes\":[\"0x"));
	payout_tree_free(tree);
	payouts_free(&b.payout);
	free(text);
}

static void test_record(void **state)
{
	struct fixture *f = *state;
	char why[PAYOUTS_WHY] = "";
	uint64_t nodes = 7;

	/* Again, by another transaction, and before its time. */
	assert_int_equal(record(f, 202601, &first_transaction, &nodes, why), ERR_OK);
	assert_int_equal(nodes, 0);
	assert_int_equal(record(f, 202601, &second_transaction, &nodes, why), ERR_CANCELLED);
	assert_string_equal(why, "2026-01 was paid by another transaction");
	assert_int_equal(record(f, 202603, &second_transaction, &nodes, why), ERR_CANCELLED);
	assert_string_equal(why, "2026-03 is not closed");
	assert_int_equal(record(f, 202602, &second_transaction, &nodes, why), ERR_OK);
	assert_int_equal(nodes, 2);
	check(f);
	assert_string_equal(f->complaints, "");
	assert_int_equal(office_number(&f->office, "SELECT SUM(amount) FROM entries WHERE reason = 15"),
			 office_number(&f->office, "SELECT SUM(allotted) FROM statements"));
}

/* A payout covers the months before that were recorded by none. */
static void test_record_several(void **state)
{
	struct fixture *f = *state;
	char why[PAYOUTS_WHY] = "";
	uint64_t nodes = 0;

	office_set_clock(&f->office, MARCH + 40 * DAY);
	send_bytes(&f->office, 0, MARCH + DAY, 1000000000000);
	close_month(&f->office, 202603, MARCH + 40 * DAY);
	assert_int_equal(record(f, 202603, &second_transaction, &nodes, why), ERR_OK);
	assert_true(nodes >= 3);
	assert_int_equal(record(f, 202602, &second_transaction, &nodes, why), ERR_CANCELLED);
	assert_string_equal(why, "2026-02 is part of a later payout that is recorded already");
	check(f);
	assert_string_equal(f->complaints, "");
}

/* Close March in another process, which is killed after so many microseconds. Whether it had ended by itself. */
static bool close_and_kill(struct fixture *f, unsigned after)
{
	const struct timespec pause = {.tv_nsec = (long)after * 1000};
	struct office *office = &f->office;
	int status;
	pid_t child;

	/* A database connection must not be carried over. */
	desk_close(office->desk);
	office->desk = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char why[DATABASE_MESSAGE];
		struct closing closing;
		struct desk *desk;

		if (desk_open(&office->settings, office->key, &desk, why) != ERR_OK)
			_exit(2);
		_exit(closing_close(desk, 202603, MARCH + 40 * DAY, &closing) == ERR_OK ? 0 : 1);
	}
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	office_reopen(office);
	return WIFEXITED(status);
}

/* Killed anywhere, the month is closed or it is not; then it can be, and comes to the same. */
static void test_killed(void **state)
{
	static char paid_sql[] = "SELECT COALESCE(SUM(allotted), 0) FROM statements WHERE period = 202603";
	static char parts_sql[] =
		"SELECT (SELECT COUNT(*) FROM months WHERE period = 202603) + (SELECT COUNT(*) FROM statements WHERE "
		"period = 202603) + (SELECT COUNT(*) FROM entries WHERE period = 202603)";
	struct fixture *f = *state;
	const uint64_t times = effort(30, 300);
	unsigned after = 5000, killed = 0, closed = 0;
	struct random_stream random;
	uint64_t parts, paid;

	random_stream_init(&random, bytes_of_text("kill"));
	send_bytes(&f->office, 0, MARCH + DAY, 1000000000000);
	office_set_clock(&f->office, MARCH + 40 * DAY);
	copy_file(f, "satellite.db", "right.db");
	assert_true(close_and_kill(f, 999000));
	parts = office_number(&f->office, parts_sql);
	paid = office_number(&f->office, paid_sql);
	assert_true(parts > 3 && paid > 0);
	for (uint64_t i = 0; i < times; i++) {
		copy_file(f, "right.db", "satellite.db");
		if (close_and_kill(f, (unsigned)random_stream_below(&random, after)))
			after = after * 3 / 4 + 1;
		else
			after += after / 8;
		if (office_number(&f->office, parts_sql) == 0) {
			killed++;
			close_month(&f->office, 202603, MARCH + 40 * DAY);
		} else {
			closed++;
		}
		assert_int_equal(office_number(&f->office, parts_sql), parts);
		assert_int_equal(office_number(&f->office, paid_sql), paid);
		check(f);
		assert_string_equal(f->complaints, "");
	}
	assert_int_equal(killed + closed, times);
	assert_true(killed > 0);
}

/* An audit of all that a node holds, with one verdict for all. */
static void audit_all(struct fixture *f, unsigned node, uint64_t at, enum audit_verdict verdict)
{
	struct state_change change;
	struct audit_batch batch;

	office_set_clock(&f->office, at);
	audits_batch_init(&batch, key_address(f->office.nodes[node]), 100);
	assert_int_equal(audits_next_pieces(f->office.desk->db, &batch, NULL, 1), ERR_OK);
	put_be64(batch.challenge.b, at);
	batch.challenge.b[31] = (uint8_t)node;
	batch.at = at;
	batch.end = AUDIT_ANSWERED;
	for (uint32_t i = 0; i < batch.count; i++)
		batch.pieces[i].verdict = verdict;
	assert_int_equal(verdicts_record(f->office.desk, &batch, &change), ERR_OK);
	audits_batch_free(&batch);
}

/* A piece that is found missing earned up to its last proof, whatever came in between; one that never had any earned
 * nothing at all. */
static void test_last_proof(void **state)
{
	static char lost_sql[] = "SELECT MIN(lost) + MAX(lost) FROM pieces";
	static char never_sql[] = "SELECT COUNT(*) FROM changes WHERE ended = began";
	struct fixture *f = *state;
	uint64_t never = office_number(&f->office, never_sql);

	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM pieces"), 1);
	for (unsigned node = 0; node < 2; node++) {
		audit_all(f, node, MARCH + 4 * DAY, AUDITED_PROVEN);
		audit_all(f, node, MARCH + 5 * DAY, AUDITED_LATE);
		audit_all(f, node, MARCH + 6 * DAY, AUDITED_UNREACHABLE);
		audit_all(f, node, MARCH + 7 * DAY, AUDITED_CORRUPT);
	}
	assert_int_equal(office_number(&f->office, lost_sql), 2 * (MARCH + 4 * DAY));
	store_object(&f->office, "never");
	for (unsigned node = 0; node < 2; node++)
		audit_all(f, node, MARCH + 9 * DAY, AUDITED_MISSING);
	assert_int_equal(office_number(&f->office, never_sql), never + 1);
	check(f);
	assert_string_equal(f->complaints, "");
}

/* A life of some months: whatever happens, and whenever months are closed, the books are right. */
struct life {
	struct fixture *f;
	struct random_stream random;
	unsigned objects; /* stored so far; the name of each is its number */
	bool gone[LIFE_OBJECTS];
	uint64_t now;
	uint32_t period; /* that is open */
};

static void name_object(unsigned number, char out[8])
{
	snprintf(out, 8, "o%u", number);
}

/* An audit that finds some of a node's pieces, and some not. */
static void audit_some(struct life *life, unsigned node)
{
	struct office *office = &life->f->office;
	uint64_t dice = random_stream_u64(&life->random);
	struct state_change change;
	struct audit_batch batch;

	audits_batch_init(&batch, key_address(office->nodes[node]), 8);
	assert_int_equal(audits_draw_pieces(office->desk->db, &batch, 4), ERR_OK);
	put_be64(batch.challenge.b, random_stream_u64(&life->random));
	batch.at = life->now;
	batch.end = AUDIT_ANSWERED;
	for (uint32_t i = 0; i < batch.count; i++) {
		batch.pieces[i].verdict = (dice >> 2 * i) % 4 == 0 ? AUDITED_MISSING : AUDITED_PROVEN;
		batch.bytes += 1024;
	}
	assert_int_equal(verdicts_record(office->desk, &batch, &change), ERR_OK);
	audits_batch_free(&batch);
}

static enum err add_adjustment(struct database *db, void *arg)
{
	return adjustments_add(db, arg);
}

static void adjust(struct life *life, unsigned node)
{
	static const enum line_kind kinds[] = {LINE_BONUS, LINE_CORRECTION, LINE_DEDUCTED};
	struct adjustment adjustment = {
		.node = *key_address(life->f->office.nodes[node]),
		.period = month_period(life->now),
		.kind = kinds[random_stream_below(&life->random, 3)],
		.amount = amount_of(1 + random_stream_below(&life->random, 2 * TOKEN)),
		.at = life->now,
		.note = "",
	};

	assert_int_equal(database_transaction(life->f->office.desk->db, add_adjustment, &adjustment), ERR_OK);
}

static void happen(struct life *life)
{
	struct office *office = &life->f->office;
	unsigned node = (unsigned)random_stream_below(&life->random, office->node_count), number;
	char name[8];

	switch (random_stream_below(&life->random, 6)) {
	case 0:
	case 1:
		if (life->objects == LIFE_OBJECTS)
			return;
		name_object(life->objects++, name);
		store_object(office, name);
		return;
	case 2:
		number = (unsigned)random_stream_below(&life->random, life->objects);
		if (life->gone[number])
			return;
		life->gone[number] = true;
		name_object(number, name);
		remove_object(office, name);
		return;
	case 3:
		audit_some(life, node);
		return;
	case 4:
		/* Hours are distinct, as is each settlement here. */
		send_bytes(office, node, life->now, random_stream_below(&life->random, 1000000000000));
		return;
	default:
		adjust(life, node);
	}
}

/* Months that are over are closed, sooner or later, and recorded sometimes. */
static void close_what_is_over(struct life *life)
{
	char why[PAYOUTS_WHY] = "";
	struct bytes32 transaction = {{0}};
	uint64_t at, nodes;

	while (month_of_period(life->period, &at) == ERR_OK && month_end(at) <= life->now &&
	       random_stream_below(&life->random, 3) == 0) {
		close_month(&life->f->office, life->period, life->now);
		put_be64(transaction.b, random_stream_u64(&life->random));
		if (random_stream_below(&life->random, 2) == 0)
			assert_int_not_equal(record(life->f, life->period, &transaction, &nodes, why), ERR_DATABASE);
		life->period = month_period(month_end(at));
		check(life->f);
		assert_string_equal(life->f->complaints, "");
	}
}

static void test_random_life(void **state)
{
	struct fixture *f = *state;
	struct life *life = calloc(1, sizeof(*life));

	assert_non_null(life);
	life->f = f;
	life->now = MARCH + 4 * DAY;
	life->period = 202603;
	f->office.settings.minimum_payout = amount_of(4 * TOKEN);
	random_stream_init(&life->random, bytes_of_text("life"));
	office_set_clock(&f->office, life->now);
	store_object(&f->office, "o0");
	life->objects = 1;
	for (int i = 0; i < 250; i++) {
		life->now += 3600 + random_stream_below(&life->random, DAY);
		office_set_clock(&f->office, life->now);
		happen(life);
		close_what_is_over(life);
	}
	assert_true(life->period > 202605);
	check(f);
	assert_string_equal(f->complaints, "");
	assert_true(office_number(&f->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0") > 0);
	assert_true(office_number(&f->office, "SELECT COUNT(*) FROM entries WHERE reason = 10") > 0);
	free(life);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_right_books), TEST(test_wrong_books), TEST(test_append_only),	   TEST(test_tree),
		TEST(test_export),	TEST(test_record),	TEST(test_record_several), TEST(test_random_life),
		TEST(test_killed),	TEST(test_last_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
