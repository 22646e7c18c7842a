/*
 * An audit's transcript in a dossier: do the verdicts that the satellite signed follow from what the node answered?
 *
 * The roots against which proofs are checked are the satellite's word, unless the node's own Receipt for the piece is
 * in the dossier too. Who the node is shows the Audit of the same challenge that it signed itself.
 */
#ifndef GRANARY_UPLINK_EVIDENCE_AUDIT_H
#define GRANARY_UPLINK_EVIDENCE_AUDIT_H

#include "payments/dossier.h"

/* Judge item i, an Audit that passed dossier_check; `why` gets a sentence when there is a fault: DATA or SUM. SOUND for
 * one without a transcript. *ret_bare: pieces said to be missing or corrupt for which no Receipt is there. */
enum dossier_fault evidence_audit_check(const struct dossier *dossier, size_t i, uint64_t *ret_bare,
					char why[DOSSIER_WHY]) WARN_UNUSED;

#endif
