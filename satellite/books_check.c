/* Months, statements and entries, node by node. */
#include "satellite/books_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/statement.h"
#include "payments/u256.h"
#include "satellite/books_private.h"
#include "satellite/ledger.h"
#include "satellite/payouts.h"
#include "satellite/registry.h"
#include "satellite/storage.h"

void books_say(struct books *books, const struct address *node, const char *format, ...)
{
	char text[300], line[400], address[KEY_ADDRESS_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (node != NULL) {
		address_to_text(node, address);
		snprintf(line, sizeof(line), "%s: %s", address, text);
	}
	books->checked.wrong++;
	books->complain(books->arg, node == NULL ? text : line);
}

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct books *books = arg;

	books->nodes = memory_grow(books->nodes, &books->node_room, books->node_count + 1, sizeof(*books->nodes));
	books->nodes[books->node_count++] = node->address;
	return ERR_OK;
}

/* A node's books, month after month. */
struct history {
	struct books *books;
	const struct address *node;
	uint32_t recorded; /* the last month whose payout the chain knows */
	struct storage_walk walk;
	bool walking;
	struct ledger_sums sums; /* of all months so far */
	struct bytes32 cumulative;
	struct sheet *sheet;
};

/* A month of a node, as stored. */
struct month_row {
	uint32_t period;
	uint64_t first_day, end_day;
	struct address payee;
	uint64_t stored;
	uint128 debt;
	uint64_t allotted;
	struct statement statement;
	struct signature signature;
};

#define SAY(history, row, text) \
	books_say((history)->books, (history)->node, "%04u-%02u: %s", (row)->period / 100, (row)->period % 100, text)

static enum err read_row(struct query *q, struct month_row *row, struct sheet *sheet)
{
	uint8_t debt[16];
	struct reader r;
	enum err err;

	row->period = (uint32_t)query_get_int(q, 0);
	row->first_day = query_get_int(q, 1);
	row->end_day = query_get_int(q, 2);
	row->stored = query_get_int(q, 4);
	row->allotted = query_get_int(q, 6);
	err = query_get_exact(q, 3, row->payee.b, sizeof(row->payee.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 5, debt, sizeof(debt));
	if (err == ERR_OK)
		err = typed_decode(&typed_statement, query_get_bytes(q, 7), &row->statement, &row->signature);
	if (err == ERR_OK)
		err = sheet_decode(query_get_bytes(q, 8), sheet);
	if (err != ERR_OK)
		return err;
	reader_init(&r, bytes_of(debt, sizeof(debt)));
	row->debt = read_u128(&r);
	return ERR_OK;
}

/* By itself: signed by us, for this node and month, and the sum of its lines. */
static void check_statement(struct history *h, const struct month_row *row)
{
	const struct desk *desk = h->books->desk;
	const struct statement *s = &row->statement;
	enum statement_fault fault = statement_check(s, h->sheet);

	if (typed_verify(&typed_statement, s, &desk->settings->domain, &row->signature, key_address(desk->key)) !=
	    REFUSAL_NONE)
		SAY(h, row, "the statement is not signed by this satellite");
	if (!address_equal(&s->satellite, key_address(desk->key)) || !address_equal(&s->node, h->node) ||
	    s->period != row->period || !address_equal(&s->payee, &row->payee) || s->paid != row->allotted)
		SAY(h, row, "the statement is of something else");
	if (fault != STATEMENT_SOUND)
		SAY(h, row, statement_fault_text(fault));
}

/* What came before and this month are what it says was allotted in all. */
static enum err check_cumulative(struct history *h, const struct month_row *row)
{
	struct query *q = database_query(h->books->db, "SELECT SUM(allotted) FROM statements WHERE payee = $payee AND "
						       "period <= $period");
	struct bytes32 payee;
	enum err err;

