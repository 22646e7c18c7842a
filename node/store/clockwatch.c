/* Two clocks and the newest record, held against each other. */
#include "node/store/clockwatch.h"

#define SECOND 1000000000ull
#define DAY 86400u
#define JUMP 3600u /* seconds that the clocks may drift apart between two looks */

static uint64_t apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool clockwatch_trusts(struct clockwatch *watch, uint64_t wall, uint64_t monotonic, uint64_t newest)
{
	uint64_t passed = (monotonic - watch->monotonic) / SECOND;

	if (!watch->begun || apart(wall, watch->wall + passed) > JUMP || wall < newest)
		watch->steady = monotonic;
	watch->begun = true;
	watch->wall = wall;
	watch->monotonic = monotonic;
	if (wall < newest)
		return false;
	return wall - newest <= DAY || monotonic - watch->steady >= DAY * SECOND;
}
