/*
 * What is in a satellite and in a bucket: names decrypted and sorted. Belongs to the loop's thread.
 *
 * The satellite pages in the order of ciphertexts, so a listing is gathered whole before it is shown.
 */
#ifndef GRANARY_UPLINK_LISTING_H
#define GRANARY_UPLINK_LISTING_H

#include "uplink/uplink.h"

struct listing_entry {
	char *name; /* path below the bucket, a folder's with '/' at the end; or the bucket's name */
	bool folder;
	uint64_t size;	  /* bytes */
	uint64_t created; /* Unix seconds */
	uint64_t expires; /* the same; 0: never */
};

struct listing {
	struct listing_entry *entries; /* sorted by the bytes of their names */
	size_t count;
	size_t room;
	size_t unreadable; /* names made with another encryption root */
};

/* The one call back, from the loop (or at once, for a folder that cannot be). The listing is NULL on failure, with a
 * sentence in `why`; it dies with the call. */
typedef void listing_done(void *arg, const struct listing *listing, enum err err, const char *why);

void listing_buckets(struct uplink *uplink, listing_done *done, void *arg);

struct listing_request {
	const char *bucket;
	const char *folder; /* path without '/' at the end; "" for the bucket itself */
	bool recursive;	    /* everything below instead of the folder's own names */
};

/* Of a folder that is an object as well, or only an object, the listing is what is below it. */
void listing_objects(struct uplink *uplink, const struct listing_request *request, listing_done *done, void *arg);

#endif
