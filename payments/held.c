/* The schedule by node months, and what a month does to the account. */
#include "payments/held.h"

#include <stdlib.h>

#define REPEAT3(percent) percent, percent, percent

const struct held_schedule held_default = {
	.percent = {REPEAT3(75), REPEAT3(50), REPEAT3(25)},
	.release_percent = 50,
	.release_after = 15,
};

/* A number of at most 3 digits at *at, moved past it; ERR_FORMAT when there is none. */
static enum err next_number(const char **at, unsigned *ret)
{
	unsigned value = 0, digits = 0;

	for (; **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++)
		value = value * 10 + (unsigned)(**at - '0');
	if (digits == 0 || digits > 3)
		return ERR_FORMAT;
	*ret = value;
	return ERR_OK;
}

/* "75:3" at *at, moved past it. */
static enum err next_pair(const char **at, unsigned *ret_percent, unsigned *ret_months)
{
	enum err err = next_number(at, ret_percent);

	if (err != ERR_OK)
		return err;
	if (**at != ':')
		return ERR_FORMAT;
	(*at)++;
	err = next_number(at, ret_months);
	if (err != ERR_OK)
		return err;
	return *ret_percent > 100 || *ret_months > HELD_MONTHS ? ERR_RANGE : ERR_OK;
}

enum err held_parse(const char *text, struct held_schedule *ret)
{
	struct held_schedule schedule = *ret;
	unsigned percent, months, filled = 0;

	for (size_t i = 0; i < HELD_MONTHS; i++)
		schedule.percent[i] = 0;
	while (*text != '\0') {
		enum err err = next_pair(&text, &percent, &months);

		if (err != ERR_OK)
			return err;
		if (months == 0 || months > HELD_MONTHS - filled)
			return ERR_RANGE;
		while (months-- > 0)
			schedule.percent[filled++] = (uint8_t)percent;
		if (*text == ',' && text[1] != '\0')
			text++;
		else if (*text != '\0')
			return ERR_FORMAT;
	}
	*ret = schedule;
	return ERR_OK;
}

enum err held_parse_release(const char *text, struct held_schedule *ret)
{
	unsigned percent, months;
	enum err err = next_pair(&text, &percent, &months);

	if (err != ERR_OK)
		return err;
	if (*text != '\0')
		return ERR_FORMAT;
	ret->release_percent = (uint8_t)percent;
	ret->release_after = (uint16_t)months;
	return ERR_OK;
}

/* Months since the year 0. */
static uint64_t month_count(uint64_t at)
{
	uint32_t period = month_period(at);

	return (uint64_t)(period / 100) * 12 + period % 100;
}

uint32_t held_month(uint64_t registered, uint64_t at)
{
	uint64_t first = month_count(registered), now = month_count(at);

	return now < first ? 0 : (uint32_t)(now - first + 1);
}

unsigned held_percent(const struct held_schedule *schedule, uint32_t month)
{
	return month >= 1 && month <= HELD_MONTHS ? schedule->percent[month - 1] : 0;
}

enum err held_balance(const struct held_account *account, struct amount *ret)
{
	struct amount left;
	enum err err = amount_sub(account->withheld, account->released, &left);

	return err != ERR_OK ? err : amount_sub(left, account->forfeited, ret);
}

/* What is due by age: the schedule's part of all that was withheld, less what was released before, as far as there is
 * any left. */
static enum err due_by_age(const struct held_schedule *schedule, uint32_t month, const struct held_account *account,
			   struct amount balance, struct amount *ret)
{
	struct amount due;
	enum err err;

	*ret = amount_of(0);
	if (schedule->release_after == 0 || month <= schedule->release_after)
		return ERR_OK;
	err = amount_scale(schedule->release_percent, account->withheld, 100, &due);
	if (err != ERR_OK || amount_units(due) <= amount_units(account->released))
		return err;
	err = amount_sub(due, account->released, &due);
	if (err == ERR_OK)
		*ret = amount_units(due) < amount_units(balance) ? due : balance;
	return err;
}

static bool happened(uint64_t when, uint64_t month_end)
{
	return when != 0 && when < month_end;
}

bool standing_exited(const struct standing *standing, uint64_t end)
{
	return happened(standing->exited, end) &&
	       (standing->disqualified == 0 || standing->exited <= standing->disqualified);
}

bool standing_disqualified(const struct standing *standing, uint64_t end)
{
	return happened(standing->disqualified, end) && !standing_exited(standing, end);
}

enum err held_close(const struct held_schedule *schedule, const struct standing *standing, uint64_t at,
		    struct amount work, struct held_account *account, struct held_month *ret)
{
	uint64_t end = month_end(at);
	bool exited = standing_exited(standing, end);
	uint32_t month = held_month(standing->registered, at);
	struct held_month m = {.percent = exited ? 0 : held_percent(schedule, month)};
	struct held_account after = *account;
	struct amount balance = amount_of(0);
	enum err err = amount_scale(m.percent, work, 100, &m.held);

	if (err == ERR_OK)
		err = amount_add(after.withheld, m.held, &after.withheld);
	if (err == ERR_OK)
		err = held_balance(&after, &balance);
	if (err != ERR_OK)
		return err;
	if (standing_disqualified(standing, end))
		m.forfeited = balance;
	else if (exited)
		m.released = balance;
	else
		err = due_by_age(schedule, month, &after, balance, &m.released);
	if (err == ERR_OK)
		err = amount_add(after.released, m.released, &after.released);
	if (err == ERR_OK)
		err = amount_add(after.forfeited, m.forfeited, &after.forfeited);
	if (err != ERR_OK)
		return err;
	*account = after;
	*ret = m;
	return ERR_OK;
}
