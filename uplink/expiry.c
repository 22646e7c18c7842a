/* Durations by the options' own parser; dates by the C library's, read back to see that there is such a day. */
#include "uplink/expiry.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/options.h"

#define LEAST 60
#define MOST (UINT64_C(36500) * 86400)

static enum err parse_date(const char *text, uint64_t *ret)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0}, same;
		const char *end = strptime(text, forms[i], &tm);
		time_t at;

		if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0))
			continue;
		same = tm;
		at = timegm(&same);
		if (same.tm_mday != tm.tm_mday || same.tm_sec != tm.tm_sec || at < 0)
			return ERR_FORMAT;
		*ret = (uint64_t)at;
		return ERR_OK;
	}
	return ERR_FORMAT;
}

enum err expiry_parse(const char *text, uint64_t now, uint64_t *ret)
{
	uint64_t age, at;

	if (option_parse_duration(text, &age) == ERR_OK) {
		if (age > MOST)
			return ERR_RANGE;
		at = now + age;
	} else if (parse_date(text, &at) != ERR_OK) {
		return ERR_FORMAT;
	}
	if (at < now + LEAST || at > now + MOST)
		return ERR_RANGE;
	*ret = at;
	return ERR_OK;
}
