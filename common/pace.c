/* Pace of a transfer, window by window. */
#include "common/pace.h"

void pace_set(struct pace *pace, bool on, uint64_t now)
{
	if (on && !pace->on)
		*pace = (struct pace){true, now, 0};
	pace->on = on;
}

void pace_move(struct pace *pace, uint64_t bytes)
{
	pace->moved += bytes;
}

bool pace_keeps(struct pace *pace, uint64_t now, uint64_t window, uint64_t bytes)
{
	bool kept = pace->moved >= bytes;

	if (!pace->on || now - pace->since < window)
		return true;
	*pace = (struct pace){true, now, 0};
	return kept;
}
