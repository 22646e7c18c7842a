/* Gathering the facts of a month, closing it, comparing. */
#include "node/earnings.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

/* A month being worked out. */
struct workings {
	struct earned_month *earnings;
	struct price *offers, *asks;
	size_t offer_count, offer_room, ask_count, ask_room;
	struct usage_carried carried; /* out of the last signed day */
	struct month_before before;   /* left by the statements of earlier months */
	uint32_t known_until;	      /* days before it are signed, or of nothing */
	uint32_t first_period;	      /* of any statement; 0: none */
	struct sheet *scratch;
};

/* Prices. */

static enum err add_offer(void *arg, const struct price *price, struct bytes signed_price)
{
	struct workings *w = arg;

	(void)signed_price;
	w->offers = memory_grow(w->offers, &w->offer_room, w->offer_count + 1, sizeof(*w->offers));
	w->offers[w->offer_count++] = *price;
	return ERR_OK;
}

static enum err add_ask(void *arg, const struct price *price, struct bytes signed_price)
{
	struct workings *w = arg;

	(void)signed_price;
	w->asks = memory_grow(w->asks, &w->ask_room, w->ask_count + 1, sizeof(*w->asks));
	w->asks[w->ask_count++] = *price;
	return ERR_OK;
}

static void set_prices(const struct workings *w, struct earnings_day *day)
{
	uint64_t at = (uint64_t)day->day * PRICE_DAY;
	const struct price *offer = price_at(w->offers, w->offer_count, at);
	const struct price *ask = price_at(w->asks, w->ask_count, at);
	struct prices offered, asked;

	if (offer == NULL)
		return;
	offered = price_table(offer);
	if (ask != NULL)
		asked = price_table(ask);
	day->prices = prices_paid(&offered, ask != NULL ? &asked : NULL);
}

/* Days. */

static struct earnings_day *day_of(struct workings *w, uint32_t day)
{
	struct earned_month *e = w->earnings;

	return day >= e->first_day && day < e->first_day + e->day_count ? &e->days[day - e->first_day] : NULL;
}

static enum err add_usage(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct workings *w = arg;
	struct earnings_day *day = day_of(w, usage->day);
	struct usage_sum sum;
	struct usage_day known;

	usage_begin(&sum, usage->day, &paper->carried);
	/* It was checked when it was kept. */
	if (usage_add_rows(&sum, paper->rows) != ERR_OK || usage_end(&sum, &known) != ERR_OK)
		return ERR_CORRUPT;
	w->carried = known.carried;
	if (day != NULL) {
		day->is_signed = true;
		day->stored = byte_seconds_from(usage->byteSeconds);
	}
	return ERR_OK;
}

static enum err add_count(void *arg, const struct ledger_count *count)
{
	struct earnings_day *day = day_of(arg, count->day);

	if (day == NULL)
		return ERR_OK;
	switch (count->action) {
	case ACTION_GET:
		day->egress += count->bytes;
		break;
	case ACTION_GET_AUDIT:
		day->audit += count->bytes;
		break;
	case ACTION_GET_REPAIR:
		day->repair += count->bytes;
		break;
	case ACTION_PUT:
	case ACTION_PUT_REPAIR:
		break;
	}
	if (count->action != ACTION_GET_AUDIT)
		day->orders += count->number;
	return ERR_OK;
}

/* Days that are not known yet are taken to go on as the last one ended. */
static void estimate_days(struct workings *w, uint64_t now)
{
	struct earned_month *e = w->earnings;

	for (uint32_t i = 0; i < e->day_count; i++) {
		struct earnings_day *day = &e->days[i];
		uint64_t start = (uint64_t)day->day * USAGE_DAY, end = start + USAGE_DAY;

		if (day->is_signed || day->day < w->known_until)
			continue;
		day->is_estimate = true;
		e->days_unsigned++;
		if (now > start)
			day->stored = byte_seconds_of(w->carried.bytes, (now < end ? now : end) - start);
	}
}

/* Statements. */

static enum err decode_sheet(struct workings *w, struct bytes from)
{
	return sheet_decode(from, w->scratch) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err add_amount(struct amount *sum, uint64_t units)
{
	return amount_add(*sum, amount_of(units), sum);
}

/* What an earlier month left behind. */
static enum err add_before(struct workings *w, const struct statement *statement)
{
	struct month_before *before = &w->before;
	enum err err = add_amount(&before->held.withheld, statement->held);

