/* Schoolbook arithmetic, byte by byte from the end: it is used once per payee and month, and read more often. */
#include "payments/u256.h"

#include <string.h>

#define BYTES 32

struct bytes32 u256_of(uint64_t value)
{
	struct bytes32 ret = {{0}};

	put_be64(ret.b + BYTES - 8, value);
	return ret;
}

enum err u256_to_u64(const struct bytes32 *value, uint64_t *ret)
{
	for (int i = 0; i < BYTES - 8; i++) {
		if (value->b[i] != 0)
			return ERR_OVERFLOW;
	}
	*ret = get_be64(value->b + BYTES - 8);
	return ERR_OK;
}

enum err u256_add(const struct bytes32 *a, const struct bytes32 *b, struct bytes32 *ret)
{
	struct bytes32 sum;
	unsigned carry = 0;

	for (int i = BYTES - 1; i >= 0; i--) {
		carry += (unsigned)a->b[i] + b->b[i];
		sum.b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	if (carry != 0)
		return ERR_OVERFLOW;
	*ret = sum;
	return ERR_OK;
}

enum err u256_sub(const struct bytes32 *a, const struct bytes32 *b, struct bytes32 *ret)
{
	struct bytes32 difference;
	unsigned borrow = 0;

	for (int i = BYTES - 1; i >= 0; i--) {
		unsigned digit = 256u + a->b[i] - b->b[i] - borrow;

		difference.b[i] = (uint8_t)digit;
		borrow = digit < 256;
	}
	if (borrow != 0)
		return ERR_OVERFLOW;
	*ret = difference;
	return ERR_OK;
}

enum err u256_add_amount(struct bytes32 *sum, struct amount a)
{
	struct bytes32 word = u256_of(amount_units(a));

	return u256_add(sum, &word, sum);
}

/* value /= 10; returns the rest. */
static unsigned divide_by_ten(struct bytes32 *value)
{
	unsigned rest = 0;

	for (int i = 0; i < BYTES; i++) {
		rest = rest << 8 | value->b[i];
		value->b[i] = (uint8_t)(rest / 10);
		rest %= 10;
	}
	return rest;
}

char *u256_print(const struct bytes32 *value, char out[U256_TEXT])
{
	struct bytes32 left = *value;
	char digits[U256_TEXT] = {0};
	size_t at = sizeof(digits) - 1;

	do
		digits[--at] = (char)('0' + divide_by_ten(&left));
	while (!bytes32_is_zero(&left));
	return memcpy(out, digits + at, sizeof(digits) - at);
}

enum err u256_parse(const char *text, struct bytes32 *ret)
{
	struct bytes32 value = {{0}};

	if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
		return ERR_FORMAT;
	for (; *text != '\0'; text++) {
		unsigned carry = (unsigned)(*text - '0');

		if (*text < '0' || *text > '9')
			return ERR_FORMAT;
		for (int i = BYTES - 1; i >= 0; i--) {
			carry += value.b[i] * 10u;
			value.b[i] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry != 0)
			return ERR_OVERFLOW;
	}
	*ret = value;
	return ERR_OK;
}
