/*
 * Closing a month, in three passes over the nodes: each node's pay; then, payee by payee, whether that is paid or
 * rolled over; then the statements. With the third, what is signed is written.
 */
#include "satellite/closing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/u256.h"
#include "satellite/adjustments.h"
#include "satellite/ledger.h"
#include "satellite/payees.h"
#include "satellite/registry.h"
#include "satellite/standings.h"
#include "satellite/statements.h"
#include "satellite/usages.h"

/* What is known of a node beside its stub. */
struct draft {
	uint64_t registered;
	bool offline;
	struct bytes32 cumulative; /* allotted to it before */
};

/* A payee and what its nodes' months come to. */
struct payee_sum {
	struct address payee;
	struct amount payable;
	struct bytes32 cumulative; /* with this month */
	bool pays;
};

struct run {
	struct desk *desk;
	uint32_t period;
	uint64_t now;
	bool write;
	struct closing *closing;
	size_t stub_room;
	struct draft *drafts; /* beside closing->stubs */
	size_t draft_room;
	struct payee_sum *payees;
	size_t payee_count;
	struct pricing *pricing;
	struct gathered *gathered;   /* of the node under way */
	struct closed_month *closed; /* the same */
};

static enum err refuse(struct run *run, uint32_t period, const char *what)
{
	snprintf(run->closing->why, sizeof(run->closing->why), "%04u-%02u %s", period / 100, period % 100, what);
	return ERR_CANCELLED;
}

/* The month that is to be closed next, and the day on which it begins. Every month since the first node came is. */
static enum err find_next(struct run *run, struct database *db, uint32_t *ret_period, uint64_t *ret_day)
{
	struct query *q = database_query(db, "SELECT period, end_day FROM months ORDER BY period DESC LIMIT 1");
	uint64_t at = 0;
	enum err err = query_one(q);

	if (err == ERR_OK) {
		*ret_day = query_get_int(q, 1);
		err = month_of_period((uint32_t)query_get_int(q, 0), &at);
		query_reset(q);
		*ret_period = month_period(month_end(at));
		return err;
	}
	if (err != ERR_NOT_FOUND)
		return err;
	q = database_query(db, "SELECT MIN(registered) FROM nodes");
	err = query_one(q);
	if (err == ERR_OK && query_is_null(q, 0))
		err = refuse(run, run->period, "has no nodes: none has ever checked in");
	if (err == ERR_OK) {
		at = month_start(query_get_int(q, 0));
		*ret_period = month_period(at);
		*ret_day = at / USAGE_DAY;
	}
	query_reset(q);
	return err;
}

static enum err find_stretch(struct run *run, struct database *db)
{
	struct stretch *stretch = &run->closing->stretch;
	uint32_t next;
	uint64_t end;
	enum err err = find_next(run, db, &next, &stretch->first_day);

	stretch->period = run->period;
	if (err == ERR_OK)
		err = month_of_period(run->period, &stretch->at);
	if (err == ERR_RANGE)
		return refuse(run, run->period, "is no month");
	if (err != ERR_OK)
		return err;
	if (run->period < next)
		return refuse(run, run->period, "is before the first month of these books");
	if (run->period > next)
		return refuse(run, next, "must be closed first");
	if (run->now < stretch->at)
		return refuse(run, run->period, "has not begun");
	end = month_end(stretch->at);
	if (run->now < end && run->write && !run->desk->settings->test_network)
		return refuse(run, run->period, "is not over");
	stretch->end_day = (run->now < end ? run->now / USAGE_DAY + 1 : end / USAGE_DAY);
	stretch->until = stretch->end_day * USAGE_DAY;
	if (!run->write && run->now < stretch->until)
		stretch->until = run->now;
	return ERR_OK;
}

static void drop_stubs(struct closing *closing)
{
	for (size_t i = 0; i < closing->count; i++)
		free((void *)(uintptr_t)closing->stubs[i].sheet.data);
	closing->count = 0;
}

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct run *run = arg;
	struct closing *closing = run->closing;
	uint64_t end = closing->stretch.end_day * USAGE_DAY, now = run->now < end ? run->now : end;
	size_t i = closing->count;

	if (node->registered >= end)
		return ERR_OK;
	closing->stubs = memory_grow(closing->stubs, &run->stub_room, i + 1, sizeof(*closing->stubs));
	run->drafts = memory_grow(run->drafts, &run->draft_room, i + 1, sizeof(*run->drafts));
	closing->stubs[i] = (struct stub){.id = node->id, .statement.node = node->address};
	run->drafts[i] = (struct draft){
		.registered = node->registered,
		.offline = !node->reachable || node->checked_in < registry_online_since(run->desk->settings, now),
	};
	closing->count++;
	return ERR_OK;
}

