/*
 * The redundancy policy k/repair/success/total: how many pieces make a segment, below how many it is repaired, how
 * many an upload must reach, and how many are begun. Pure.
 */
#ifndef GRANARY_AUDIT_REDUNDANCY_H
#define GRANARY_AUDIT_REDUNDANCY_H

#include "common/bytes.h"

#define REDUNDANCY_TOTAL 255 /* most pieces of a segment */
#define REDUNDANCY_TEXT 24

struct redundancy {
	uint16_t required;
	uint16_t repair;
	uint16_t success;
	uint16_t total;
};

/* Read "29/52/80/110": 1 ≤ required ≤ repair ≤ success ≤ total ≤ 255. ERR_FORMAT, ERR_RANGE; *ret_why says which
 * rule is broken. */
enum err redundancy_parse(const char *text, struct redundancy *ret, const char **ret_why) WARN_UNUSED;
char *redundancy_print(const struct redundancy *redundancy, char out[REDUNDANCY_TEXT]);

#endif
