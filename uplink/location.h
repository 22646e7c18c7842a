/* Where something is: a file here, or `granary://BUCKET/PATH` in the network. */
#ifndef GRANARY_UPLINK_LOCATION_H
#define GRANARY_UPLINK_LOCATION_H

#include "uplink/object_get.h"

#define LOCATION_SCHEME "granary://"

struct location {
	bool remote;
	char bucket[OBJECT_BUCKET_MAX + 1]; /* remote only; "" for granary:// itself */
	const char *path; /* below the bucket, "" for the bucket itself; or the file's path; a view of the text */
};

/* Anything without the scheme is a file. ERR_USAGE for a bucket that cannot be, with words in *ret_why. */
enum err location_parse(const char *text, struct location *ret, const char **ret_why) WARN_UNUSED;
/* A file's "-". */
bool location_is_pipe(const struct location *location);
/* "FIRST-LAST", both included, or "FIRST-"; NULL is everything. ERR_FORMAT, ERR_RANGE. */
enum err location_parse_range(const char *text, struct object_range *ret) WARN_UNUSED;
/* Whether a path from the network can be a file below a directory here: no empty component, no "." and "..". */
bool location_is_safe_path(const char *path);
/* What follows the last '/' of a path. */
const char *location_base(const char *path);

#endif
