/*
 * Listing objects: paging through encrypted names in byte order (common/components.h).
 *
 * Names that begin with a folder's bytes lie together, so a folder's contents are skipped with one comparison. An
 * object may have the name of a folder; both are then told in one answer, since `after` could not tell them apart.
 */
#ifndef GRANARY_SATELLITE_LISTING_H
#define GRANARY_SATELLITE_LISTING_H

#include "satellite/desk.h"

#define LISTING_MOST 1000 /* items in an answer, whatever is asked; 0 asks for as many */

/* LIST_OBJECTS. */
enum err listing_list(struct work *work) WARN_UNUSED;

#endif
