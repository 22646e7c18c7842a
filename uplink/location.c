/* The one scheme. */
#include "uplink/location.h"

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
