/* Hexadecimal text. */
#ifndef GRANARY_COMMON_HEX_H
#define GRANARY_COMMON_HEX_H

#include "common/bytes.h"

/* Write 2 * from.len lower-case digits and a NUL to out, which must have room for them. */
void hex_encode(struct bytes from, char *out);

/* Read exactly 2 * len digits of either case, an optional "0x" before them, into out; len is at most 256.
 * ERR_FORMAT on any other text, out untouched. */
enum err hex_decode(const char *text, void *out, size_t len) WARN_UNUSED;

#endif
