/*
 * A month is a sheet that fills up. Closing prices its work, asks the held-back schedule, brings in what the month
 * before left, and takes off what was overpaid, as far as there is something to take it from.
 */
#include "payments/month.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/u256.h"

void month_begin(struct month *month, uint64_t at)
{
	memset(month, 0, sizeof(*month));
	month->at = month_start(at);
}

enum err month_add_stored(struct month *month, struct byte_seconds stored, const struct prices *prices)
{
	return sheet_add_work(&month->sheet, LINE_STORAGE, byte_seconds_value(stored), prices->storage);
}

enum err month_add_traffic(struct month *month, enum action action, uint64_t bytes, const struct prices *prices)
{
	struct amount price = prices_of(prices, action);

	switch (action) {
	case ACTION_GET:
		return sheet_add_work(&month->sheet, LINE_EGRESS, bytes, price);
	case ACTION_GET_AUDIT:
		return sheet_add_work(&month->sheet, LINE_AUDIT, bytes, price);
	case ACTION_GET_REPAIR:
		return sheet_add_work(&month->sheet, LINE_REPAIR, bytes, price);
	case ACTION_PUT:
	case ACTION_PUT_REPAIR:
		break;
	}
	return ERR_OK;
}

enum err month_add_bonus(struct month *month, struct amount amount)
{
	return sheet_add_money(&month->sheet, LINE_BONUS, 0, amount);
}

enum err month_add_correction(struct month *month, uint32_t period, struct amount amount)
{
	return sheet_add_money(&month->sheet, LINE_CORRECTION, period, amount);
}

enum err month_add_deduction(struct month *month, struct amount amount)
{
	return amount_add(month->deductions, amount, &month->deductions);
}

static uint8_t codes_of(const struct standing *standing, uint64_t end, const struct held_month *held, bool bonus)
{
	bool exited = standing_exited(standing, end), disqualified = standing_disqualified(standing, end);
	bool exiting = standing->exiting != 0 && standing->exiting < end;
	unsigned codes = 0;

	if (disqualified)
		codes |= SHEET_DISQUALIFIED;
	if (exited)
		codes |= SHEET_EXITED;
	if (exiting && !exited && !disqualified)
		codes |= SHEET_EXITING;
	if (standing->offline)
		codes |= SHEET_OFFLINE;
	if (held->percent > 0)
		codes |= SHEET_WITHHOLDING;
	if (bonus)
		codes |= SHEET_BONUS;
	return (uint8_t)codes;
}

/* Lines HELD to CARRIED. */
static enum err add_held(struct sheet *sheet, const struct held_month *held, struct amount rolled)
{
	enum err err = sheet_add_money(sheet, LINE_HELD, held->percent, held->held);

	if (err == ERR_OK)
		err = sheet_add_money(sheet, LINE_RELEASED, 0, held->released);
	if (err == ERR_OK)
		err = sheet_add_money(sheet, LINE_FORFEITED, 0, held->forfeited);
	return err == ERR_OK ? sheet_add_money(sheet, LINE_CARRIED, 0, rolled) : err;
}

/* The last line, and with it the sums as they are after it. */
static enum err deduct(struct sheet *sheet, struct amount wanted, struct sheet_sums *sums, struct amount *ret_left)
{
	struct amount taken = wanted, left = amount_of(0);
	enum err err;

	if (amount_units(wanted) > amount_units(sums->payable))
		taken = sums->payable;
	err = amount_sub(wanted, taken, &left);
	if (err == ERR_OK)
		err = sheet_add_money(sheet, LINE_DEDUCTED, amount_units(left), taken);
	if (err == ERR_OK)
		err = sheet_sum(sheet, sums);
	if (err == ERR_OK)
		*ret_left = left;
	return err;
}

static enum err close_month(const struct month *month, const struct held_schedule *schedule,
			    const struct standing *standing, const struct month_before *before,
			    struct closed_month *closed)
{
	struct sheet *sheet = &closed->sheet;
	struct sheet_sums *sums = &closed->sums;
	struct amount deductions = amount_of(0);
	struct held_month held;
	bool bonus;
	enum err err;

	*closed = (struct closed_month){.period = month_period(month->at), .sheet = month->sheet, .held = before->held};
	err = sheet_price(sheet, month->at);
	if (err == ERR_OK)
		err = sheet_sum(sheet, sums);
	if (err == ERR_OK)
		err = held_close(schedule, standing, month->at, sums->work, &closed->held, &held);
	if (err != ERR_OK)
		return err;
	bonus = amount_units(sums->bonus) > 0;
	sheet->codes = codes_of(standing, month_end(month->at), &held, bonus);
	err = add_held(sheet, &held, before->rolled);
	if (err == ERR_OK)
		err = sheet_sum(sheet, sums);
	if (err == ERR_OK)
		err = amount_add(before->deduct, month->deductions, &deductions);
	return err == ERR_OK ? deduct(sheet, deductions, sums, &closed->left) : err;
}

enum err month_close(const struct month *month, const struct held_schedule *schedule, const struct standing *standing,
		     const struct month_before *before, struct closed_month *ret)
{
	struct closed_month *closed = memory_new(1, sizeof(*closed));
	enum err err = close_month(month, schedule, standing, before, closed);

	if (err == ERR_OK)
		*ret = *closed;
	free(closed);
	return err;
}

bool month_pays(struct amount total, struct amount minimum)
{
	return amount_units(total) >= amount_units(minimum);
}

enum err month_statement(const struct closed_month *closed, const struct statement_parties *parties,
			 const struct bytes32 *cumulative_before, bool pays, struct statement *ret)
{
	struct bytes32 cumulative = *cumulative_before;
	const struct sheet_sums *sums = &closed->sums;
	struct statement statement = {
		.satellite = parties->satellite,
		.node = parties->node,
		.payee = parties->payee,
		.period = closed->period,
		.earned = amount_units(sums->earned),
		.held = amount_units(sums->held),
		.released = amount_units(sums->released),
		.forfeited = amount_units(sums->forfeited),
		.payeeCumulative = parties->payee_cumulative,
	};

	if (pays) {
		enum err err = u256_add_amount(&cumulative, sums->payable);

		if (err != ERR_OK)
			return err;
		statement.paid = amount_units(sums->payable);
	} else {
		statement.rolled = amount_units(sums->payable);
	}
	statement.nodeCumulative = cumulative;
	sheet_commit(&closed->sheet, &statement.lines);
	*ret = statement;
	return ERR_OK;
}

struct month_before month_after(const struct closed_month *closed, const struct statement *statement)
{
	return (struct month_before){
		.held = closed->held,
		.rolled = amount_of(statement->rolled),
		.deduct = closed->left,
		.cumulative = statement->nodeCumulative,
	};
}