	query_address(q, "payee", &row->payee);
	query_int(q, "period", row->period);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	payee = u256_of(query_get_int(q, 0));
	query_reset(q);
	err = u256_add_amount(&h->cumulative, amount_of(row->allotted));
	if (err != ERR_OK)
		return err;
	if (!bytes32_equal(&h->cumulative, &row->statement.nodeCumulative))
		SAY(h, row, "the node's cumulative amount is not the sum of its months");
	if (!bytes32_equal(&payee, &row->statement.payeeCumulative))
		SAY(h, row, "the payee's cumulative amount is not the sum of its nodes' months");
	return ERR_OK;
}

/* The entries of a month are its lines, and where the rest went. */
static enum err check_entries(struct history *h, const struct month_row *row)
{
	struct ledger_sums month, lines = {{AMOUNT_INIT(0)}};
	struct amount *by = lines.by_reason;
	enum err err = ledger_sum_month(h->books->db, h->node, row->period, &month);

	if (err == ERR_CORRUPT) {
		SAY(h, row, "an entry moves between other accounts than its reason does");
		return ERR_OK;
	}
	for (size_t i = 0; i < h->sheet->count && err == ERR_OK; i++)
		err = amount_add(by[h->sheet->lines[i].kind], h->sheet->lines[i].amount, &by[h->sheet->lines[i].kind]);
	by[LEDGER_FOR_DEDUCTION] = month.by_reason[LEDGER_FOR_DEDUCTION];
	by[LEDGER_FOR_ROLLED] = amount_of(row->statement.rolled);
	by[LEDGER_FOR_ALLOTTED] = amount_of(row->allotted);
	by[LEDGER_FOR_PAID] = amount_of(row->period <= h->recorded ? row->allotted : 0);
	for (unsigned reason = 1; reason < LEDGER_REASONS && err == ERR_OK; reason++) {
		if (amount_units(by[reason]) != amount_units(month.by_reason[reason]))
			books_say(h->books, h->node, "%04u-%02u: entries for \"%s\" differ from the statement",
				  row->period / 100, row->period % 100, ledger_reason_name(reason));
		err = amount_add(h->sums.by_reason[reason], month.by_reason[reason], &h->sums.by_reason[reason]);
	}
	if (err == ERR_OK && ledger_balance(&month, LEDGER_OWED) != 0)
		SAY(h, row, "something is left owed");
	return err;
}

static uint128 quantity_of(const struct sheet *sheet, enum line_kind kind)
{
	uint128 sum = 0;

	for (size_t i = 0; i < sheet->count; i++)
		if (sheet->lines[i].kind == kind)
			sum += sheet->lines[i].quantity;
	return sum;
}

/* Byte-seconds of the signed days of a month. */
static enum err sum_days(struct history *h, const struct month_row *row, uint128 *ret)
{
	struct query *q = database_query(h->books->db, "SELECT signed FROM usages WHERE node = $node AND day >= $first "
						       "AND day < $end");
	uint128 sum = 0;
	bool any;
	enum err err;

	query_address(q, "node", h->node);
	query_int(q, "first", row->first_day);
	query_int(q, "end", row->end_day);
	for (err = query_step(q, &any); err == ERR_OK && any; err = query_step(q, &any)) {
		struct usage usage;
		struct signature signature;

		if (typed_decode(&typed_usage, query_get_bytes(q, 0), &usage, &signature) != ERR_OK)
			SAY(h, row, "a day's usage cannot be read");
		else
			sum += usage.byteSeconds;
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret = sum;
	return err;
}

/* Byte-seconds of the month's days, and what it carries into the next. */
static enum err check_storage(struct history *h, const struct month_row *row)
{
	uint128 sum = 0, days = 0;
	enum err err = sum_days(h, row, &days);

