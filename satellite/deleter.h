/*
 * Taking back what is not wanted any more.
 *
 * Objects are removed by one row's change. Here they are taken apart, some segments in a transaction: what their
 * pieces have earned is kept, and each node gets a signed Deletion of its pieces, again and again until it has
 * answered. Expired objects and uploads that do not go on are removed here too.
 */
#ifndef GRANARY_SATELLITE_DELETER_H
#define GRANARY_SATELLITE_DELETER_H

#include "satellite/patrol.h"

/* Remove what has expired. */
enum err deleter_expire(struct desk *desk) WARN_UNUSED;
/* Take apart some of a removed object. ERR_NOT_FOUND when there is none. */
enum err deleter_take_apart(struct desk *desk) WARN_UNUSED;
/* Send the deletions of one node that are due. ERR_NOT_FOUND when nothing is due. A node that cannot be told is no
 * failure. */
enum err deleter_send(struct round *round) WARN_UNUSED;

/* For patrol_start: one that takes apart, and several that tell nodes, so that a silent one holds up nobody. */
patrol_round deleter_walk, deleter_tell;

#endif
