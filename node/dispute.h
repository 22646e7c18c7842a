/*
 * A dossier for whoever is to judge between this node and its satellites: what the node was given to prove its work,
 * and what the satellites signed about its pay (payments/dossier.h). `granary verify-evidence` reads it.
 *
 * Of each satellite and time span: allocations and orders with the settlements that claimed them and the verdicts on
 * these, each with its list; the receipts of uploads; orders that are still unsettled; the satellite's prices and the
 * node's asks; each day's usage with its rows; the payee that the node names; and the statements, with all earlier
 * ones, on which their sums rest.
 */
#ifndef GRANARY_NODE_DISPUTE_H
#define GRANARY_NODE_DISPUTE_H

#include <stdio.h>

#include "node/ledger.h"
#include "node/papers.h"

struct dispute_query {
	const struct key *node;
	const struct address *payee;
	uint32_t from, to; /* periods, both included; from 0: from the beginning */
	uint64_t now;
};

struct dispute {
	FILE *to;
	const struct satellite *satellite; /* whose things are written */
	const struct key *node;
	uint64_t items;
	uint64_t orders, receipts, settlements, usages, prices, statements; /* of these */
	uint64_t unreadable; /* things in the books that are not signed as they should be: left out */
};

/* The file is the caller's, as is looking for its errors, which ERR_IO tells early. Begin, add one satellite after the
 * other, end. Takes the databases' errors. */
void dispute_begin(struct dispute *dispute, FILE *to);
enum err dispute_add(struct dispute *dispute, struct ledger *ledger, struct papers *papers,
		     const struct satellite *satellite, const struct dispute_query *query) WARN_UNUSED;
void dispute_end(struct dispute *dispute);

#endif
