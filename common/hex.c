/* Hexadecimal text, by libsodium's converters. */
#include "common/hex.h"

#include <string.h>

#include <sodium.h>

void hex_encode(struct bytes from, char *out)
{
	sodium_bin2hex(out, from.len * 2 + 1, from.data, from.len);
}

enum err hex_decode(const char *text, void *out, size_t len)
{
	uint8_t buffer[256];
	size_t got = 0;
	enum err err = ERR_FORMAT;

	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	if (len > sizeof(buffer) || strlen(text) != len * 2)
		return ERR_FORMAT;
	if (sodium_hex2bin(buffer, sizeof(buffer), text, len * 2, NULL, &got, NULL) == 0 && got == len) {
		if (len > 0)
			memcpy(out, buffer, len);
		err = ERR_OK;
	}
	sodium_memzero(buffer, len); /* it may have been a key */
	return err;
}
