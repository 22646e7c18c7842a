/* In the place of portmap_upnp.c when libminiupnpc was not there at configure. */
#include <stdio.h>

#include "node/portmap_router.h"

static enum err open_none(const char *router, uint16_t port, uint64_t seconds, struct router_lease *ret,
			  char why[ROUTER_TEXT])
{
	(void)router;
	(void)port;
	(void)seconds;
	(void)ret;
	snprintf(why, ROUTER_TEXT, "this program was built without UPnP");
	return ERR_UNSUPPORTED;
}

static void close_none(const struct router_lease *lease)
{
	(void)lease;
}

const struct router_protocol router_upnp = {"UPnP", "http://", open_none, close_none};
