/*
 * uint256 of typed data and of the payout contract: 32 big-endian bytes, in a struct bytes32, with what the books need
 * of their arithmetic. Sums of all that was ever allotted may outgrow 64 bits; these cannot within the age of the
 * world, and are checked all the same. Compare with bytes32_compare. Pure.
 */
#ifndef GRANARY_PAYMENTS_U256_H
#define GRANARY_PAYMENTS_U256_H

#include "common/amount.h"

#define U256_TEXT 80 /* 78 digits and a NUL */

struct bytes32 u256_of(uint64_t value);
/* ERR_OVERFLOW when it does not fit 64 bits. */
enum err u256_to_u64(const struct bytes32 *value, uint64_t *ret) WARN_UNUSED;
/* a + b and a - b; ERR_OVERFLOW when the result does not fit. ret may be a or b. */
enum err u256_add(const struct bytes32 *a, const struct bytes32 *b, struct bytes32 *ret) WARN_UNUSED;
enum err u256_sub(const struct bytes32 *a, const struct bytes32 *b, struct bytes32 *ret) WARN_UNUSED;
/* sum += units of a. */
enum err u256_add_amount(struct bytes32 *sum, struct amount a) WARN_UNUSED;
/* Decimal, without leading zeros. Returns out. */
char *u256_print(const struct bytes32 *value, char out[U256_TEXT]);
/* Decimal digits only, no leading zero but in "0". ERR_FORMAT; ERR_OVERFLOW from 2^256 on. */
enum err u256_parse(const char *text, struct bytes32 *ret) WARN_UNUSED;

#endif
