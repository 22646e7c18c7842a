/*
 * An object's name as the uplink works with it: bucket and path, encrypted for the satellite, and the path's key.
 */
#ifndef GRANARY_UPLINK_OBJECT_NAME_H
#define GRANARY_UPLINK_OBJECT_NAME_H

#include "uplink/access.h"
#include "uplink/path.h"

#define OBJECT_BUCKET_MAX 63

struct object_name {
	char bucket[OBJECT_BUCKET_MAX + 1];
	uint8_t path[MESSAGE_PATH_MAX]; /* encrypted */
	size_t path_len;
	struct secret *key; /* the path's; owned */
};

/* Encrypt a name. On failure *ret_why says what is wrong with it: ERR_FORMAT, ERR_RANGE, ERR_LIMIT. */
enum err object_name_make(const struct access *access, const char *bucket, const char *path, struct object_name *ret,
			  const char **ret_why) WARN_UNUSED;
void object_name_clear(struct object_name *name);

/* The rules for bucket names: 3 to 63 of a-z, 0-9, '.' and '-'. ERR_FORMAT, ERR_RANGE. */
enum err object_bucket_check(const char *bucket, const char **ret_why) WARN_UNUSED;

#endif
