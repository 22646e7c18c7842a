/*
 * Byte-seconds and settled bytes into money. Each line is one floor division of an exact product (amount_scale), and
 * the total is the sum of the rounded lines, so a statement adds up as printed.
 */
#include "payments/tally.h"

#include <assert.h>
#include <time.h>

#define TB 1000000000000ull
#define TIME_LIMIT (1ull << 50)

const struct prices prices_default = {
	.storage = AMOUNT_INIT(AMOUNT_TOKEN * 3 / 2),
	.egress = AMOUNT_INIT(AMOUNT_TOKEN * 2),
	.audit = AMOUNT_INIT(AMOUNT_TOKEN * 2),
	.repair = AMOUNT_INIT(AMOUNT_TOKEN * 2),
};

static struct tm utc_of(uint64_t at)
{
	time_t seconds = (time_t)at;
	struct tm tm;

	assert(at < TIME_LIMIT);
	gmtime_r(&seconds, &tm);
	return tm;
}

/* Midnight of the first day, `ahead` months after the one of `at`; timegm carries December into the next year. */
static uint64_t first_day(uint64_t at, int ahead)
{
	struct tm now = utc_of(at);
	struct tm first = {.tm_year = now.tm_year, .tm_mon = now.tm_mon + ahead, .tm_mday = 1};

	return (uint64_t)timegm(&first);
}

uint64_t month_start(uint64_t at)
{
	return first_day(at, 0);
}

uint64_t month_end(uint64_t at)
{
	return first_day(at, 1);
}

uint32_t month_period(uint64_t at)
{
	struct tm tm = utc_of(at);

	return ((uint32_t)tm.tm_year + 1900) * 100 + (uint32_t)tm.tm_mon + 1;
}

struct byte_seconds tally_stored(uint64_t size, uint64_t from, uint64_t to, uint64_t start, uint64_t end)
{
	uint64_t first = from > start ? from : start, last = to < end ? to : end;

	return byte_seconds_of(size, last > first ? last - first : 0);
}

enum err tally_storage(struct byte_seconds stored, struct amount price, uint64_t start, struct amount *ret)
{
	uint64_t seconds = month_end(start) - month_start(start);

	return amount_scale(byte_seconds_value(stored), price, (uint128)TB * seconds, ret);
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

enum err tally_earnings(const struct tally *tally, const struct prices *prices, struct earnings *ret)
{
	struct earnings e = {.total = amount_of(0)};
	const struct amount *lines[] = {&e.storage, &e.egress, &e.audit, &e.repair};
	enum err err = tally_storage(tally->stored, prices->storage, tally->at, &e.storage);

	if (err == ERR_OK)
		err = tally_traffic(tally->egress, prices->egress, &e.egress);
	if (err == ERR_OK)
		err = tally_traffic(tally->audit, prices->audit, &e.audit);
	if (err == ERR_OK)
		err = tally_traffic(tally->repair, prices->repair, &e.repair);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && err == ERR_OK; i++)
		err = amount_add(e.total, *lines[i], &e.total);
	if (err == ERR_OK)
		*ret = e;
	return err;
}