	if (err == ERR_OK && !h->walking)
		err = storage_walk_anew(&h->walk, h->books->db, h->node, row->first_day);
	if (err != ERR_OK)
		return err;
	h->walking = true;
	if (h->walk.day != row->first_day)
		SAY(h, row, "its days do not follow those of the month before");
	while (err == ERR_OK && h->walk.day < row->end_day) {
		struct byte_seconds day;

		err = storage_walk_day(&h->walk, UINT64_MAX, &day);
		if (err == ERR_OK)
			sum += byte_seconds_value(day);
	}
	if (err != ERR_OK)
		return err;
	if (sum != quantity_of(h->sheet, LINE_STORAGE))
		SAY(h, row, "its byte-seconds are not those of the sums by hour");
	if (days != quantity_of(h->sheet, LINE_STORAGE))
		SAY(h, row, "its byte-seconds are not those of its days");
	if (h->walk.carried.bytes != row->stored || byte_seconds_value(h->walk.carried.debt) != row->debt)
		SAY(h, row, "what it carries into the next month is not what the sums by hour say");
	return ERR_OK;
}

static enum err sum_hours(struct database *db, const char *sql, const struct address *node, const struct month_row *row,
			  uint64_t *ret)
{
	struct query *q = database_query(db, sql);
	enum err err;

	query_address(q, "node", node);
	query_int(q, "first", row->first_day * 24);
	query_int(q, "end", row->end_day * 24);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret += query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

#define HOURS "WHERE node = $node AND hour >= $first AND hour < $end"

static enum err check_bytes(struct history *h, const struct month_row *row)
{
	static const struct {
		enum line_kind kind;
		const char *sql;
	} sums[] = {
		{LINE_EGRESS, "SELECT COALESCE(SUM(bytes), 0) FROM traffic " HOURS " AND action = 2"},
		{LINE_AUDIT, "SELECT COALESCE(SUM(bytes), 0) FROM traffic " HOURS " AND action = 3"},
		{LINE_REPAIR, "SELECT COALESCE(SUM(bytes), 0) FROM traffic " HOURS " AND action = 4"},
		{LINE_AUDIT, "SELECT COALESCE(SUM(bytes), 0) FROM audited " HOURS},
	};
	uint64_t by_kind[LINE_REPAIR + 1] = {0};
	enum err err = ERR_OK;

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]) && err == ERR_OK; i++)
		err = sum_hours(h->books->db, sums[i].sql, h->node, row, &by_kind[sums[i].kind]);
	for (unsigned kind = LINE_EGRESS; kind <= LINE_REPAIR && err == ERR_OK; kind++)
		if (by_kind[kind] != quantity_of(h->sheet, (enum line_kind)kind))
			books_say(h->books, h->node, "%04u-%02u: bytes of %s are not those of the sums by hour",
				  row->period / 100, row->period % 100, sheet_kind_name((enum line_kind)kind));
	return err;
}

static enum err check_month(struct history *h, struct query *q)
{
	struct month_row row = {.period = 0};
	enum err err = read_row(q, &row, h->sheet);

	h->books->checked.statements++;
	if (err != ERR_OK) {
		SAY(h, &row, "the statement cannot be read");
		return ERR_OK;
	}
	check_statement(h, &row);
	err = check_cumulative(h, &row);
	if (err == ERR_OK)
		err = check_entries(h, &row);
	if (err == ERR_OK)
		err = check_storage(h, &row);
	return err == ERR_OK ? check_bytes(h, &row) : err;
}

/* All entries are those of the statements, and no account is where it cannot be. */
static enum err check_balances(struct history *h)
{
	struct ledger_sums all;
	enum err err = ledger_sum(h->books->db, h->node, &all);

	if (err == ERR_CORRUPT) {
		books_say(h->books, h->node, "an entry moves between other accounts than its reason does");
		return ERR_OK;
	}
	if (err != ERR_OK)
		return err;
	for (unsigned i = 1; i < LEDGER_REASONS; i++)
		if (amount_units(all.by_reason[i]) != amount_units(h->sums.by_reason[i]))
			books_say(h->books, h->node, "entries for \"%s\" that belong to no statement",
				  ledger_reason_name(i));
	for (unsigned i = 1; i < LEDGER_ACCOUNTS; i++) {
		__int128 balance = ledger_balance(&all, (enum ledger_account)i);

		if (i == LEDGER_EARNED || i == LEDGER_TO_DEDUCT ? balance > 0 : balance < 0)
			books_say(h->books, h->node, "the balance of \"%s\" cannot be", ledger_account_name(i));
	}
	return ERR_OK;
}

