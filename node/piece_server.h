/*
 * The piece server: one listener, several workers, each a thread with a loop of its own.
 *
 * Connections are dealt out to the workers in turn and stay there. It ends in two steps: no more connections and no
 * more requests, what is under way is finished; and, when that takes too long, everybody is cut off.
 */
#ifndef GRANARY_NODE_PIECE_SERVER_H
#define GRANARY_NODE_PIECE_SERVER_H

#include "common/endpoint.h"
#include "node/parts.h"

struct piece_server;

/* Listen on `at` and serve with so many workers, at least 1. `loop` is the daemon's, which accepts. `parts` must
 * outlive the server. ERR_UNREACHABLE, ERR_FORMAT; a sentence goes to `why`. */
enum err piece_server_start(struct loop *loop, const struct hostport *at, const struct parts *parts, unsigned workers,
			    struct piece_server **ret, char *why, size_t room) WARN_UNUSED;
/* Where it listens: numeric address and port. */
const struct hostport *piece_server_at(const struct piece_server *server);

/* Begin the end, in the daemon's loop: drained(arg) is called there when the last session and request are gone; after
 * patience_ms those that are left are cut off. */
void piece_server_stop(struct piece_server *server, unsigned patience_ms, void (*drained)(void *arg), void *arg);
/* After `drained`, or before the daemon's loop ran. The store and the disks' pool must be closed before: what they
 * still post is for the workers' loops. */
void piece_server_free(struct piece_server *server);

#endif
