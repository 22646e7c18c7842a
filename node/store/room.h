/*
 * Room in a segment that takes records: first what was given back, then the tail.
 *
 * Pure bookkeeping on struct segment, under the lock of its set. Each extent given out also keeps room for its entry in
 * the footer, so sealing never lacks any.
 */
#ifndef GRANARY_NODE_STORE_ROOM_H
#define GRANARY_NODE_STORE_ROOM_H

#include "node/store/segment.h"

/* Take `len` bytes, a multiple of RECORD_UNIT; false when they do not fit. */
bool room_take(struct segment *segment, uint32_t len, uint32_t *ret_offset);
/* Give bytes back. Neighbouring gaps become one; a gap before the tail becomes tail. */
void room_give(struct segment *segment, uint32_t offset, uint32_t len);
/* One extent less will need an entry. */
void room_give_slot(struct segment *segment);

#endif
