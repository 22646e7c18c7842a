/*
 * 100,000 random months, in lives of nodes: whatever happens, lines add up to totals, nothing overflows unseen, and the
 * satellite's and the node's ways to the same facts end in the same signed bytes. The seed is always the same, and
 * printed, unless GRANARY_SEED gives another; GRANARY_SOAK=1 makes it two million months.
 *
 * The satellite counts storage by the Usage of each day and work as it is booked; the node goes through its own pieces
 * and stretches of equal prices, and through its orders, cut and shuffled at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/month.h"
#include "payments/u256.h"
#include "payments/usage.h"

#define MONTHS 100000
#define LIFE 24	 /* months at most */
#define PIECES 6 /* at a time */
#define MOVES 12 /* of bytes, in a month */
#define TABLES 3 /* of prices, in a month */
#define DAYS 31
#define MOST UINT64_MAX
#define TB 1000000000000ull

struct piece {
	uint64_t size, from, to;
	bool carried; /* into the day that the satellite counts next */
};

struct move {
	enum action action;
	uint64_t bytes;
	unsigned day;
};

/* What is true of a month, whoever counts it. */
struct facts {
	uint64_t start, end;
	struct prices tables[TABLES];
	unsigned table_of_day[DAYS];
	struct move moves[MOVES];
	size_t move_count;
	struct amount bonus, correction, deduction;
};

struct life {
	struct random_stream *s;
	unsigned bits; /* of its numbers: a small farm, or one beyond all bounds */
	struct held_schedule schedule;
	struct standing standing;
	struct month_before before;
	struct piece pieces[PIECES];
	struct usage_carried carried;
	/* sums of all its statements */
	uint128 earned, held, released, forfeited, paid, deducted, deductions;
};

static uint64_t below(struct life *l, uint64_t bound)
{
	return random_stream_below(l->s, bound);
}

/* Small and large alike, up to so many bits and the life's; of any size in a life beyond all bounds. */
static uint64_t number(struct life *l, unsigned bits)
{
	unsigned most = bits < l->bits && l->bits < 64 ? bits : l->bits;

	return random_stream_u64(l->s) >> (64 - 1 - below(l, most));
}

static struct amount money(struct life *l, unsigned bits)
{
	return amount_of(below(l, 4) == 0 ? number(l, bits) : 0);
}

static struct prices some_prices(struct life *l)
{
	return (struct prices){amount_of(number(l, 40)), amount_of(number(l, 40)), amount_of(number(l, 40)),
			       amount_of(number(l, 40))};
}

static void draw_facts(struct life *l, uint64_t start, struct facts *f)
{
	*f = (struct facts){.start = start, .end = month_end(start), .move_count = below(l, MOVES + 1)};
	for (size_t i = 0; i < TABLES; i++) {
		struct prices offer = some_prices(l), ask = some_prices(l);

		f->tables[i] = prices_paid(&offer, below(l, 2) == 0 ? NULL : &ask);
	}
	for (unsigned day = 0, table = 0; day < DAYS; day++) {
		table = below(l, 8) == 0 ? (unsigned)below(l, TABLES) : table;
		f->table_of_day[day] = table;
	}
	for (size_t i = 0; i < f->move_count; i++)
		f->moves[i] = (struct move){(enum action)(1 + below(l, 5)), number(l, 60), (unsigned)below(l, 28)};
	f->bonus = money(l, 40);
	f->correction = money(l, 40);
	f->deduction = money(l, 44);
}

/* Pieces that are gone make room for new ones. */
static void draw_pieces(struct life *l, const struct facts *f)
{
	for (size_t i = 0; i < PIECES; i++) {
		struct piece *p = &l->pieces[i];

		if (p->to > f->start || below(l, 3) == 0)
			continue;
		p->size = number(l, 44) >> 4; /* their sum fits 64 bits, as on any disk */
		p->from = f->start + below(l, f->end - f->start);
		p->to = p->from + below(l, 3 * (f->end - f->start));
	}
}

static const struct prices *prices_of_day(const struct facts *f, uint64_t at)
{
	return &f->tables[f->table_of_day[(at - f->start) / USAGE_DAY]];
}

/* The day's row of a piece, if it has one. */
static bool row_of(struct piece *p, size_t i, uint64_t day_end, struct usage_row *ret)
{
	bool begins = !p->carried && p->from < day_end && p->from >= day_end - USAGE_DAY;
	bool ends = (begins || p->carried) && p->to <= day_end;

	if (!begins && !ends)
		return false;
	*ret = (struct usage_row){.piece = {{(uint8_t)i}}, .size = p->size, .from = p->from, .to = ends ? p->to : 0};
	ret->change = begins ? ends ? USAGE_BOTH : USAGE_BEGAN : USAGE_ENDED;
	p->carried = !ends;
	return true;
}

