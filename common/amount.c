/* Checked money arithmetic. */
#include "common/amount.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum err u64_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return ERR_OVERFLOW;
	*ret = sum;
	return ERR_OK;
}

enum err amount_add(struct amount a, struct amount b, struct amount *ret)
{
	return u64_add(a.base_units, b.base_units, &ret->base_units);
}

enum err amount_sub(struct amount a, struct amount b, struct amount *ret)
{
	if (b.base_units > a.base_units)
		return ERR_OVERFLOW;
	ret->base_units = a.base_units - b.base_units;
	return ERR_OK;
}

/* With quantity = whole * divisor + rest, the result is whole * price + floor(rest * price / divisor), exactly, for
 * whole * price is an integer. rest < 2^64, so rest * price < 2^128. */
enum err amount_scale(uint128 quantity, struct amount price, uint128 divisor, struct amount *ret)
{
	uint128 whole, rest, sum;

	assert(divisor > 0 && divisor <= (uint128)1 << 64);
	whole = quantity / divisor;
	rest = quantity % divisor;
	if (__builtin_mul_overflow(whole, (uint128)price.base_units, &sum))
		return ERR_OVERFLOW;
	if (__builtin_add_overflow(sum, rest * price.base_units / divisor, &sum) || sum > UINT64_MAX)
		return ERR_OVERFLOW;
	ret->base_units = (uint64_t)sum;
	return ERR_OK;
}

char *amount_print(struct amount a, char out[AMOUNT_TEXT])
{
	snprintf(out, AMOUNT_TEXT, "%" PRIu64 ".%0*" PRIu64, a.base_units / AMOUNT_TOKEN, AMOUNT_DECIMALS,
		 a.base_units % AMOUNT_TOKEN);
	return out;
}

enum err amount_parse(const char *text, struct amount *ret)
{
	uint64_t units = 0;
	unsigned decimals = 0;
	bool point = false;

	if (*text < '0' || *text > '9')
		return ERR_FORMAT;
	for (; *text != '\0'; text++) {
		if (*text == '.' && !point && text[1] != '\0') {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || decimals == AMOUNT_DECIMALS)
			return ERR_FORMAT;
		decimals += point;
		if (__builtin_mul_overflow(units, 10u, &units) ||
		    __builtin_add_overflow(units, (uint64_t)(*text - '0'), &units))
			return ERR_OVERFLOW;
	}
	for (; decimals < AMOUNT_DECIMALS; decimals++) {
		if (__builtin_mul_overflow(units, 10u, &units))
			return ERR_OVERFLOW;
	}
	ret->base_units = units;
	return ERR_OK;
}

struct byte_seconds byte_seconds_of(uint64_t bytes, uint64_t seconds)
{
	return (struct byte_seconds){(uint128)bytes * seconds};
}

struct byte_seconds byte_seconds_from(uint128 value)
{
	return (struct byte_seconds){value};
}

uint128 byte_seconds_value(struct byte_seconds a)
{
	return a.value;
}

enum err byte_seconds_add(struct byte_seconds a, struct byte_seconds b, struct byte_seconds *ret)
{
	uint128 sum;

	if (__builtin_add_overflow(a.value, b.value, &sum))
		return ERR_OVERFLOW;
	ret->value = sum;
	return ERR_OK;
}