/* What the months before left behind. */
static enum err read_before(struct database *db, const struct address *node, struct month_before *ret)
{
	struct ledger_sums sums;
	const struct amount *by = sums.by_reason;
	enum err err = ledger_sum(db, node, &sums);

	if (err != ERR_OK)
		return err;
	ret->held = (struct held_account){by[LEDGER_FOR_HELD], by[LEDGER_FOR_RELEASED], by[LEDGER_FOR_FORFEITED]};
	ret->cumulative = u256_of(amount_units(by[LEDGER_FOR_ALLOTTED]));
	err = amount_sub(by[LEDGER_FOR_ROLLED], by[LEDGER_FOR_CARRIED], &ret->rolled);
	if (err == ERR_OK)
		err = amount_sub(by[LEDGER_FOR_DEDUCTION], by[LEDGER_FOR_DEDUCTED], &ret->deduct);
	return err == ERR_OVERFLOW ? ERR_CORRUPT : err;
}

_Static_assert(MESSAGE_SHEET_MAX == SHEET_BYTES, "a STATEMENT holds any sheet");

static void keep_sheet(const struct sheet *sheet, struct stub *stub)
{
	uint8_t *bytes = memory_new(1, SHEET_BYTES);
	struct writer w;

	writer_init(&w, bytes, SHEET_BYTES);
	sheet_encode(sheet, &w);
	stub->codes = sheet->codes;
	stub->sheet.len = writer_bytes(&w).len;
	stub->sheet.data = memory_copy(bytes, stub->sheet.len);
	free(bytes);
}

/* First pass: what a node's month comes to, and whose it is. */
static enum err settle_node(struct run *run, struct database *db, size_t i)
{
	const struct stretch *stretch = &run->closing->stretch;
	struct stub *stub = &run->closing->stubs[i];
	const struct address *node = &stub->statement.node;
	struct standing standing = {.registered = run->drafts[i].registered, .offline = run->drafts[i].offline};
	struct month_before before;
	enum err err = gather_node(db, node, stretch, run->pricing, run->gathered);

	if (err == ERR_OK)
		err = adjustments_apply(db, node, run->period, &run->gathered->month, &stub->deductions);
	if (err == ERR_OK)
		err = standings_read(db, node, &standing);
	if (err == ERR_OK)
		err = read_before(db, node, &before);
	if (err == ERR_OK)
		err = month_close(&run->gathered->month, &run->desk->settings->held, &standing, &before, run->closed);
	if (err == ERR_OK)
		err = payees_at(db, node, month_end(stretch->at), &stub->statement.payee);
	if (err != ERR_OK)
		return err;
	run->drafts[i].cumulative = before.cumulative;
	stub->carried = run->gathered->carried;
	stub->sums = run->closed->sums;
	keep_sheet(&run->closed->sheet, stub);
	return ERR_OK;
}

static int compare_payees(const void *a, const void *b)
{
	return memcmp(&((const struct payee_sum *)a)->payee, &((const struct payee_sum *)b)->payee,
		      sizeof(struct address));
}

static enum err add_cumulative(struct run *run, struct database *db, struct payee_sum *sum)
{
	struct query *q = database_query(db, "SELECT COALESCE(SUM(allotted), 0) FROM statements WHERE payee = $payee");
	enum err err;

	query_address(q, "payee", &sum->payee);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	sum->cumulative = u256_of(query_get_int(q, 0));
	query_reset(q);
	sum->pays = month_pays(sum->payable, run->desk->settings->minimum_payout);
	return sum->pays ? u256_add_amount(&sum->cumulative, sum->payable) : ERR_OK;
}

/* Second pass: the payees, each once, sorted. */
static enum err sum_payees(struct run *run, struct database *db)
{
	const struct closing *closing = run->closing;
	size_t last = 0;
	enum err err = ERR_OK;

