/* When an object expires, as people say it: an age, or a moment in UTC. */
#ifndef GRANARY_UPLINK_EXPIRY_H
#define GRANARY_UPLINK_EXPIRY_H

#include <stdint.h>

#include "common/error.h"

/* "90m", "12h", "30d": so long after `now`; "2027-01-31", "2027-01-31T18:30", "2027-01-31T18:30:00Z": then. Unix
 * seconds. ERR_FORMAT; ERR_RANGE for less than a minute from now, or more than a hundred years. */
enum err expiry_parse(const char *text, uint64_t now, uint64_t *ret) WARN_UNUSED;

#endif
