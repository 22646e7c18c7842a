/* In the place of portmap_upnp.c when libminiupnpc was not there at configure. */
#include "node/portmap_router.h"

const struct router_protocol router_upnp = {.name = "UPnP", .scheme = "http://"};
