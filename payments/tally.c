/*
 * Byte-seconds and settled bytes into money. Each line is one floor division of an exact product (amount_scale), and
 * the total is the sum of the rounded lines, so a statement adds up as printed.
 */
#include "payments/tally.h"

#include <stdio.h>
#include <string.h>

#define TB 1000000000000ull
#define DAY 86400ull

const struct prices prices_default = {
	.storage = AMOUNT_INIT(AMOUNT_TOKEN * 3 / 2),
	.egress = AMOUNT_INIT(AMOUNT_TOKEN * 2),
	.audit = AMOUNT_INIT(AMOUNT_TOKEN * 2),
	.repair = AMOUNT_INIT(AMOUNT_TOKEN * 2),
};

/* A day of the Gregorian calendar. */
struct date {
	uint64_t year;
	unsigned month; /* 1 to 12 */
	unsigned day;	/* 1 to 31 */
};

/*
 * The calendar by arithmetic (the C library's asks the time zone files). Years are taken to begin in March, which puts
 * the leap day last, and counted from 0000-03-01, 719,468 days before the epoch, in eras of 400 years, which are
 * 146,097 days. Within a year, 153 days are five months from March on: 31, 30, 31, 30, 31.
 */
static struct date date_of(uint64_t at)
{
	uint64_t days = at / DAY + 719468, era = days / 146097;
	unsigned day = (unsigned)(days % 146097), year, month;

	/* One leap day each 4 years, none each 100, again one at the end of the era. */
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153; /* 0: March */
	day -= (153 * month + 2) / 5;
	return (struct date){
		.year = era * 400 + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day + 1,
	};
}

uint64_t month_start(uint64_t at)
{
	uint64_t days = at / DAY;

	return (days - (date_of(at).day - 1)) * DAY;
}

/* 31 days after its first, every month is over and the next is not. */
uint64_t month_end(uint64_t at)
{
	return month_start(month_start(at) + 31 * DAY);
}

uint32_t month_period(uint64_t at)
{
	struct date date = date_of(at);

	return (uint32_t)(date.year * 100 + date.month);
}

/* The same arithmetic the other way round, for the first of a month. */
enum err month_of_period(uint32_t period, uint64_t *ret)
{
	uint64_t year = period / 100, month = period % 100, days;

	if (year < 1970 || year > 9999 || month < 1 || month > 12)
		return ERR_RANGE;
	year -= month <= 2;
	month = (month + 9) % 12;
	days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
	*ret = (days - 719468) * DAY;
	return ERR_OK;
}

char *period_print(uint32_t period, char out[PERIOD_TEXT])
{
	snprintf(out, PERIOD_TEXT, "%04u-%02u", period / 100 % 10000, period % 100);
	return out;
}

enum err period_parse(const char *text, uint32_t *ret)
{
	uint32_t period = 0;
	uint64_t at;

	if (strlen(text) != 7 || text[4] != '-')
		return ERR_FORMAT;
	for (size_t i = 0; i < 7; i++) {
		if (i == 4)
			continue;
		if (text[i] < '0' || text[i] > '9')
			return ERR_FORMAT;
		period = period * 10 + (uint32_t)(text[i] - '0');
	}
	if (month_of_period(period, &at) != ERR_OK)
		return ERR_FORMAT;
	*ret = period;
	return ERR_OK;
}

struct byte_seconds tally_stored(uint64_t size, uint64_t from, uint64_t to, uint64_t start, uint64_t end)
{
	uint64_t first = from > start ? from : start, last = to < end ? to : end;

	return byte_seconds_of(size, last > first ? last - first : 0);
}

enum err tally_storage(struct byte_seconds stored, struct amount price, uint64_t start, struct amount *ret)
{
	uint64_t first = month_start(start), end = month_end(start);

	if (end <= first)
		return ERR_OVERFLOW; /* the last month that 64 bits of seconds can hold is cut short */
	return amount_scale(byte_seconds_value(stored), price, (uint128)TB * (end - first), ret);
}

enum err tally_traffic(uint64_t bytes, struct amount price, struct amount *ret)
{
	return amount_scale(bytes, price, TB, ret);
}

struct amount prices_of(const struct prices *prices, enum action action)
{
	switch (action) {
	case ACTION_GET:
		return prices->egress;
	case ACTION_GET_AUDIT:
		return prices->audit;
	case ACTION_GET_REPAIR:
		return prices->repair;
	case ACTION_PUT:
	case ACTION_PUT_REPAIR:
		break;
	}
	return amount_of(0);
}

enum err tally_add_traffic(struct tally *tally, enum action action, uint64_t bytes)
{
	switch (action) {
	case ACTION_GET:
		return u64_add(tally->egress, bytes, &tally->egress);
	case ACTION_GET_AUDIT:
		return u64_add(tally->audit, bytes, &tally->audit);
	case ACTION_GET_REPAIR:
		return u64_add(tally->repair, bytes, &tally->repair);
	case ACTION_PUT:
	case ACTION_PUT_REPAIR:
		break;
	}
	return ERR_OK;
}
