/*
 * One challenge to one node, from dialling to the signed answer.
 *
 *	PING → PONG		the node is there
 *	PROVE → PROOF…		each piece's time is taken on the monotonic clock, from the proof before
 *	      → PROVE_END	the node's signature on all that it answered
 *
 * What does not need the node's word is believed at once: a proof that leads to the root. That a piece is missing, or
 * that its proof is wrong, counts only under the node's signature, so that it can be shown to anyone; without one the
 * verdict is `unknown`. All of it is written down as a transcript, which the satellite signs with its verdicts.
 */
#ifndef GRANARY_SATELLITE_ASKING_H
#define GRANARY_SATELLITE_ASKING_H

#include "satellite/audits.h"
#include "satellite/patrol.h"

/* Ask batch->node for batch->pieces and set verdicts, the end, and the transcript. The challenge is batch->sent, or
 * made anew from batch->form when that is empty. ERR_CANCELLED when the thread is to end first. */
enum err asking_run(struct round *round, struct audit_batch *batch) WARN_UNUSED;

#endif
