/*
 * The node's books for commands, which read them beside a running node or without one: what it was given to prove its
 * work, and what satellites signed about its pay.
 */
#ifndef GRANARY_NODE_BOOK_ACCESS_H
#define GRANARY_NODE_BOOK_ACCESS_H

#include "node/ledger.h"
#include "node/papers.h"
#include "node/settings.h"

struct book_access {
	struct key *key;
	struct trust *trust; /* the satellites of the options */
	struct ledger *ledger;
	struct papers *papers;
	char why[SETTINGS_MESSAGE]; /* of the last failure */
};

/* Open those of --dir. ERR_NOT_FOUND when the node has never run. Close it in any case. */
enum err book_access_open(struct book_access *access, struct options *options) WARN_UNUSED;
void book_access_close(struct book_access *access);

/* --period as a period; `otherwise` when it is not given. ERR_USAGE, with a sentence in access->why. */
enum err book_access_period(struct book_access *access, struct options *options, uint32_t otherwise,
			    uint32_t *ret) WARN_UNUSED;

#endif
