/*
 * What the golden stores hold: one list for the program that made them (make_store.c) and the test that opens them
 * (tests/unit/test_golden.c). A store of a format version is made once and kept; nothing here changes after that.
 */
#ifndef GRANARY_TESTS_GOLDEN_GOLDEN_H
#define GRANARY_TESTS_GOLDEN_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#define GOLDEN_ALLOCATION (64ull << 20)
#define GOLDEN_KEY 7		     /* the owner's secret is 31 zeros and this */
#define GOLDEN_EXPIRES 4102444800ull /* 2100-01-01 */

enum golden_fate {
	GOLDEN_LIVE,
	GOLDEN_DELETED,
	GOLDEN_AGAIN, /* deleted, and put in version 2 */
	/* only in stores of programs that knew these */
	GOLDEN_TRASHED,
	GOLDEN_RESTORED, /* was in the trash */
	GOLDEN_EXPIRING,
	GOLDEN_DAMAGED, /* listed; its bytes do not hold */
};

static const struct golden_piece {
	uint32_t number;
	size_t size;
	enum golden_fate fate;
} golden_pieces[] = {
	{1, 0, GOLDEN_LIVE},	   {2, 1, GOLDEN_LIVE},	       {3, 1000, GOLDEN_LIVE},	   {4, 9000, GOLDEN_LIVE},
	{5, 66000, GOLDEN_LIVE},   {6, 500, GOLDEN_DELETED},   {7, 1200, GOLDEN_AGAIN},	   {8, 700, GOLDEN_TRASHED},
	{9, 800, GOLDEN_RESTORED}, {10, 900, GOLDEN_EXPIRING}, {11, 1100, GOLDEN_DAMAGED},
};

/* Transfers of that many bytes. */
static const struct {
	uint32_t number;
	uint64_t amount;
} golden_transfers[] = {{50, 111}, {51, 222}, {52, 333}};

/* What piece `number` holds in version `version`: a byte for each 256, so that archives are small. */
static inline void golden_fill(uint32_t number, uint32_t version, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(number * 31 + version * 101 + i / 256);
}

#define GOLDEN_COUNT(list) (sizeof(list) / sizeof((list)[0]))

#endif