static enum err check_node(struct books *books, const struct address *node, uint32_t recorded)
{
	struct query *q = database_query(
		books->db, "SELECT m.period, m.first_day, m.end_day, s.payee, s.stored, s.debt, s.allotted, "
			   "s.signed, s.lines FROM statements s JOIN months m ON m.period = s.period "
			   "WHERE s.node = $node ORDER BY m.period");
	struct history h = {.books = books, .node = node, .recorded = recorded};
	bool row;
	enum err err;

	h.sheet = memory_new(1, sizeof(*h.sheet));
	query_address(q, "node", node);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = check_month(&h, q);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	if (h.walking)
		storage_walk_end(&h.walk);
	if (err == ERR_CORRUPT) {
		books_say(books, node, "the sums by hour make no sense: more ends than began");
		err = ERR_OK;
	}
	if (err == ERR_OK)
		err = check_balances(&h);
	free(h.sheet);
	return err;
}

/* Months follow one another without a gap. */
static enum err check_months(struct books *books)
{
	struct query *q = database_query(books->db, "SELECT period, first_day, end_day FROM months ORDER BY period");
	uint64_t end = 0;
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		if ((end > 0 && query_get_int(q, 1) != end) || query_get_int(q, 2) <= query_get_int(q, 1))
			books_say(books, NULL, "the days of %" PRIu64 " do not follow those of the month before",
				  query_get_int(q, 0));
		end = query_get_int(q, 2);
		books->checked.months++;
	}
	return err;
}

/* The roots that were brought to the chain are those of the trees. */
static enum err check_payouts(struct books *books, uint32_t *ret_recorded)
{
	struct query *q = database_query(books->db, "SELECT period, root FROM payouts ORDER BY period");
	char why[PAYOUTS_WHY];
	bool row;
	enum err err;

	*ret_recorded = 0;
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct payout payout = {.tree = NULL};
		uint32_t period = (uint32_t)query_get_int(q, 0);
		struct bytes root = query_get_bytes(q, 1);

		err = payouts_build(books->db, period, &payout, why);
		if (err != ERR_OK && err != ERR_CANCELLED)
			break;
		if (err == ERR_CANCELLED || !bytes_equal(root, bytes_of(payout_tree_root(payout.tree)->b, 32)))
			books_say(books, NULL, "%04u-%02u: the recorded root is not that of the payout", period / 100,
				  period % 100);
		payouts_free(&payout);
		*ret_recorded = period;
	}
	query_reset(q);
	return err;
}

static enum err count_entries(struct books *books)
{
	struct query *q = database_query(books->db, "SELECT COUNT(*) FROM entries");
	enum err err = query_one(q);

	if (err == ERR_OK)
		books->checked.entries = query_get_int(q, 0);
	query_reset(q);
	return err;
}

static enum err check_all(struct database *db, void *arg)
{
	struct books *books = arg;
	uint32_t recorded = 0;
	enum err err;

	books->db = db;
	books->node_count = 0;
	memset(&books->checked, 0, sizeof(books->checked));
	err = registry_each(db, add_node, books);
	books->checked.nodes = books->node_count;
	if (err == ERR_OK)
		err = check_months(books);
	if (err == ERR_OK)
		err = check_payouts(books, &recorded);
	if (err == ERR_OK)
		err = count_entries(books);
	for (size_t i = 0; i < books->node_count && err == ERR_OK; i++)
		err = check_node(books, &books->nodes[i], recorded);
	return err == ERR_OK ? books_check_sums(books) : err;
}

enum err books_check(struct desk *desk, books_complain *complain, void *arg, struct books_checked *ret)
{
	struct books books = {.desk = desk, .complain = complain, .arg = arg};
	enum err err = database_view(desk->db, check_all, &books);

	free(books.nodes);
	if (err == ERR_OK)
		*ret = books.checked;
	return err;
}
