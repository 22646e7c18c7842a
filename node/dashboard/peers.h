/*
 * The other nodes of the same owner, whose figures this node's page shows beside its own: DIR/nodes.json, mode 0600,
 * {"version": 1, "nodes": [{at, token}]}, and what each last answered.
 *
 * Two nodes are paired by a short code: the other one makes it, this one shows it there and gets a read-only token in
 * return. Then the other's /api/v1/summary is asked for now and then, by a thread of its own. A node that does not
 * answer keeps its last figures, with the time at which they were true. Safe from any thread.
 */
#ifndef GRANARY_NODE_DASHBOARD_PEERS_H
#define GRANARY_NODE_DASHBOARD_PEERS_H

#include <jansson.h>

#include "common/endpoint.h"
#include "common/loop.h"

#define PEERS_MOST 64
#define PEERS_MESSAGE 256

struct peers;

/* Read the list and begin to ask. */
struct peers *peers_new(struct loop *loop, const char *dir);
void peers_free(struct peers *peers);

/* Pair with the node whose dashboard is at `at`, by a code of its own, calling ourselves `own_name` there. Waits, for
 * seconds. ERR_DENIED for the code, ERR_EXISTS, ERR_LIMIT, ERR_UNREACHABLE and its kind, ERR_IO; a sentence in `why`.
 */
enum err peers_pair(struct peers *peers, const struct hostport *at, const char *code, const char *own_name,
		    char why[PEERS_MESSAGE]) WARN_UNUSED;
/* ERR_NOT_FOUND; ERR_IO. */
enum err peers_forget(struct peers *peers, const char *at) WARN_UNUSED;

/* [{at, reachable, asked, answered, error, summary}]: times, null before the first; the last summary, or null. The
 * caller owns it. It also has them asked anew, soon, unless that was a moment ago. */
json_t *peers_json(struct peers *peers);

#endif
