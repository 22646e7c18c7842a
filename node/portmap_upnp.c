/* UPnP IGD through libminiupnpc. */
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/portmap_router.h"

#define SEARCH_MS 2000
#define PORTS 8		   /* tried outside, when others have taken the first */
#define CONFLICT 718	   /* ConflictInMappingEntry */
#define PERMANENT_ONLY 725 /* OnlyPermanentLeasesSupported */

struct gateway {
	struct UPNPUrls urls;
	struct IGDdatas data;
	char own[64]; /* our address, as it sees it */
};

static enum err find(const char *router, struct gateway *ret, char why[ROUTER_TEXT])
{
	struct UPNPDev *devices = NULL;
	char url[ROUTER_TEXT + 8];
	int found, failure = 0;

	if (router[0] != '\0') {
		snprintf(url, sizeof(url), "http://%s", router);
		found = UPNP_GetIGDFromUrl(url, &ret->urls, &ret->data, ret->own, sizeof(ret->own));
	} else {
		devices = upnpDiscover(SEARCH_MS, NULL, NULL, UPNP_LOCAL_PORT_ANY, 0, 2, &failure);
		found = UPNP_GetValidIGD(devices, &ret->urls, &ret->data, ret->own, sizeof(ret->own));
		freeUPNPDevlist(devices);
		if (found > 1)
			FreeUPNPUrls(&ret->urls);
	}
	if (found == 1)
		return ERR_OK;
	snprintf(why, ROUTER_TEXT,
		 found == 2 ? "the router says that it is not connected" : "no router answers to UPnP");
	return ERR_NOT_FOUND;
}

static int ask(const struct gateway *gateway, uint16_t outside, uint16_t inside, uint64_t seconds)
{
	char from[8], to[8], lease[24];

	snprintf(from, sizeof(from), "%u", outside);
	snprintf(to, sizeof(to), "%u", inside);
	snprintf(lease, sizeof(lease), "%llu", (unsigned long long)seconds);
	return UPNP_AddPortMapping(gateway->urls.controlURL, gateway->data.first.servicetype, from, to, gateway->own,
				   "granary-node", "TCP", NULL, lease);
}

/* The first port outside that nobody else has. */
static enum err map(const struct gateway *gateway, struct router_lease *lease, char why[ROUTER_TEXT])
{
	int result = CONFLICT;
	const char *words;

	for (uint16_t i = 0; result == CONFLICT && i < PORTS && lease->port + i <= UINT16_MAX; i++) {
		lease->external.port = (uint16_t)(lease->port + i);
		result = ask(gateway, lease->external.port, lease->port, lease->seconds);
		if (result == PERMANENT_ONLY) {
			lease->seconds = 0;
			result = ask(gateway, lease->external.port, lease->port, 0);
		}
	}
	if (result == UPNPCOMMAND_SUCCESS)
		return ERR_OK;
	words = strupnperror(result);
	snprintf(why, ROUTER_TEXT, "the router does not open a port by UPnP: %s", words == NULL ? "error" : words);
	return ERR_DENIED;
}

static enum err open_upnp(const char *router, uint16_t port, uint64_t seconds, struct router_lease *ret,
			  char why[ROUTER_TEXT])
{
	struct router_lease lease = {.port = port, .seconds = seconds};
	struct gateway gateway = {.own = ""};
	char address[40] = "";
	enum err err = find(router, &gateway, why);

	if (err != ERR_OK)
		return err;
	err = map(&gateway, &lease, why);
	if (err == ERR_OK && UPNP_GetExternalIPAddress(gateway.urls.controlURL, gateway.data.first.servicetype,
						       address) != UPNPCOMMAND_SUCCESS)
		address[0] = '\0';
	if (err == ERR_OK && address[0] == '\0') {
		snprintf(why, ROUTER_TEXT, "the router does not tell its own address");
		err = ERR_PROTOCOL;
	}
	snprintf(lease.external.host, sizeof(lease.external.host), "%s", address);
	if (gateway.urls.rootdescURL != NULL && strncmp(gateway.urls.rootdescURL, "http://", 7) == 0)
		snprintf(lease.router, sizeof(lease.router), "%s", gateway.urls.rootdescURL + 7);
	FreeUPNPUrls(&gateway.urls);
	if (err == ERR_OK)
		*ret = lease;
	return err;
}

static void close_upnp(const struct router_lease *lease)
{
	struct gateway gateway = {.own = ""};
	char why[ROUTER_TEXT], port[8];

	if (find(lease->router, &gateway, why) != ERR_OK)
		return;
	snprintf(port, sizeof(port), "%u", lease->external.port);
	(void)UPNP_DeletePortMapping(gateway.urls.controlURL, gateway.data.first.servicetype, port, "TCP", NULL);
	FreeUPNPUrls(&gateway.urls);
}

const struct router_protocol router_upnp = {"UPnP", "http://", open_upnp, close_upnp};