	if (err == ERR_OK)
		err = add_amount(&before->held.released, statement->released);
	if (err == ERR_OK)
		err = add_amount(&before->held.forfeited, statement->forfeited);
	before->rolled = amount_of(statement->rolled);
	before->cumulative = statement->nodeCumulative;
	before->deduct = amount_of(0);
	for (size_t i = 0; i < w->scratch->count; i++)
		if (w->scratch->lines[i].kind == LINE_DEDUCTED)
			before->deduct = amount_of((uint64_t)w->scratch->lines[i].quantity);
	return err;
}

static enum err add_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
			      struct bytes sheet)
{
	struct workings *w = arg;
	struct earned_month *e = w->earnings;
	enum err err = decode_sheet(w, sheet);

	(void)signed_statement;
	if (err != ERR_OK)
		return err;
	if (w->first_period == 0)
		w->first_period = statement->period;
	if (statement->period != e->period)
		return add_before(w, statement);
	e->has_statement = true;
	e->statement = *statement;
	e->sheet = *w->scratch;
	return ERR_OK;
}

/* The month. */

static enum err add_days(const struct earned_month *e, struct month *month)
{
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < e->day_count && err == ERR_OK; i++) {
		const struct earnings_day *day = &e->days[i];

		err = month_add_stored(month, day->stored, &day->prices);
		if (err == ERR_OK)
			err = month_add_traffic(month, ACTION_GET, day->egress, &day->prices);
		if (err == ERR_OK)
			err = month_add_traffic(month, ACTION_GET_AUDIT, day->audit, &day->prices);
		if (err == ERR_OK)
			err = month_add_traffic(month, ACTION_GET_REPAIR, day->repair, &day->prices);
	}
	return err;
}

/* What the satellite gave or took beside the work; nobody else can know. */
static enum err add_gifts(const struct earned_month *e, struct month *month)
{
	enum err err = ERR_OK;

	for (size_t i = 0; e->has_statement && i < e->sheet.count && err == ERR_OK; i++) {
		const struct sheet_line *line = &e->sheet.lines[i];

		if (line->kind == LINE_BONUS)
			err = month_add_bonus(month, line->amount);
		else if (line->kind == LINE_CORRECTION)
			err = month_add_correction(month, (uint32_t)line->quantity, line->amount);
	}
	return err;
}

/* The usual schedule, but for the percentage that the statement names: that is the satellite's to say beforehand, and
 * what it comes to is checked. */
static struct held_schedule schedule_of(const struct earned_month *e)
{
	struct held_schedule schedule = held_default;
	uint8_t percent = 0;

	if (!e->has_statement)
		return schedule;
	for (size_t i = 0; i < e->sheet.count; i++)
		if (e->sheet.lines[i].kind == LINE_HELD)
			percent = (uint8_t)e->sheet.lines[i].quantity;
	memset(schedule.percent, percent, sizeof(schedule.percent));
	return schedule;
}

static struct standing standing_of(const struct workings *w)
{
	const struct earned_month *e = w->earnings;
	uint32_t first = w->first_period != 0 ? w->first_period : e->period;
	struct standing standing = {0};

	(void)!month_of_period(first, &standing.registered);
	if (e->has_statement) {
		uint64_t at = (uint64_t)e->first_day * USAGE_DAY;

		standing.disqualified = e->sheet.codes & SHEET_DISQUALIFIED ? at : 0;
		standing.exited = e->sheet.codes & SHEET_EXITED ? at : 0;
		standing.exiting = e->sheet.codes & SHEET_EXITING ? at : 0;
		standing.offline = e->sheet.codes & SHEET_OFFLINE;
	}
	return standing;
}

static enum err close_month(struct workings *w, uint64_t at)
{
	struct earned_month *e = w->earnings;
	struct month *month = memory_new(1, sizeof(*month));
	struct held_schedule schedule = schedule_of(e);
	struct standing standing = standing_of(w);
	enum err err;

	month_begin(month, at);
	err = add_days(e, month);
	if (err == ERR_OK)
		err = add_gifts(e, month);
	if (err == ERR_OK)
		err = month_close(month, &schedule, &standing, &w->before, &e->own);
	free(month);
	return err;
}

