/* NAT-PMP through libnatpmp. */
#include <arpa/inet.h>
#include <natpmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "node/portmap_router.h"

#define PATIENCE_MS 3000 /* for one answer; the library would try for a minute */
#define LEASE_MOST UINT32_MAX

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

static enum err begin(const char *router, natpmp_t *ret, char why[ROUTER_TEXT])
{
	in_addr_t gateway = 0;

	if (router[0] != '\0')
		gateway = inet_addr(router);
	if (gateway != INADDR_NONE && initnatpmp(ret, router[0] != '\0', gateway) == 0)
		return ERR_OK;
	snprintf(why, ROUTER_TEXT, "there is no router to ask by NAT-PMP");
	return ERR_NOT_FOUND;
}

/* The answer to what was sent, within PATIENCE_MS. */
static enum err await(natpmp_t *router, natpmpresp_t *ret, char why[ROUTER_TEXT])
{
	uint64_t end = now_ms() + PATIENCE_MS;
	int result = NATPMP_TRYAGAIN;

	while (result == NATPMP_TRYAGAIN && now_ms() < end) {
		struct pollfd look = {.fd = router->s, .events = POLLIN};
		struct timeval wait = {0, 0};

		if (getnatpmprequesttimeout(router, &wait) != 0)
			break;
		(void)poll(&look, 1, (int)(wait.tv_sec * 1000 + wait.tv_usec / 1000) + 1);
		result = readnatpmpresponseorretry(router, ret);
	}
	if (result == 0)
		return ERR_OK;
	if (result == NATPMP_ERR_NOTAUTHORIZED || result == NATPMP_ERR_OUTOFRESOURCES) {
		snprintf(why, ROUTER_TEXT, "the router does not open a port by NAT-PMP");
		return ERR_DENIED;
	}
	snprintf(why, ROUTER_TEXT, "no router answers to NAT-PMP");
	return ERR_NOT_FOUND;
}

static enum err own_address(natpmp_t *router, struct router_lease *lease, char why[ROUTER_TEXT])
{
	natpmpresp_t answer;
	enum err err = ERR_UNREACHABLE;

	if (sendpublicaddressrequest(router) >= 0)
		err = await(router, &answer, why);
	if (err == ERR_OK && (answer.type != NATPMP_RESPTYPE_PUBLICADDRESS ||
			      inet_ntop(AF_INET, &answer.pnu.publicaddress.addr, lease->external.host,
					sizeof(lease->external.host)) == NULL))
		err = ERR_PROTOCOL;
	return err;
}

static enum err map(natpmp_t *router, struct router_lease *lease, char why[ROUTER_TEXT])
{
	natpmpresp_t answer;
	enum err err = ERR_UNREACHABLE;

	if (sendnewportmappingrequest(router, NATPMP_PROTOCOL_TCP, lease->port, lease->port,
				      (uint32_t)lease->seconds) >= 0)
		err = await(router, &answer, why);
	if (err == ERR_OK && answer.type != NATPMP_RESPTYPE_TCPPORTMAPPING)
		err = ERR_PROTOCOL;
	if (err != ERR_OK)
		return err;
	lease->external.port = answer.pnu.newportmapping.mappedpublicport;
	lease->seconds = answer.pnu.newportmapping.lifetime;
	return lease->external.port != 0 ? ERR_OK : ERR_PROTOCOL;
}

static enum err open_natpmp(const char *router, uint16_t port, uint64_t seconds, struct router_lease *ret,
			    char why[ROUTER_TEXT])
{
	struct router_lease lease = {.port = port, .seconds = seconds < LEASE_MOST ? seconds : LEASE_MOST};
	natpmp_t connection;
	enum err err;

	snprintf(why, ROUTER_TEXT, "the router's answer by NAT-PMP makes no sense");
	err = begin(router, &connection, why);
	if (err != ERR_OK)
		return err;
	snprintf(lease.router, sizeof(lease.router), "%s", router);
	err = own_address(&connection, &lease, why);
	if (err == ERR_OK)
		err = map(&connection, &lease, why);
	closenatpmp(&connection);
	if (err == ERR_OK)
		*ret = lease;
	return err;
}

/* A lifetime of 0 ends a mapping (RFC 6886, section 3.4). */
static void close_natpmp(const struct router_lease *lease)
{
	char why[ROUTER_TEXT];
	natpmpresp_t answer;
	natpmp_t connection;

	if (begin(lease->router, &connection, why) != ERR_OK)
		return;
	if (sendnewportmappingrequest(&connection, NATPMP_PROTOCOL_TCP, lease->port, 0, 0) >= 0)
		(void)!await(&connection, &answer, why);
	closenatpmp(&connection);
}

const struct router_protocol router_natpmp = {"NAT-PMP", "natpmp://", open_natpmp, close_natpmp};
