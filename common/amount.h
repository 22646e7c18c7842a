/*
 * Money in token base units and storage in byte-seconds, with checked arithmetic.
 *
 * The structures keep the two apart from other numbers and from each other; their raw members are touched in amount.c
 * only. What does not fit is refused, never wrapped or rounded up.
 */
#ifndef GRANARY_COMMON_AMOUNT_H
#define GRANARY_COMMON_AMOUNT_H

#include "common/bytes.h"

struct amount {
	uint64_t base_units;
};

struct byte_seconds {
	uint128 value;
};

/* 8 decimals: one token is 10^8 base units. */
#define AMOUNT_DECIMALS 8
#define AMOUNT_TOKEN 100000000
#define AMOUNT_TEXT 32
/* Initialiser of a constant, in base units. */
#define AMOUNT_INIT(base_units) {base_units}

/* a + b; ERR_OVERFLOW when the sum does not fit. */
enum err amount_add(struct amount a, struct amount b, struct amount *ret) WARN_UNUSED;
/* a - b; ERR_OVERFLOW when b is more. */
enum err amount_sub(struct amount a, struct amount b, struct amount *ret) WARN_UNUSED;
/* floor(quantity * price / divisor), exact; ERR_OVERFLOW when it does not fit. 0 < divisor <= 2^64, so that no step
 * overflows unless the result does. */
enum err amount_scale(uint128 quantity, struct amount price, uint128 divisor, struct amount *ret) WARN_UNUSED;
/* "12.00000034": tokens, all decimals. Returns out. */
char *amount_print(struct amount a, char out[AMOUNT_TEXT]);
/* "12", "12.5", "12.00000034": tokens, at most 8 decimals, no sign. ERR_FORMAT, ERR_OVERFLOW. */
enum err amount_parse(const char *text, struct amount *ret) WARN_UNUSED;

/* To and from the raw number of base units: for wire fields, columns and options. */
static inline struct amount amount_of(uint64_t units)
{
	return (struct amount){units};
}

static inline uint64_t amount_units(struct amount a)
{
	return a.base_units;
}

/* bytes * seconds; always fits. */
struct byte_seconds byte_seconds_of(uint64_t bytes, uint64_t seconds);
/* To and from the plain number, for what is stored, sent or signed. */
struct byte_seconds byte_seconds_from(uint128 value);
uint128 byte_seconds_value(struct byte_seconds a);
enum err byte_seconds_add(struct byte_seconds a, struct byte_seconds b, struct byte_seconds *ret) WARN_UNUSED;

/* a + b, refused when it would overflow. */
enum err u64_add(uint64_t a, uint64_t b, uint64_t *ret) WARN_UNUSED;

#endif