static void add_difference(void *arg, const struct sheet_line *ours, const struct sheet_line *theirs)
{
	struct earned_month *e = arg;
	struct earnings_difference *difference;

	if (e->difference_count == EARNINGS_DIFFERENCES)
		return;
	difference = &e->differences[e->difference_count++];
	difference->kind = (enum line_kind)(ours != NULL ? ours->kind : theirs->kind);
	difference->ours_there = ours != NULL;
	difference->theirs_there = theirs != NULL;
	if (ours != NULL)
		difference->ours = *ours;
	if (theirs != NULL)
		difference->theirs = *theirs;
}

static void lay_out_days(struct earned_month *e, uint64_t at, uint64_t now)
{
	uint32_t end = (uint32_t)(month_end(at) / USAGE_DAY), today = (uint32_t)(now / USAGE_DAY);

	e->first_day = (uint32_t)(at / USAGE_DAY);
	e->over = now >= month_end(at);
	if (!e->over)
		end = today < e->first_day ? e->first_day : today + 1;
	e->day_count = end - e->first_day;
	for (uint32_t i = 0; i < e->day_count; i++)
		e->days[i].day = e->first_day + i;
}

static enum err gather(struct workings *w, struct ledger *ledger, struct papers *papers, const struct address *node,
		       uint64_t at)
{
	struct earned_month *e = w->earnings;
	const struct address *satellite = &e->satellite.address;
	enum err err = papers_statements(papers, satellite, 0, e->period, add_statement, w);

	if (err == ERR_OK)
		err = papers_prices(papers, satellite, satellite, at, month_end(at), add_offer, w);
	if (err == ERR_OK)
		err = papers_prices(papers, satellite, node, at, month_end(at), add_ask, w);
	/* From some days before on, for what was carried into the month. */
	if (err == ERR_OK)
		err = papers_days(papers, satellite, e->first_day < 40 ? 0 : e->first_day - 40,
				  e->first_day + e->day_count, add_usage, w);
	if (err == ERR_OK)
		err = papers_known_until(papers, satellite, &w->known_until);
	if (err == ERR_OK)
		err = ledger_counts(ledger, satellite, e->first_day, e->first_day + e->day_count, add_count, w);
	return err;
}

/* Gather and close. The workings can be closed again with other days. */
static enum err work_out(struct workings *w, struct ledger *ledger, struct papers *papers, const struct address *node,
			 uint64_t now)
{
	struct earned_month *e = w->earnings;
	uint64_t at;
	enum err err = month_of_period(e->period, &at);

	w->scratch = memory_new(1, sizeof(struct sheet));
	if (err != ERR_OK)
		return err;
	lay_out_days(e, at, now);
	err = gather(w, ledger, papers, node, at);
	if (err != ERR_OK)
		return err;
	for (uint32_t i = 0; i < e->day_count; i++)
		set_prices(w, &e->days[i]);
	estimate_days(w, now);
	return close_month(w, at);
}

static void free_workings(struct workings *w)
{
	free(w->offers);
	free(w->asks);
	free(w->scratch);
}

enum err earnings_month(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
			const struct address *node, uint32_t period, uint64_t now, struct earned_month *ret)
{
	struct workings w = {.earnings = ret};
	enum err err;

	memset(ret, 0, sizeof(*ret));
	ret->satellite = *satellite;
	ret->period = period;
	err = work_out(&w, ledger, papers, node, now);
	if (err == ERR_OK && ret->has_statement)
		sheet_compare(&ret->own.sheet, &ret->sheet, add_difference, ret);
	free_workings(&w);
	return err;
}

/* The rest of the month under way. */

/* Of the days so far on which there was anything, per day; today counts by the part of it that is over. */
static void set_pace(const struct workings *w, uint64_t now, struct earnings_forecast *ret)
{
	const struct earned_month *e = w->earnings;
	uint64_t egress = 0, audit = 0, repair = 0, seconds = 0;
	bool begun = false;

	for (uint32_t i = 0; i < e->day_count; i++) {
		const struct earnings_day *day = &e->days[i];
		uint64_t start = (uint64_t)day->day * USAGE_DAY;

		begun = begun || byte_seconds_value(day->stored) > 0 || day->egress + day->audit + day->repair > 0;
		if (!begun)
			continue;
		egress += day->egress;
		audit += day->audit;
		repair += day->repair;
		seconds += now - start < USAGE_DAY ? now - start + 1 : USAGE_DAY;
	}
	ret->stored = w->carried.bytes;
	ret->seconds_left = month_end((uint64_t)e->first_day * USAGE_DAY) - now;
	if (seconds == 0)
		return;
	ret->egress_day = (uint64_t)((uint128)egress * USAGE_DAY / seconds);
	ret->audit_day = (uint64_t)((uint128)audit * USAGE_DAY / seconds);
	ret->repair_day = (uint64_t)((uint128)repair * USAGE_DAY / seconds);
}

