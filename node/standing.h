/*
 * What satellites think of this node, as they told it: scores, what is left of them, and everything that happened: each
 * change of its state with the reason, each piece that failed an audit, when and how. Fetched at every check-in
 * (ASK_STANDING), kept in DIR/STANDING_FILE.
 *
 * It is what a satellite says, unsigned, and nothing here depends on it; but an owner who wonders why the pay is less
 * finds the answer. An open one belongs to one thread at a time; several may each open it.
 */
#ifndef GRANARY_NODE_STANDING_H
#define GRANARY_NODE_STANDING_H

#include <jansson.h>

#include "common/database.h"
#include "node/errand.h"

#define STANDING_FILE "standing.db" /* in the node's directory */

struct standing;

/* Open or make it. A sentence goes to `why`. */
enum err standing_open(const char *dir, struct standing **ret, char why[DATABASE_MESSAGE]) WARN_UNUSED;
void standing_close(struct standing *standing);

/* Ask a satellite, over an open connection, and keep what is new. Waits. The errors of errand_ask; ERR_PROTOCOL for an
 * answer that makes no sense, which is not kept; words go to `why`. */
enum err standing_fetch(struct standing *standing, const struct address *satellite, struct errand *errand,
			char why[ERRAND_MESSAGE]) WARN_UNUSED;
/* One answer, without asking. */
enum err standing_keep(struct standing *standing, const struct address *satellite,
		       const struct msg_standing *answer) WARN_UNUSED;

/* What a satellite said last, with its newest `notices` notices, newest first, as doc/formats.md, section 8, describes;
 * JSON null when it never did, or cannot be read. The caller owns it. */
json_t *standing_json(struct standing *standing, const struct address *satellite, unsigned notices);

#endif
