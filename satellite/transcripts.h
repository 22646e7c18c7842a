/*
 * Audits written down, for whoever is to judge them again (audit/transcript.h).
 *
 * Those in which nothing was missing or corrupt are kept whole for settings->audit_keep, then dropped; the others for
 * ever, after that time without the proofs of pieces that were fine.
 */
#ifndef GRANARY_SATELLITE_TRANSCRIPTS_H
#define GRANARY_SATELLITE_TRANSCRIPTS_H

#include <jansson.h>

#include "satellite/audits.h"
#include "satellite/desk.h"

/* Keep the batch's, unless it has none or is not worth it. In a transaction, after its row in `audits`. */
enum err transcripts_keep(struct database *db, const struct settings *settings,
			  const struct audit_batch *batch) WARN_UNUSED;
/* Drop or thin some of those whose time is over; ERR_NOT_FOUND when there was none. */
enum err transcripts_prune(struct database *db, const struct settings *settings, uint64_t now) WARN_UNUSED;

/* The audit of this challenge as a dossier (payments/dossier.h): the node's signature, the satellite's with the
 * transcript, and the node's receipts for the pieces that failed. A new reference. ERR_NOT_FOUND. */
enum err transcripts_dossier(struct desk *desk, const struct bytes32 *challenge, json_t **ret) WARN_UNUSED;

#endif
