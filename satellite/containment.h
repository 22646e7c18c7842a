/*
 * Challenges in whose midst a node fell silent.
 *
 * It may have crashed, or may hope for better questions. So the very same bytes are put to it again, the same leaves of
 * the same pieces, after ever longer pauses, and nothing else until it has answered; after so many tries, or so much
 * time, it has failed them. What it proved in between does not matter: it is asked for all of it.
 */
#ifndef GRANARY_SATELLITE_CONTAINMENT_H
#define GRANARY_SATELLITE_CONTAINMENT_H

#include "satellite/audits.h"
#include "satellite/desk.h"

/* The node is silent, or cannot be reached: have the batch asked again, later, unless that was the last time:
 * *ret_over. A node owes one answer at a time: another challenge to one that does is dropped. In a transaction. */
enum err containment_keep(struct database *db, const struct settings *settings, const struct audit_batch *batch,
			  bool *ret_over) WARN_UNUSED;
/* It was answered, or has failed. In a transaction. */
enum err containment_end(struct database *db, const struct address *node) WARN_UNUSED;

/* A node whose challenge is due again; among the longest due the `skip`-th. ERR_NOT_FOUND. */
enum err containment_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret) WARN_UNUSED;
/* ERR_OK when this node's is due, ERR_NOT_FOUND. */
enum err containment_is_due(struct database *db, const struct address *node, uint64_t now) WARN_UNUSED;
/* The batch as it was asked, for asking_run; to be freed. Pieces that are not the node's any more are marked so.
 * ERR_NOT_FOUND when the node is not contained. */
enum err containment_read(struct database *db, const struct address *node, struct audit_batch *ret) WARN_UNUSED;

#endif
