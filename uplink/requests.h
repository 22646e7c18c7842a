/* What the satellite does at a word: requests that are answered by DONE. Belongs to the loop's thread. */
#ifndef GRANARY_UPLINK_REQUESTS_H
#define GRANARY_UPLINK_REQUESTS_H

#include "uplink/object_name.h"
#include "uplink/uplink.h"

/* The one call back, from the loop, with a sentence in `why` on failure. */
typedef void request_done(void *arg, enum err err, const char *why);

/* Make the uplink's key a client of the satellite. */
void request_enrol(struct uplink *uplink, const struct grant *grant, request_done *done, void *arg);
void request_make_bucket(struct uplink *uplink, const char *bucket, request_done *done, void *arg);
/* Refused while it holds objects. */
void request_remove_bucket(struct uplink *uplink, const char *bucket, request_done *done, void *arg);
void request_remove_object(struct uplink *uplink, const struct object_name *name, request_done *done, void *arg);

#endif
