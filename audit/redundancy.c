/* Reading and printing the redundancy policy. */
#include "audit/redundancy.h"

#include <stdio.h>

/* Decimal digits up to `end`, at most three; -1 when there is anything else. */
static int read_number(const char **at, char end)
{
	int value = 0, digits = 0;

	while (**at >= '0' && **at <= '9' && digits++ < 3)
		value = value * 10 + (*(*at)++ - '0');
	if (digits == 0 || digits > 3 || **at != end)
		return -1;
	if (end != '\0')
		(*at)++;
	return value;
}

enum err redundancy_parse(const char *text, struct redundancy *ret, const char **ret_why)
{
	static const char ends[4] = {'/', '/', '/', '\0'};
	int n[4];

	*ret_why = "redundancy: four numbers are asked for, required/repair/success/total, as in 29/52/80/110";
	for (size_t i = 0; i < 4; i++) {
		n[i] = read_number(&text, ends[i]);
		if (n[i] < 0)
			return ERR_FORMAT;
	}
	*ret_why = "redundancy: required must be at least 1";
	if (n[0] < 1)
		return ERR_RANGE;
	*ret_why = "redundancy: required ≤ repair ≤ success ≤ total must hold";
	if (n[0] > n[1] || n[1] > n[2] || n[2] > n[3])
		return ERR_RANGE;
	*ret_why = "redundancy: total must be at most 255";
	if (n[3] > REDUNDANCY_TOTAL)
		return ERR_RANGE;
	*ret_why = NULL;
	*ret = (struct redundancy){(uint16_t)n[0], (uint16_t)n[1], (uint16_t)n[2], (uint16_t)n[3]};
	return ERR_OK;
}

char *redundancy_print(const struct redundancy *redundancy, char out[REDUNDANCY_TEXT])
{
	snprintf(out, REDUNDANCY_TEXT, "%u/%u/%u/%u", redundancy->required, redundancy->repair, redundancy->success,
		 redundancy->total);
	return out;
}