/* Let the days of the month that are still to come be as the forecast says; of today, what is left of it. */
static void add_rest(struct workings *w, uint64_t now, const struct earnings_forecast *pace, bool traffic)
{
	struct earned_month *e = w->earnings;
	uint32_t end = (uint32_t)(month_end((uint64_t)e->first_day * USAGE_DAY) / USAGE_DAY);

	for (uint32_t number = (uint32_t)(now / USAGE_DAY); number < end; number++) {
		struct earnings_day *day = &e->days[number - e->first_day];
		uint64_t start = (uint64_t)number * USAGE_DAY, from = now > start ? now : start;
		uint64_t left = start + USAGE_DAY - from;

		day->day = number;
		set_prices(w, day);
		if (byte_seconds_add(day->stored, byte_seconds_of(pace->stored, left), &day->stored) != ERR_OK)
			return;
		if (!traffic)
			continue;
		day->egress += (uint64_t)((uint128)pace->egress_day * left / USAGE_DAY);
		day->audit += (uint64_t)((uint128)pace->audit_day * left / USAGE_DAY);
		day->repair += (uint64_t)((uint128)pace->repair_day * left / USAGE_DAY);
	}
	e->day_count = end - e->first_day;
}

/* Close once more, with the days that are to come; they are taken away again. */
static enum err close_with_rest(struct workings *w, uint64_t now, const struct earnings_forecast *pace, bool traffic,
				struct sheet_sums *ret)
{
	struct earned_month *e = w->earnings, *kept = memory_copy(e, sizeof(*e));
	enum err err;

	add_rest(w, now, pace, traffic);
	err = close_month(w, (uint64_t)e->first_day * USAGE_DAY);
	if (err == ERR_OK)
		*ret = e->own.sums;
	*e = *kept;
	free(kept);
	return err;
}

enum err earnings_forecast(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
			   const struct address *node, uint64_t now, struct earnings_forecast *ret)
{
	struct earned_month *e = memory_new(1, sizeof(*e));
	struct workings w = {.earnings = e};
	struct earnings_forecast forecast = {.period = month_period(now)};
	enum err err;

	e->satellite = *satellite;
	e->period = forecast.period;
	err = work_out(&w, ledger, papers, node, now);
	if (err == ERR_OK) {
		set_pace(&w, now, &forecast);
		forecast.so_far = e->own.sums;
		forecast.prices = e->days[e->day_count - 1].prices;
		err = close_with_rest(&w, now, &forecast, false, &forecast.low);
	}
	if (err == ERR_OK)
		err = close_with_rest(&w, now, &forecast, true, &forecast.high);
	if (err == ERR_OK)
		*ret = forecast;
	free_workings(&w);
	free(e);
	return err;
}

struct first {
	uint32_t day;
	uint32_t period;
};

static enum err first_count(void *arg, const struct ledger_count *count)
{
	struct first *first = arg;

	first->day = count->day;
	return ERR_EXISTS; /* enough */
}

static enum err first_usage(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct first *first = arg;

	(void)paper;
	if (first->day == 0 || usage->day < first->day)
		first->day = usage->day;
	return ERR_EXISTS;
}

static enum err first_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
				struct bytes sheet)
{
	struct first *first = arg;

	(void)signed_statement;
	(void)sheet;
	first->period = statement->period;
	return ERR_EXISTS;
}

enum err earnings_first(struct ledger *ledger, struct papers *papers, const struct satellite *satellite, uint64_t now,
			uint32_t *ret_period)
{
	struct first first = {0, 0};
	uint32_t by_day = month_period(now);
	enum err err = ledger_counts(ledger, &satellite->address, 0, UINT32_MAX, first_count, &first);

	if (err == ERR_OK || err == ERR_EXISTS)
		err = papers_days(papers, &satellite->address, 0, UINT32_MAX, first_usage, &first);
	if (err == ERR_OK || err == ERR_EXISTS)
		err = papers_statements(papers, &satellite->address, 0, UINT32_MAX, first_statement, &first);
	if (err != ERR_OK && err != ERR_EXISTS)
		return err;
	if (first.day != 0)
		by_day = month_period((uint64_t)first.day * USAGE_DAY);
	*ret_period = first.period != 0 && first.period < by_day ? first.period : by_day;
	return ERR_OK;
}
