/* JSON-RPC's hexadecimal (Ethereum's execution API, "Hex value encoding"), read without trust. */
#include "payments/ethereum/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"

#define ETHER 1000000000000000000u /* wei */
#define ETHER_DIGITS 18

/* -1 for what is no digit. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err quantity_parse_u128(const char *text, uint128 *ret)
{
	uint128 value = 0;
	size_t digits;

	if (text == NULL || strncmp(text, "0x", 2) != 0)
		return ERR_FORMAT;
	text += 2;
	digits = strspn(text, "0123456789abcdefABCDEF");
	if (digits == 0 || text[digits] != '\0' || (text[0] == '0' && digits > 1))
		return ERR_FORMAT;
	if (digits > 2 * sizeof(value))
		return ERR_OVERFLOW;
	for (; *text != '\0'; text++)
		value = value << 4 | (unsigned)digit_of(*text);
	*ret = value;
	return ERR_OK;
}

enum err quantity_parse_u64(const char *text, uint64_t *ret)
{
	uint128 value;
	enum err err = quantity_parse_u128(text, &value);

	if (err != ERR_OK)
		return err;
	if (value > UINT64_MAX)
		return ERR_OVERFLOW;
	*ret = (uint64_t)value;
	return ERR_OK;
}

char *quantity_print(uint64_t value, char out[QUANTITY_TEXT])
{
	snprintf(out, QUANTITY_TEXT, "0x%" PRIx64, value);
	return out;
}

enum err data_parse(const char *text, void *out, size_t room, size_t *ret_len)
{
	size_t digits;
	uint8_t *at = out;

	if (text == NULL || strncmp(text, "0x", 2) != 0)
		return ERR_FORMAT;
	text += 2;
	digits = strspn(text, "0123456789abcdefABCDEF");
	if (text[digits] != '\0' || digits % 2 != 0)
		return ERR_FORMAT;
	if (digits / 2 > room)
		return ERR_LIMIT;
	for (size_t i = 0; i < digits; i += 2)
		*at++ = (uint8_t)(digit_of(text[i]) << 4 | digit_of(text[i + 1]));
	*ret_len = digits / 2;
	return ERR_OK;
}

char *data_print(struct bytes from, char *out)
{
	out[0] = '0';
	out[1] = 'x';
	hex_encode(from, out + 2);
	return out;
}

char *ether_print(uint128 wei, char out[ETHER_TEXT])
{
	/* 2^128 wei are fewer than 2^69 ether, so the whole part is printed in two halves. */
	uint128 whole = wei / ETHER;
	uint64_t part = (uint64_t)(wei % ETHER), high = (uint64_t)(whole / ETHER), low = (uint64_t)(whole % ETHER);
	int len;

	if (high > 0)
		len = snprintf(out, ETHER_TEXT, "%" PRIu64 "%0*" PRIu64, high, ETHER_DIGITS, low);
	else
		len = snprintf(out, ETHER_TEXT, "%" PRIu64, low);
	if (part > 0) {
		len += snprintf(out + len, ETHER_TEXT - (size_t)len, ".%0*" PRIu64, ETHER_DIGITS, part);
		while (out[len - 1] == '0')
			out[--len] = '\0';
	}
	return out;
}
