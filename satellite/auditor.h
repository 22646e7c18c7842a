/*
 * The auditor: whose turn it is to prove what, and when again.
 *
 * Every piece of every node is challenged once in settings->audit_period, batch by batch in the order of the pieces'
 * ids, spread evenly over the period; new nodes more often. In between, at random, come samples drawn from all bytes
 * that a node is paid for, so that it cannot know what to keep, and chained batches, in which it cannot know what comes
 * next before it has proven what came before: fetching that from elsewhere costs a round trip for each piece. A node is
 * asked by one auditor at a time (satellite/lease.h), so threads and processes share the work, and is left alone for
 * the better part of the time, for the sake of its disk. One that falls silent is asked the same again
 * (satellite/containment.h) before anything else.
 */
#ifndef GRANARY_SATELLITE_AUDITOR_H
#define GRANARY_SATELLITE_AUDITOR_H

#include "satellite/audits.h"
#include "satellite/patrol.h"

#define AUDITOR_SAMPLE 460 /* draws of a sample: they find a loss of 1 percent 99 times in 100 */

/* Challenge batch->node for batch->pieces and keep the verdicts: each piece gets one, unless the node fell silent and
 * will be asked again (batch->contained). The caller holds the node's lease. ERR_CANCELLED when the thread is to end
 * first: then nothing is kept. */
enum err auditor_challenge(struct round *round, struct audit_batch *batch) WARN_UNUSED;
/* Ask a contained node again, due or not; *ret_batch is what came of it, to be freed. ERR_NOT_FOUND: it is not
 * contained. */
enum err auditor_repeat(struct round *round, const struct address *node, struct audit_batch *ret_batch) WARN_UNUSED;

/* A claim on a node, so that nobody else asks it meanwhile; *ret_taken is false when somebody does. */
enum err auditor_claim(struct round *round, const struct address *node, bool *ret_taken) WARN_UNUSED;
enum err auditor_release(struct round *round, const struct address *node) WARN_UNUSED;

/* Audit the next batch of one node that is due, if any is and nobody else does. *ret_batch is what came of it, to be
 * freed; its count is 0 when the node holds nothing. ERR_NOT_FOUND when nothing is due. */
enum err auditor_do_due(struct round *round, struct audit_batch *ret_batch) WARN_UNUSED;

/* For patrol_start: goes on for ever. */
patrol_round auditor_walk;

#endif
