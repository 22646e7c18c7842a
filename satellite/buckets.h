/* Buckets: a client's named sets of objects. A bucket belongs to the client that made it. */
#ifndef GRANARY_SATELLITE_BUCKETS_H
#define GRANARY_SATELLITE_BUCKETS_H

#include "satellite/desk.h"

/* ERR_OK when the caller has this bucket; else refused with NAME or NOT_FOUND. */
enum err buckets_require(struct work *work, struct bytes name) WARN_UNUSED;

/* MAKE_BUCKET: NAME, EXISTS. REMOVE_BUCKET: NOT_FOUND, NOT_EMPTY; uploads under way in it are dropped.
 * LIST_BUCKETS. */
enum err buckets_make(struct work *work) WARN_UNUSED;
enum err buckets_remove(struct work *work) WARN_UNUSED;
enum err buckets_list(struct work *work) WARN_UNUSED;

#endif
