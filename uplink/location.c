/* The one scheme. */
#include "uplink/location.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum err location_parse(const char *text, struct location *ret, const char **ret_why)
{
	struct location location = {.path = text};
	const char *bucket;
	size_t len;

	if (strncmp(text, LOCATION_SCHEME, strlen(LOCATION_SCHEME)) != 0) {
		*ret = location;
		return ERR_OK;
	}
	bucket = text + strlen(LOCATION_SCHEME);
	len = strcspn(bucket, "/");
	*ret_why = "a bucket's name has 3 to 63 characters";
	if (len >= sizeof(location.bucket))
		return ERR_USAGE;
	memcpy(location.bucket, bucket, len);
	location.remote = true;
	location.path = bucket[len] == '/' ? bucket + len + 1 : bucket + len;
	if ((len > 0 || location.path[0] != '\0') && object_bucket_check(location.bucket, ret_why) != ERR_OK)
		return ERR_USAGE;
	*ret = location;
	return ERR_OK;
}

bool location_is_pipe(const struct location *location)
{
	return !location->remote && strcmp(location->path, "-") == 0;
}

const char *location_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Digits up to `end`; false for anything else. */
static bool parse_number(const char *text, char end, uint64_t *ret, const char **ret_rest)
{
	char *rest;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &rest, 10);
	*ret_rest = rest;
	return errno == 0 && *rest == end;
}

enum err location_parse_range(const char *text, struct object_range *ret)
{
	struct object_range range = {0, UINT64_MAX};
	const char *rest = "";

	if (text != NULL && !parse_number(text, '-', &range.from, &rest))
		return ERR_FORMAT;
	if (text != NULL && rest[1] != '\0') {
		if (!parse_number(rest + 1, '\0', &range.to, &rest))
			return ERR_FORMAT;
		if (range.to < range.from || range.to == UINT64_MAX)
			return ERR_RANGE;
		range.to++;
	}
	*ret = range;
	return ERR_OK;
}

bool location_is_safe_path(const char *path)
{
	size_t len;

	do {
		len = strcspn(path, "/");
		if (len == 0 || (len <= 2 && strncmp(path, "..", len) == 0))
			return false;
		path += len;
	} while (*path++ == '/');
	return true;
}
