/*
 * What a node has earned so far: exact integer arithmetic over byte-seconds and settled bytes. Pure.
 *
 * A TB-month is 10^12 bytes for the actual seconds of that UTC month; each line is rounded down, and lines add up
 * to the total exactly.
 */
#ifndef GRANARY_PAYMENTS_TALLY_H
#define GRANARY_PAYMENTS_TALLY_H

#include "common/amount.h"
#include "payments/typed.h"

/* Base units per TB-month stored and per TB sent. */
struct prices {
	struct amount storage;
	struct amount egress;
	struct amount audit;
	struct amount repair;
};
/* 1.50 / 2.00 / 2.00 / 2.00 tokens at 8 decimals unless configured. */
extern const struct prices prices_default;

/* Start of the UTC month that holds `at`, and of the next one; Unix seconds. */
uint64_t month_start(uint64_t at);
uint64_t month_end(uint64_t at);
/* YYYYMM, as long as years have four digits. */
uint32_t month_period(uint64_t at);
/* The start of the month YYYYMM. ERR_RANGE for what is no month of the years 1970 to 9999. */
enum err month_of_period(uint32_t period, uint64_t *ret) WARN_UNUSED;
/* A month as people write it: "2026-01" of 202601. Returns out. */
#define PERIOD_TEXT 12
char *period_print(uint32_t period, char out[PERIOD_TEXT]);
/* ERR_FORMAT unless it is YYYY-MM of such a month. */
enum err period_parse(const char *text, uint32_t *ret) WARN_UNUSED;

/* Byte-seconds of `size` bytes stored from `from` to `to`, within [start, end). */
struct byte_seconds tally_stored(uint64_t size, uint64_t from, uint64_t to, uint64_t start, uint64_t end);
/* What byte-seconds of the month that starts at `start` earn, rounded down. */
enum err tally_storage(struct byte_seconds stored, struct amount price, uint64_t start, struct amount *ret)
	WARN_UNUSED;
/* What settled bytes earn at a price per TB, rounded down. */
enum err tally_traffic(uint64_t bytes, struct amount price, struct amount *ret) WARN_UNUSED;
/* The price of an action; zero for uploads. */
struct amount prices_of(const struct prices *prices, enum action action);

/* What a node did in a month, or in a part of it. */
struct tally {
	uint64_t at; /* any instant of the month */
	struct byte_seconds stored;
	uint64_t egress; /* settled bytes, by what they are paid as */
	uint64_t audit;
	uint64_t repair;
};

/* Count settled bytes as the action that they were moved by; uploads count nothing. ERR_OVERFLOW leaves the tally as it
 * is. */
enum err tally_add_traffic(struct tally *tally, enum action action, uint64_t bytes) WARN_UNUSED;

#endif
