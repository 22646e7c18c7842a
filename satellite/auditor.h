/*
 * Challenging nodes to prove that they hold their pieces.
 *
 * One challenge names a batch of pieces; the node proves sampled leaves of each, one PROOF after the other, and signs
 * the whole answer. Time is taken here, per piece, on the monotonic clock. What does not need the node's word is
 * believed at once: a proof that leads to the root. That a piece is missing, or that its proof is wrong, counts only
 * under the node's signature, so that it can be shown to anyone; without one the verdict is `unknown`.
 */
#ifndef GRANARY_SATELLITE_AUDITOR_H
#define GRANARY_SATELLITE_AUDITOR_H

#include "satellite/audits.h"
#include "satellite/patrol.h"

/* Challenge batch->node for batch->pieces and keep the verdicts: each piece gets one, whatever happens. ERR_CANCELLED
 * when the thread is to end first: then nothing is kept. */
enum err auditor_challenge(struct round *round, struct audit_batch *batch) WARN_UNUSED;

/* Audit the next batch of one node that is due, if any is and nobody else does. *ret_batch is what came of it, to be
 * freed; its count is 0 when the node holds nothing. ERR_NOT_FOUND when nothing is due. */
enum err auditor_do_due(struct round *round, struct audit_batch *ret_batch) WARN_UNUSED;

/* For patrol_start: goes on for ever, so that each piece is challenged once in settings->audit_period. */
patrol_round auditor_walk;

#endif
