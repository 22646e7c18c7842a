/* Writing and reading closed months. */
#include "satellite/statements.h"

#include <stdlib.h>

#include "common/memory.h"
#include "satellite/ledger.h"

enum err statements_month(struct database *db, uint32_t period, struct stretch *ret, bool *ret_closed)
{
	struct query *q = database_query(db, "SELECT first_day, end_day FROM months WHERE period = $period");
	enum err err;

	query_int(q, "period", period);
	err = query_one(q);
	*ret_closed = err == ERR_OK;
	if (err == ERR_OK) {
		*ret = (struct stretch){period, 0, query_get_int(q, 0), query_get_int(q, 1), 0};
		ret->until = ret->end_day * USAGE_DAY;
		err = month_of_period(period, &ret->at);
	}
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err store_month(struct database *db, uint64_t now, const struct stretch *stretch)
{
	struct query *q = database_query(db, "INSERT INTO months (period, first_day, end_day, closed) VALUES ($period, "
					     "$first_day, $end_day, $closed)");

	query_int(q, "period", stretch->period);
	query_int(q, "first_day", stretch->first_day);
	query_int(q, "end_day", stretch->end_day);
	query_int(q, "closed", now);
	return query_run(q);
}

static enum err post(struct database *db, const struct stub *stub, uint64_t now, enum ledger_reason reason,
		     struct amount amount)
{
	const struct ledger_entry entry = {
		.party = stub->statement.node,
		.period = stub->statement.period,
		.reason = reason,
		.amount = amount,
		.at = now,
	};

	return ledger_post(db, &entry);
}

/* An entry for each kind of line, and where the rest went. */
static enum err post_all(struct database *db, const struct stub *stub, uint64_t now, struct sheet *sheet)
{
	struct amount sums[LINE_DEDUCTED + 1] = {AMOUNT_INIT(0)};
	enum err err = sheet_decode(stub->sheet, sheet);

	for (size_t i = 0; err == ERR_OK && i < sheet->count; i++) {
		struct amount *sum = &sums[sheet->lines[i].kind];

		err = amount_add(*sum, sheet->lines[i].amount, sum);
	}
	for (unsigned kind = LINE_STORAGE; kind <= LINE_DEDUCTED && err == ERR_OK; kind++)
		err = post(db, stub, now, (enum ledger_reason)kind, sums[kind]);
	if (err == ERR_OK)
		err = post(db, stub, now, LEDGER_FOR_DEDUCTION, stub->deductions);
	if (err == ERR_OK)
		err = post(db, stub, now, LEDGER_FOR_ROLLED, amount_of(stub->statement.rolled));
	if (err == ERR_OK)
		err = post(db, stub, now, LEDGER_FOR_ALLOTTED, amount_of(stub->statement.paid));
	return err;
}

static enum err store_statement(struct database *db, const struct desk *desk, const struct stub *stub)
{
	struct query *q =
		database_query(db, "INSERT INTO statements (node, period, payee, stored, debt, allotted, signed, "
				   "lines) VALUES ($node, $period, $payee, $stored, $debt, $allotted, "
				   "$signed, $lines)");
	const struct statement *statement = &stub->statement;
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX], debt[16];
	struct writer w;

	query_address(q, "node", &statement->node);
	query_int(q, "period", statement->period);
	query_address(q, "payee", &statement->payee);
	query_int(q, "stored", stub->carried.bytes);
	writer_init(&w, debt, sizeof(debt));
	write_u128(&w, byte_seconds_value(stub->carried.debt));
	query_bytes(q, "debt", writer_bytes(&w));
	query_int(q, "allotted", statement->paid);
	typed_sign(&typed_statement, statement, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_statement, statement, &signature, &w);
	query_bytes(q, "signed", writer_bytes(&w));
	query_bytes(q, "lines", stub->sheet);
	return query_run(q);
}

enum err statements_store(struct database *db, const struct desk *desk, uint64_t now, const struct closing *closing)
{
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	enum err err = store_month(db, now, &closing->stretch);

	for (size_t i = 0; i < closing->count && err == ERR_OK; i++) {
		err = post_all(db, &closing->stubs[i], now, sheet);
		if (err == ERR_OK)
			err = store_statement(db, desk, &closing->stubs[i]);
	}
	free(sheet);
	return err;
}

/* Columns: id, signed, lines, stored. */
static enum err read_stub(struct query *q, struct stub *ret, struct sheet *sheet)
{
	struct bytes lines = query_get_bytes(q, 2);
	struct signature signature;
	enum err err = query_get_exact(q, 0, ret->id.b, sizeof(ret->id.b));

	if (err == ERR_OK)
		err = typed_decode(&typed_statement, query_get_bytes(q, 1), &ret->statement, &signature);
	if (err == ERR_OK)
		err = sheet_decode(lines, sheet);
	if (err == ERR_OK)
		err = sheet_sum(sheet, &ret->sums);
	if (err != ERR_OK)
		return ERR_CORRUPT;
	ret->codes = sheet->codes;
	ret->carried.bytes = query_get_int(q, 3);
	ret->sheet = bytes_of(memory_copy(lines.data, lines.len), lines.len);
	return ERR_OK;
}

enum err statements_load(struct database *db, struct closing *closing, size_t *room)
{
	struct query *q =
		database_query(db, "SELECT n.id, s.signed, s.lines, s.stored FROM statements s JOIN nodes n ON "
				   "n.address = s.node WHERE s.period = $period ORDER BY s.node");
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	bool row;
	enum err err;

	query_int(q, "period", closing->stretch.period);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct stub stub = {.codes = 0};

		err = read_stub(q, &stub, sheet);
		if (err != ERR_OK)
			break;
		closing->stubs = memory_grow(closing->stubs, room, closing->count + 1, sizeof(*closing->stubs));
		closing->stubs[closing->count++] = stub;
	}
	query_reset(q);
	free(sheet);
	return err;
}