/* The satellite's storage: a signed day after the other. */
static enum err store_by_days(struct life *l, const struct facts *f, struct month *month)
{
	enum err err = ERR_OK;

	for (uint64_t at = f->start; at < f->end && err == ERR_OK; at += USAGE_DAY) {
		struct usage_sum sum;
		struct usage_day day;
		struct usage_row row;

		usage_begin(&sum, (uint32_t)(at / USAGE_DAY), &l->carried);
		for (size_t i = 0; i < PIECES; i++) {
			if (row_of(&l->pieces[i], i, at + USAGE_DAY, &row))
				assert_int_equal(usage_add(&sum, &row), ERR_OK);
		}
		assert_int_equal(usage_end(&sum, &day), ERR_OK);
		assert_true(byte_seconds_value(day.carried.debt) == 0);
		l->carried = day.carried;
		err = month_add_stored(month, day.stored, prices_of_day(f, at));
	}
	return err;
}

/* The node's: each piece, over each stretch of days with the same prices, cut once more anywhere. */
static enum err store_by_pieces(struct life *l, const struct facts *f, struct month *month)
{
	enum err err = ERR_OK;

	for (size_t i = PIECES; i-- > 0;) {
		const struct piece *p = &l->pieces[i];
		uint64_t to;

		for (uint64_t at = f->start; at < f->end && err == ERR_OK; at = to) {
			uint64_t cut = at + below(l, USAGE_DAY);

			to = at + USAGE_DAY;
			while (to < f->end && prices_of_day(f, to) == prices_of_day(f, at))
				to += USAGE_DAY;
			err = month_add_stored(month, tally_stored(p->size, p->from, p->to, cut, to),
					       prices_of_day(f, at));
			if (err == ERR_OK)
				err = month_add_stored(month, tally_stored(p->size, p->from, p->to, at, cut),
						       prices_of_day(f, at));
		}
	}
	return err;
}

static enum err move_all(const struct facts *f, struct month *month)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < f->move_count && err == ERR_OK; i++) {
		const struct move *m = &f->moves[i];

		err = month_add_traffic(month, m->action, m->bytes, &f->tables[f->table_of_day[m->day]]);
	}
	return err;
}

/* From the last to the first, each in two orders. */
static enum err move_in_parts(struct life *l, const struct facts *f, struct month *month)
{
	enum err err = ERR_OK;

	for (size_t i = f->move_count; i-- > 0 && err == ERR_OK;) {
		const struct move *m = &f->moves[i];
		const struct prices *prices = &f->tables[f->table_of_day[m->day]];
		uint64_t part = m->bytes == 0 ? 0 : below(l, m->bytes);

		err = month_add_traffic(month, m->action, m->bytes - part, prices);
		if (err == ERR_OK)
			err = month_add_traffic(month, m->action, part, prices);
	}
	return err;
}

static enum err add_money(const struct facts *f, struct month *month)
{
	enum err err = month_add_correction(month, 197001, f->correction);

	if (err == ERR_OK)
		err = month_add_bonus(month, f->bonus);
	return err == ERR_OK ? month_add_deduction(month, f->deduction) : err;
}

static enum err close_as_satellite(struct life *l, const struct facts *f, struct closed_month *ret)
{
	static struct month month;
	enum err err;

	month_begin(&month, f->start);
	err = store_by_days(l, f, &month);
	if (err == ERR_OK)
		err = move_all(f, &month);
	if (err == ERR_OK)
		err = add_money(f, &month);
	return err == ERR_OK ? month_close(&month, &l->schedule, &l->standing, &l->before, ret) : err;
}

static enum err close_as_node(struct life *l, const struct facts *f, struct closed_month *ret)
{
	static struct month month;
	enum err err;

	month_begin(&month, f->end - 1);
	err = add_money(f, &month);
	if (err == ERR_OK)
		err = move_in_parts(l, f, &month);
	if (err == ERR_OK)
		err = store_by_pieces(l, f, &month);
	return err == ERR_OK ? month_close(&month, &l->schedule, &l->standing, &l->before, ret) : err;
}

/* floor(quantity * price / divisor) where the product fits 128 bits; where it does not, the result would be far beyond
 * 64 bits, as the divisor is below 2^62. */
static uint128 line_amount(uint128 quantity, uint64_t price, uint128 divisor)
{
	uint128 product;

	if (__builtin_mul_overflow(quantity, (uint128)price, &product))
		return (uint128)1 << 64;
	return product / divisor;
}

static uint64_t price_of(const struct prices *prices, unsigned kind)
{
	const struct amount each[] = {prices->storage, prices->egress, prices->audit, prices->repair};

	return amount_units(each[kind - LINE_STORAGE]);
}

