/*
 * A hostile Cookie header. What is found fits, stands in the header as it is, behind the name and nothing but a
 * separator, and a value is found however many other cookies stand before it.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/http_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "granary_7888"
#define VALUE_ROOM 9

static bool is_separator(char c)
{
	return c == ';' || c == ' ';
}

/* Whether the header has NAME=value, whole. */
static bool stands_in(const char *header, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = strstr(header, NAME "="); at != NULL; at = strstr(at + 1, NAME "=")) {
		const char *end = at + strlen(NAME "=") + len;

		if ((at == header || is_separator(at[-1])) && strncmp(at + strlen(NAME "="), value, len) == 0 &&
		    (*end == '\0' || *end == ';'))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char header[4096], out[VALUE_ROOM + 1];
	size_t len = size < sizeof(header) / 2 ? size : sizeof(header) / 2;
	bool found;

	memcpy(header, data, len);
	header[len] = '\0';
	memset(out, 'x', sizeof(out));
	found = http_find_cookie(header, NAME, out, VALUE_ROOM);
	assert(out[VALUE_ROOM] == 'x');
	if (found) {
		assert(memchr(out, '\0', VALUE_ROOM) != NULL && strchr(out, ';') == NULL);
		assert(stands_in(header, out));
	} else if (strstr(header, NAME) == NULL) {
		snprintf(header + strlen(header), sizeof(header) / 2, "; " NAME "=12345678");
		assert(http_find_cookie(header, NAME, out, VALUE_ROOM) && strcmp(out, "12345678") == 0);
	}
	return 0;
}