	free(run->payees);
	run->payees = memory_new(closing->count + 1, sizeof(*run->payees));
	run->payee_count = 0;
	for (size_t i = 0; i < closing->count; i++)
		run->payees[i] = (struct payee_sum){.payee = closing->stubs[i].statement.payee,
						    .payable = closing->stubs[i].sums.payable};
	qsort(run->payees, closing->count, sizeof(*run->payees), compare_payees);
	for (size_t i = 0; i < closing->count && err == ERR_OK; i++) {
		if (i > 0 && compare_payees(&run->payees[last], &run->payees[i]) == 0) {
			err = amount_add(run->payees[last].payable, run->payees[i].payable, &run->payees[last].payable);
			continue;
		}
		last = run->payee_count++;
		run->payees[last] = run->payees[i];
	}
	for (size_t i = 0; i < run->payee_count && err == ERR_OK; i++)
		err = add_cumulative(run, db, &run->payees[i]);
	return err;
}

static const struct payee_sum *find_payee(const struct run *run, const struct address *payee)
{
	const struct payee_sum wanted = {.payee = *payee};
	const struct payee_sum *sum = bsearch(&wanted, run->payees, run->payee_count, sizeof(wanted), compare_payees);

	assert(sum != NULL); /* they were made from the stubs */
	return sum;
}

/* Third pass: a node's statement. */
static enum err make_statement(struct run *run, size_t i)
{
	struct stub *stub = &run->closing->stubs[i];
	const struct payee_sum *sum = find_payee(run, &stub->statement.payee);
	const struct statement_parties parties = {*key_address(run->desk->key), stub->statement.node,
						  stub->statement.payee, sum->cumulative};
	enum err err = sheet_decode(stub->sheet, &run->closed->sheet);

	run->closed->period = run->period;
	run->closed->sums = stub->sums;
	if (err == ERR_OK)
		err = month_statement(run->closed, &parties, &run->drafts[i].cumulative, sum->pays, &stub->statement);
	return err;
}

static enum err make_stubs(struct run *run, struct database *db)
{
	struct closing *closing = run->closing;
	const struct stretch *stretch = &closing->stretch;
	enum err err;

	pricing_free(run->pricing);
	run->pricing = NULL;
	err = pricing_open(db, key_address(run->desk->key), stretch->first_day * USAGE_DAY,
			   stretch->end_day * USAGE_DAY, &run->pricing);
	if (err == ERR_OK)
		err = registry_each(db, add_node, run);
	for (size_t i = 0; i < closing->count && err == ERR_OK; i++)
		err = settle_node(run, db, i);
	if (err == ERR_OK)
		err = sum_payees(run, db);
	for (size_t i = 0; i < closing->count && err == ERR_OK; i++)
		err = make_statement(run, i);
	return err;
}

/* A transaction is tried again when another connection was in the way: all begins from nothing. */
static enum err run_once(struct database *db, void *arg)
{
	struct run *run = arg;
	struct closing *closing = run->closing;
	enum err err;

	drop_stubs(closing);
	err = statements_month(db, run->period, &closing->stretch, &closing->closed);
	if (err == ERR_OK && closing->closed && run->write)
		return refuse(run, run->period, "is closed already");
	if (err == ERR_OK && closing->closed)
		return statements_load(db, closing, &run->stub_room);
	if (err == ERR_OK)
		err = find_stretch(run, db);
	if (err == ERR_OK && run->write)
		err = usages_close_until(db, run->desk, closing->stretch.end_day);
	if (err == ERR_OK)
		err = make_stubs(run, db);
	return err == ERR_OK && run->write ? statements_store(db, run->desk, run->now, closing) : err;
}

static enum err start(struct desk *desk, uint32_t period, uint64_t now, bool write, struct closing *ret)
{
	struct run run = {.desk = desk, .period = period, .now = now, .write = write, .closing = ret};
	enum err err;

	memset(ret, 0, sizeof(*ret));
	run.gathered = memory_new(1, sizeof(*run.gathered));
	run.closed = memory_new(1, sizeof(*run.closed));
	if (write)
		err = database_transaction(desk->db, run_once, &run);
	else
		err = database_view(desk->db, run_once, &run);
	pricing_free(run.pricing);
	free(run.drafts);
	free(run.payees);
	free(run.gathered);
	free(run.closed);
	return err;
}

enum err closing_preview(struct desk *desk, uint32_t period, uint64_t now, struct closing *ret)
{
	return start(desk, period, now, false, ret);
}

enum err closing_close(struct desk *desk, uint32_t period, uint64_t now, struct closing *ret)
{
	return start(desk, period, now, true, ret);
}

void closing_free(struct closing *closing)
{
	drop_stubs(closing);
	free(closing->stubs);
	closing->stubs = NULL;
}
