/*
 * What came of a challenge, kept: which pieces are lost since when, what is paid, what it does to the node's
 * reputation, what the node is told, and the transcript. All of it or nothing.
 */
#ifndef GRANARY_SATELLITE_VERDICTS_H
#define GRANARY_SATELLITE_VERDICTS_H

#include "satellite/audits.h"
#include "satellite/desk.h"
#include "satellite/reputations.h"

/* Keep them, in one transaction. Pieces that were deleted meanwhile do not count. A piece missing or corrupt is lost
 * since its last proof, or since it was stored when it never had one. A node that fell silent is contained instead
 * (batch->contained), until that has lasted too long. */
enum err verdicts_record(struct desk *desk, struct audit_batch *batch, struct state_change *ret) WARN_UNUSED;

#endif