/* All storage on days of this price. */
static uint128 stored_at(const struct life *l, const struct facts *f, uint64_t price)
{
	uint128 quantity = 0;

	for (uint64_t at = f->start; at < f->end; at += USAGE_DAY) {
		if (price_of(prices_of_day(f, at), LINE_STORAGE) != price)
			continue;
		for (size_t i = 0; i < PIECES; i++) {
			const struct piece *p = &l->pieces[i];

			quantity += byte_seconds_value(tally_stored(p->size, p->from, p->to, at, at + USAGE_DAY));
		}
	}
	return quantity;
}

/* All bytes moved as this kind on days of this price. */
static uint128 moved_at(const struct facts *f, unsigned kind, uint64_t price)
{
	static const enum action actions[] = {ACTION_GET, ACTION_GET_AUDIT, ACTION_GET_REPAIR};
	uint128 quantity = 0;

	for (size_t i = 0; i < f->move_count; i++) {
		const struct move *m = &f->moves[i];

		if (m->action == actions[kind - LINE_EGRESS] &&
		    price_of(&f->tables[f->table_of_day[m->day]], kind) == price)
			quantity += m->bytes;
	}
	return quantity;
}

/* The table is the first of those with this price of this kind. */
static bool is_first(const struct facts *f, unsigned kind, size_t table)
{
	for (size_t i = 0; i < table; i++) {
		if (price_of(&f->tables[i], kind) == price_of(&f->tables[table], kind))
			return false;
	}
	return true;
}

/* What all work comes to, from the facts alone: the sum over kinds and distinct prices. More than MOST when a line or
 * the sum does not fit. */
static uint128 work_of(const struct life *l, const struct facts *f)
{
	uint128 sum = 0, month = (uint128)TB * (f->end - f->start);

	for (size_t i = 0; i < 4 * TABLES; i++) {
		unsigned kind = LINE_STORAGE + (unsigned)i % 4;
		uint64_t price = price_of(&f->tables[i / 4], kind);
		uint128 quantity, amount;

		if (!is_first(f, kind, i / 4))
			continue;
		quantity = kind == LINE_STORAGE ? stored_at(l, f, price) : moved_at(f, kind, price);
		amount = line_amount(quantity, price, kind == LINE_STORAGE ? month : TB);
		if (amount > MOST || (kind != LINE_STORAGE && quantity > MOST))
			return (uint128)MOST + 1;
		sum += amount;
	}
	return sum;
}

/* Refused only for a number that does not fit. Released amounts are not known then, but at most what was withheld. */
static void expect_overflow(const struct life *l, const struct facts *f)
{
	uint128 work = work_of(l, f), earned = work + amount_units(f->bonus) + amount_units(f->correction);
	uint128 withheld = (uint128)amount_units(l->before.held.withheld) + work;

	assert_true(work > MOST || earned > MOST || withheld > MOST ||
		    earned + withheld + amount_units(l->before.rolled) > MOST ||
		    (uint128)amount_units(l->before.deduct) + amount_units(f->deduction) > MOST);
}

static void expect_sums(const struct life *l, const struct facts *f, const struct closed_month *c,
			const struct statement *st)
{
	uint128 work = 0, earned, sums[LINE_DEDUCTED + 1] = {0}, payable;

	for (size_t i = 0; i < c->sheet.count; i++)
		sums[c->sheet.lines[i].kind] += amount_units(c->sheet.lines[i].amount);
	for (unsigned kind = LINE_STORAGE; kind <= LINE_REPAIR; kind++)
		work += sums[kind];
	assert_true(work == work_of(l, f));
	assert_true(sums[LINE_BONUS] == amount_units(f->bonus));
	assert_true(sums[LINE_CORRECTION] == amount_units(f->correction));
	earned = work + sums[LINE_BONUS] + sums[LINE_CORRECTION];
	payable = earned - sums[LINE_HELD] + sums[LINE_RELEASED] + sums[LINE_CARRIED] - sums[LINE_DEDUCTED];
	assert_true(st->earned == earned && st->held == sums[LINE_HELD]);
	assert_true(st->released == sums[LINE_RELEASED] && st->forfeited == sums[LINE_FORFEITED]);
	assert_true((uint128)st->paid + st->rolled == payable);
	assert_true(amount_units(c->left) == 0 || payable == 0);
	assert_true(sums[LINE_CARRIED] == amount_units(l->before.rolled));
	assert_true(sums[LINE_DEDUCTED] + amount_units(c->left) ==
		    (uint128)amount_units(l->before.deduct) + amount_units(f->deduction));
}

