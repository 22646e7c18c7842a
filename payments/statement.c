/* Each number of a Statement against its lines, one rule after the other. */
#include "payments/statement.h"

#include "payments/u256.h"

static const char *const faults[STATEMENT_FAULTS] = {
	[STATEMENT_SOUND] = "adds up",
	[STATEMENT_FAULT_PERIOD] = "its period is no month",
	[STATEMENT_FAULT_LINES] = "it was signed over other lines",
	[STATEMENT_FAULT_AMOUNT] = "a line's amount is not its quantity times its price",
	[STATEMENT_FAULT_SUM] = "its lines do not make a payable amount",
	[STATEMENT_FAULT_EARNED] = "what it says was earned is not the sum of its lines",
	[STATEMENT_FAULT_HELD] = "what it says was held is not what its line says",
	[STATEMENT_FAULT_RELEASED] = "what it says was released is not what its line says",
	[STATEMENT_FAULT_FORFEITED] = "what it says was forfeited is not what its line says",
	[STATEMENT_FAULT_PAID] = "what it pays or rolls over is not what is payable",
	[STATEMENT_FAULT_CUMULATIVE] = "less was allotted in all than in this month",
};

const char *statement_fault_text(enum statement_fault fault)
{
	return (unsigned)fault < STATEMENT_FAULTS ? faults[fault] : "unknown";
}

static bool work_is_priced(const struct sheet *sheet, uint64_t at)
{
	for (size_t i = 0; i < sheet->count && sheet->lines[i].kind <= LINE_REPAIR; i++) {
		struct amount amount;

		if (sheet_line_amount(&sheet->lines[i], at, &amount) != ERR_OK ||
		    amount_units(amount) != amount_units(sheet->lines[i].amount))
			return false;
	}
	return true;
}

/* The percentage stands on the line, so it is checked as any price. */
static bool held_is_its_percent(const struct sheet *sheet, const struct sheet_sums *sums)
{
	for (size_t i = 0; i < sheet->count; i++) {
		const struct sheet_line *line = &sheet->lines[i];
		struct amount held;

		if (line->kind != LINE_HELD)
			continue;
		return line->quantity <= 100 && amount_scale(line->quantity, sums->work, 100, &held) == ERR_OK &&
		       amount_units(held) == amount_units(line->amount);
	}
	return true;
}

static bool is_paid_or_rolled(const struct statement *statement, struct amount payable)
{
	uint64_t units = amount_units(payable);

	return (statement->paid == units && statement->rolled == 0) ||
	       (statement->paid == 0 && statement->rolled == units);
}

static bool cumulative_holds(const struct statement *statement)
{
	struct bytes32 paid = u256_of(statement->paid);

	return bytes32_compare(&statement->nodeCumulative, &paid) >= 0 &&
	       bytes32_compare(&statement->payeeCumulative, &paid) >= 0;
}

static enum statement_fault check_sums(const struct statement *statement, const struct sheet *sheet)
{
	struct sheet_sums sums;

	if (sheet_sum(sheet, &sums) != ERR_OK)
		return STATEMENT_FAULT_SUM;
	if (!held_is_its_percent(sheet, &sums))
		return STATEMENT_FAULT_AMOUNT;
	if (statement->earned != amount_units(sums.earned))
		return STATEMENT_FAULT_EARNED;
	if (statement->held != amount_units(sums.held))
		return STATEMENT_FAULT_HELD;
	if (statement->released != amount_units(sums.released))
		return STATEMENT_FAULT_RELEASED;
	if (statement->forfeited != amount_units(sums.forfeited))
		return STATEMENT_FAULT_FORFEITED;
	if (!is_paid_or_rolled(statement, sums.payable))
		return STATEMENT_FAULT_PAID;
	return cumulative_holds(statement) ? STATEMENT_SOUND : STATEMENT_FAULT_CUMULATIVE;
}

enum statement_fault statement_check(const struct statement *statement, const struct sheet *sheet)
{
	struct bytes32 lines;
	uint64_t at;

	if (month_of_period(statement->period, &at) != ERR_OK)
		return STATEMENT_FAULT_PERIOD;
	sheet_commit(sheet, &lines);
	if (!bytes32_equal(&lines, &statement->lines))
		return STATEMENT_FAULT_LINES;
	if (!work_is_priced(sheet, at))
		return STATEMENT_FAULT_AMOUNT;
	return check_sums(statement, sheet);
}
