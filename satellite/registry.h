/*
 * Nodes: who checked in, where they can be dialled, and whether they are there.
 *
 * A node says where it listens; the satellite believes it only after a connection to that endpoint was answered by
 * the owner of the node's key (satellite/dialback.h). The network that counts for distinctness is that of the
 * address which was reached, not of the name.
 */
#ifndef GRANARY_SATELLITE_REGISTRY_H
#define GRANARY_SATELLITE_REGISTRY_H

#include "common/endpoint.h"
#include "satellite/desk.h"
#include "satellite/reputations.h"

/* CHECKED_IN.status */
enum node_status {
	NODE_GOOD = 1,	      /* online, may be given pieces */
	NODE_UNREACHABLE = 2, /* the dial-back did not find it */
	/* from here on those of enum node_state: suspended, offline, disqualified, exiting, exited */
};

struct registered_node {
	struct address address;
	struct id id;
	const char *endpoint; /* host:port; "" before the first dial-back that found it */
	const char *claimed;  /* host:port */
	const char *network;
	const char *version;
	uint64_t allocated; /* bytes, as the next two */
	uint64_t used;
	uint64_t available;
	uint64_t registered;
	uint64_t checked_in;
	uint64_t dialled;
	bool reachable;
	enum node_state state;
};

/* The earliest last check-in with which a node counts as online at `now`. */
uint64_t registry_online_since(const struct settings *settings, uint64_t now);

/* CHECK_IN, first half: check what the node says, register it or note it. No answer yet: *ret_dial is where it
 * wants to be dialled. MALFORMED, SIGNATURE, DENIED (an endpoint that no network would allow). */
enum err registry_check_in(struct work *work, struct hostport *ret_dial) WARN_UNUSED;
/* Second half: the dial-back reached the node at numeric address `host`, or (NULL) did not, for the reason `why`.
 * Answers CHECKED_IN. */
enum err registry_dialled(struct work *work, const char *host, const char *why) WARN_UNUSED;

/* The node that a person means by an id or an address. ERR_FORMAT when it is neither, ERR_NOT_FOUND. */
enum err registry_find(struct database *db, const char *text, struct address *ret) WARN_UNUSED;
enum err registry_known(struct database *db, const struct address *node, bool *ret) WARN_UNUSED;
/* Where a node can be dialled. ERR_NOT_FOUND for one that is unknown or was never reached. */
enum err registry_endpoint(struct database *db, const struct address *node, struct endpoint *ret) WARN_UNUSED;

/* So many bytes were allocated on the node: it has that much less available, until it says what it has itself. In a
 * transaction. */
enum err registry_take_room(struct database *db, const struct address *node, uint64_t bytes) WARN_UNUSED;

/* Called for one node after the other, by address; an error ends the walk. Views die with the call, in which the
 * database must not be used. */
typedef enum err registry_visit(const struct registered_node *node, void *arg);
enum err registry_each(struct database *db, registry_visit *visit, void *arg) WARN_UNUSED;
/* Those that may be given pieces: reachable, checked in since, good or being vetted. */
enum err registry_each_candidate(struct database *db, uint64_t since, registry_visit *visit, void *arg) WARN_UNUSED;

#endif
