/* How portmap.c talks to a router: one struct per protocol. All of it blocks, for some seconds at most. A protocol
 * whose library was not there when the program was built has only its name. */
#ifndef GRANARY_NODE_PORTMAP_ROUTER_H
#define GRANARY_NODE_PORTMAP_ROUTER_H

#include "common/endpoint.h"

#define ROUTER_TEXT 256

/* A mapping that was made. */
struct router_lease {
	uint16_t port;		  /* the node's */
	struct hostport external; /* the router's own address, and the port that it gave */
	uint64_t seconds;	  /* 0: for ever */
	char router[ROUTER_TEXT]; /* where it was */
};

struct router_protocol {
	const char *name;
	const char *scheme; /* of the address of a router: "http://" */
	/* Both NULL without the library. */
	/* Ask for, or renew, a mapping of `port`, if possible to the same one outside. `router`: its address without
	 * the scheme or, when "", search for one. ERR_NOT_FOUND when there is none, ERR_DENIED when it does not want; a
	 * sentence goes to `why`. */
	enum err (*open)(const char *router, uint16_t port, uint64_t seconds, struct router_lease *ret,
			 char why[ROUTER_TEXT]);
	void (*close)(const struct router_lease *lease);
};

extern const struct router_protocol router_upnp, router_natpmp;

#endif
