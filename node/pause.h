/*
 * Announced maintenance: until some time the node takes no new transfers, finishes those under way, and still answers
 * audits as long as it runs. Satellites hear at the next check-in, which comes at once, that it has no room.
 *
 * Kept in DIR/pause, so that it outlives the restart that it is for.
 */
#ifndef GRANARY_NODE_PAUSE_H
#define GRANARY_NODE_PAUSE_H

#include "common/bytes.h"

#define PAUSE_MOST (7 * 86400u) /* seconds; for longer, leave */

struct pause;

/* As DIR/pause says; what makes no sense there, or is over, is no pause. */
struct pause *pause_open(const char *dir);
void pause_free(struct pause *pause);
/* Until then, Unix seconds; 0: no longer. Kept durably. */
enum err pause_set(struct pause *pause, uint64_t until) WARN_UNUSED;
/* Until when, 0 when it is over or there is none; from any thread. NULL is never paused. */
uint64_t pause_until(const struct pause *pause, uint64_t now);

#endif