/* Over a life: what was withheld is kept, released or forfeited; what was earned is paid or still owed. */
static void expect_life(struct life *l, const struct facts *f, const struct closed_month *c, const struct statement *st)
{
	struct amount kept;
	struct bytes32 paid;

	l->earned += st->earned;
	l->held += st->held;
	l->released += st->released;
	l->forfeited += st->forfeited;
	l->paid += st->paid;
	l->deducted += amount_units(c->sums.deducted);
	l->deductions += amount_units(f->deduction);
	assert_int_equal(held_balance(&c->held, &kept), ERR_OK);
	assert_true(amount_units(kept) + l->released + l->forfeited == l->held);
	assert_true(amount_units(c->held.withheld) == l->held);
	assert_true(l->paid + st->rolled + l->deducted + l->held == l->earned + l->released);
	assert_true(l->deducted + amount_units(c->left) == l->deductions);
	paid = u256_of((uint64_t)l->paid);
	paid.b[23] = (uint8_t)(l->paid >> 64);
	assert_memory_equal(&st->nodeCumulative, &paid, sizeof(paid));
}

static void note(void *arg, const struct sheet_line *ours, const struct sheet_line *theirs)
{
	(void)arg;
	(void)ours;
	(void)theirs;
}

/* One month; false when a number of it does not fit, which ends the life. */
static bool live_month(struct life *l, uint64_t start)
{
	static struct closed_month satellite, node;
	struct statement_parties parties = {{{1}}, {{2}}, {{3}}, u256_of(0)};
	struct statement theirs, ours;
	struct facts f;
	bool pays = below(l, 3) > 0;
	enum err err;

	draw_facts(l, start, &f);
	draw_pieces(l, &f);
	err = close_as_satellite(l, &f, &satellite);
	assert_int_equal(close_as_node(l, &f, &node), err);
	if (err != ERR_OK) {
		assert_int_equal(err, ERR_OVERFLOW);
		expect_overflow(l, &f);
		return false;
	}
	memset(&parties.payee_cumulative, 0xff, sizeof(parties.payee_cumulative));
	assert_int_equal(month_statement(&satellite, &parties, &l->before.cumulative, pays, &theirs), ERR_OK);
	assert_int_equal(month_statement(&node, &parties, &l->before.cumulative, pays, &ours), ERR_OK);
	assert_int_equal(sheet_compare(&node.sheet, &satellite.sheet, note, NULL), 0);
	assert_memory_equal(&ours, &theirs, sizeof(ours));
	assert_int_equal(statement_check(&theirs, &node.sheet), STATEMENT_SOUND);
	expect_sums(l, &f, &satellite, &theirs);
	expect_life(l, &f, &satellite, &theirs);
	l->before = month_after(&satellite, &theirs);
	return true;
}

static struct held_schedule some_schedule(struct life *l)
{
	struct held_schedule schedule = held_default;

	if (below(l, 2) == 0)
		return schedule;
	for (size_t i = 0; i < LIFE; i++)
		schedule.percent[i] = (uint8_t)below(l, 101);
	schedule.release_percent = (uint8_t)below(l, 101);
	schedule.release_after = (uint16_t)below(l, LIFE);
	return schedule;
}

/* Returns how many months it lived; counts it in *cut_short when a number did not fit. */
static unsigned live(struct random_stream *s, unsigned *cut_short)
{
	static const unsigned sizes[] = {16, 30, 44, 44, 44, 64};
	struct life l = {.s = s, .bits = sizes[random_stream_below(s, 6)]};
	unsigned months = 1 + (unsigned)below(&l, LIFE), lived = 0;
	uint64_t start = month_start(below(&l, 4000000000));

	l.schedule = some_schedule(&l);
	l.standing.registered = start + below(&l, month_end(start) - start);
	if (below(&l, 3) == 0)
		l.standing.exited = l.standing.registered + below(&l, LIFE * 2678400ull);
	if (below(&l, 3) == 0)
		l.standing.disqualified = l.standing.registered + below(&l, LIFE * 2678400ull);
	l.standing.offline = below(&l, 2) == 0;
	while (lived < months) {
		lived++;
		if (!live_month(&l, start)) {
			(*cut_short)++;
			break;
		}
		start = month_end(start);
	}
	return lived;
}

static void test_lives(void **state)
{
	const char *given = getenv("GRANARY_SEED"), *seed = given == NULL ? "granary" : given;
	unsigned wanted = getenv("GRANARY_SOAK") == NULL ? MONTHS : 20 * MONTHS;
	unsigned months = 0, lives = 0, cut_short = 0;
	struct random_stream s;

	(void)state;
	print_message("GRANARY_SEED=%s\n", seed);
	random_stream_init(&s, bytes_of_text(seed));
	for (; months < wanted; lives++)
		months += live(&s, &cut_short);
	print_message("%u months of %u lives, %u of which ended with more than fits\n", months, lives, cut_short);
	assert_true(cut_short > 0 && cut_short < lives / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
