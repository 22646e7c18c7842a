/* In the place of portmap_natpmp.c when libnatpmp was not there at configure. */
#include "node/portmap_router.h"

const struct router_protocol router_natpmp = {.name = "NAT-PMP", .scheme = "natpmp://"};
