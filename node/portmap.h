/*
 * The hole in the router: the node's port is opened by UPnP (IGD) or NAT-PMP where the router lets us, renewed while
 * the node runs, and closed when it stops.
 *
 * The asking is done in a thread of its own, because routers take their time. What comes of it is told by
 * portmap_state; a router that does not know the way itself, since its own address is a private one (the provider's
 * CGNAT, or a second router), is told apart, because then no mapping can help. Belongs to the daemon's loop.
 */
#ifndef GRANARY_NODE_PORTMAP_H
#define GRANARY_NODE_PORTMAP_H

#include <jansson.h>

#include "common/endpoint.h"
#include "common/loop.h"

#define PORTMAP_MESSAGE 160

enum portmap_phase {
	PORTMAP_OFF,	   /* no router is asked */
	PORTMAP_SEARCHING, /* no answer yet */
	PORTMAP_OPEN,
	PORTMAP_SHARED, /* open, but the router has no public address itself */
	PORTMAP_FAILED,
};

struct portmap_state {
	enum portmap_phase phase;
	const char *protocol;	   /* "UPnP", "NAT-PMP"; NULL before one was found */
	struct hostport external;  /* OPEN, SHARED: where the world comes in */
	uint64_t until;		   /* Unix seconds, unless renewed; 0: for ever */
	char why[PORTMAP_MESSAGE]; /* FAILED */
};

struct portmap_options {
	uint16_t port; /* the node's */
	/* Where the router is, when it is not to be searched: "http://…", its UPnP description, or "natpmp://ADDRESS";
	 * "": it is searched for. */
	const char *router;
};

struct portmap;

/* changed(arg) is called in the loop whenever portmap_state says something else. */
struct portmap *portmap_start(struct loop *loop, const struct portmap_options *options, void (*changed)(void *arg),
			      void *arg);
/* Close the hole and end; waits for the router, for some seconds at most. NULL is fine. */
void portmap_stop(struct portmap *portmap);
/* NULL is off. */
void portmap_state(const struct portmap *portmap, struct portmap_state *ret);
/* {phase, protocol, external, until, why}; the caller owns it. */
json_t *portmap_json(const struct portmap *portmap);

/* Whether an address is one that only its own network knows: RFC 1918, RFC 6598 (CGNAT), link-local. */
bool portmap_is_private(const char *host);
/* "" or as struct portmap_options says. */
bool portmap_router_ok(const char *router);

#endif
