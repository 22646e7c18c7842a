/*
 * Numbers and bytes as Ethereum's JSON-RPC writes them: "0x41", without leading zeros, and "0x00ff", two digits a byte;
 * and amounts of the chain's coin for people. Pure, and for text from anyone.
 */
#ifndef GRANARY_PAYMENTS_ETHEREUM_QUANTITY_H
#define GRANARY_PAYMENTS_ETHEREUM_QUANTITY_H

#include "common/bytes.h"

#define QUANTITY_TEXT 19 /* of 64 bits */
#define ETHER_TEXT 48

/* "0x0", "0x1a": lower or upper case, no leading zeros, at least one digit. ERR_FORMAT, or ERR_OVERFLOW when it does
 * not fit; NULL is ERR_FORMAT. */
enum err quantity_parse_u64(const char *text, uint64_t *ret) WARN_UNUSED;
enum err quantity_parse_u128(const char *text, uint128 *ret) WARN_UNUSED;
/* Returns out. */
char *quantity_print(uint64_t value, char out[QUANTITY_TEXT]);

/* Bytes of "0x" and an even number of digits, at most `room`. ERR_FORMAT; ERR_LIMIT when there are more; NULL is
 * ERR_FORMAT. On failure `out` may have been written to. */
enum err data_parse(const char *text, void *out, size_t room, size_t *ret_len) WARN_UNUSED;
/* "0x" and digits, 2 * from.len + 3 bytes in all. Returns out. */
char *data_print(struct bytes from, char *out);

/* "0.000421": wei as a decimal number of 10^18, without trailing zeros. Returns out. */
char *ether_print(uint128 wei, char out[ETHER_TEXT]);

#endif
