/*
 * What was earned outside of orders since the books last looked: bytes of leaves that audits were answered with.
 *
 * Sessions add from any thread; the books take it all away, by satellite and the day on which it was answered. What was
 * added in the last seconds before the process died is lost to the node's own count, never to its pay: that goes by the
 * satellite's.
 */
#ifndef GRANARY_NODE_TAKINGS_H
#define GRANARY_NODE_TAKINGS_H

#include "common/key.h"

struct takings;

struct taking {
	struct address satellite;
	uint32_t day; /* Unix seconds / 86400 */
	uint64_t bytes;
	uint64_t audits;
};

struct takings *takings_new(void);
void takings_free(struct takings *takings);
void takings_add(struct takings *takings, const struct address *satellite, uint64_t bytes);
/* Take away what one satellite's audits of one day came to; false when nothing is left. */
bool takings_take(struct takings *takings, struct taking *ret);

#endif
