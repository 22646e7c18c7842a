/* Asking, renewing, closing. */
#include "node/portmap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/portmap_router.h"

#define LEASE 3600 /* seconds asked for; renewed at half of what was given */
#define RETRY_FIRST 15
#define RETRY_MOST 600
#define TICK_SECONDS 1

/* In this order; a router that knows both is asked by the one that lets it say why it refuses. */
static const struct router_protocol *const protocols[] = {&router_upnp, &router_natpmp};
#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static const char *const phase_names[] = {
	[PORTMAP_OFF] = "off",	     [PORTMAP_SEARCHING] = "searching", [PORTMAP_OPEN] = "open",
	[PORTMAP_SHARED] = "shared", [PORTMAP_FAILED] = "failed",
};

struct portmap {
	struct loop *loop;
	struct pool *pool;
	struct event *timer;
	void (*changed)(void *arg);
	void *arg;
	uint16_t port;
	char router[ROUTER_TEXT];
	struct portmap_state state;
	const struct router_protocol *protocol; /* NULL: none has opened anything */
	struct router_lease lease;
	uint64_t due; /* monotonic seconds */
	uint64_t retry;
	bool busy;
	bool stopping;
};

struct attempt {
	struct portmap *portmap;
	uint16_t port;
	char router[ROUTER_TEXT];
	const struct router_protocol *protocol; /* that opened it, or NULL */
	struct router_lease lease;
	char why[ROUTER_TEXT];
};

static uint64_t now_seconds(void)
{
	return clock_monotonic() / 1000000000;
}

bool portmap_is_private(const char *host)
{
	static const struct {
		uint32_t network;
		unsigned bits;
	} list[] = {{0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}, {0x64400000, 10}, {0xa9fe0000, 16}};
	struct in_addr at;

	if (inet_pton(AF_INET, host, &at) != 1)
		return false;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if ((ntohl(at.s_addr) ^ list[i].network) >> (32 - list[i].bits) == 0)
			return true;
	}
	return false;
}

bool portmap_router_ok(const char *router)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		size_t len = strlen(protocols[i]->scheme);

		if (strncmp(router, protocols[i]->scheme, len) == 0)
			return router[len] != '\0' && strlen(router) < ROUTER_TEXT;
	}
	return router[0] == '\0';
}

/* What routers say of themselves is hearsay: only an address that could be one is believed. */
static bool is_address(const char *host)
{
	unsigned char raw[16];

	return strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0 &&
	       (inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1);
}

/* One try; on failure a sentence of it, unless another way has said more than that nobody answers. */
static void open_by(struct attempt *attempt, const struct router_protocol *protocol, const char *router)
{
	char why[ROUTER_TEXT] = "";
	enum err err = ERR_UNSUPPORTED;

	if (protocol->open == NULL)
		snprintf(why, sizeof(why), "this program was built without %s", protocol->name);
	else
		err = protocol->open(router, attempt->port, LEASE, &attempt->lease, why);
	if (err == ERR_OK && is_address(attempt->lease.external.host)) {
		attempt->protocol = protocol;
		return;
	}
	if (err == ERR_OK)
		snprintf(why, sizeof(why), "the router does not know its own address");
	if (attempt->why[0] == '\0' || (err != ERR_NOT_FOUND && err != ERR_UNSUPPORTED))
		memcpy(attempt->why, why, sizeof(why));
}

/* In the pool. */
static void work_open(void *arg)
{
	struct attempt *attempt = arg;
	const char *router = attempt->router;

	for (size_t i = 0; i < PROTOCOLS && attempt->protocol == NULL; i++) {
		size_t len = strlen(protocols[i]->scheme);

		if (router[0] == '\0')
			open_by(attempt, protocols[i], "");
		else if (strncmp(router, protocols[i]->scheme, len) == 0)
			open_by(attempt, protocols[i], router + len);
	}
}

static void take_open(struct portmap *portmap, const struct attempt *attempt)
{
	const struct router_lease *lease = &attempt->lease;
	bool shared = portmap_is_private(lease->external.host);
	char at[HOSTPORT_TEXT];

	portmap->protocol = attempt->protocol;
	portmap->lease = *lease;
	portmap->retry = 0;
	/* A router may lose its memory in any night: even what is for ever is asked for again. */
	portmap->due = now_seconds() + (lease->seconds == 0 || lease->seconds > LEASE ? LEASE : lease->seconds) / 2;
	if (portmap->state.phase != PORTMAP_OPEN && portmap->state.phase != PORTMAP_SHARED) {
		hostport_print(&lease->external, at);
		log_event(shared ? LOG_WARN : LOG_INFO, "port_mapped", "protocol=%s external=%s shared=%d",
			  attempt->protocol->name, at, shared);
	}
	portmap->state = (struct portmap_state){
		.phase = shared ? PORTMAP_SHARED : PORTMAP_OPEN,
		.protocol = attempt->protocol->name,
		.external = lease->external,
		.until = lease->seconds == 0 ? 0 : clock_wall() + lease->seconds,
	};
}

static void take_failure(struct portmap *portmap, const struct attempt *attempt)
{
	char quoted[ROUTER_TEXT + 64];

	portmap->retry = portmap->retry == 0 ? RETRY_FIRST : portmap->retry * 2;
	if (portmap->retry > RETRY_MOST)
		portmap->retry = RETRY_MOST;
	portmap->due = now_seconds() + portmap->retry;
	if (portmap->state.phase != PORTMAP_FAILED)
		log_event(LOG_INFO, "port_not_mapped", "why=%s", log_quote(attempt->why, quoted, sizeof(quoted)));
	portmap->state = (struct portmap_state){.phase = PORTMAP_FAILED};
	snprintf(portmap->state.why, sizeof(portmap->state.why), "%.*s", PORTMAP_MESSAGE - 1, attempt->why);
}

static void opened(void *arg)
{
	struct attempt *attempt = arg;
	struct portmap *portmap = attempt->portmap;

	portmap->busy = false;
	if (attempt->protocol != NULL)
		take_open(portmap, attempt);
	else
		take_failure(portmap, attempt);
	free(attempt);
	if (!portmap->stopping)
		portmap->changed(portmap->arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct portmap *portmap = arg;
	struct attempt *attempt;

	(void)fd;
	(void)what;
	if (portmap->busy || now_seconds() < portmap->due)
		return;
	portmap->busy = true;
	attempt = memory_new(1, sizeof(*attempt));
	attempt->portmap = portmap;
	attempt->port = portmap->port;
	memcpy(attempt->router, portmap->router, sizeof(attempt->router));
	pool_submit(portmap->pool, work_open, portmap->loop, opened, attempt);
}

struct portmap *portmap_start(struct loop *loop, const struct portmap_options *options, void (*changed)(void *arg),
			      void *arg)
{
	const struct timeval every = {TICK_SECONDS, 0};
	struct portmap *portmap = memory_new(1, sizeof(*portmap));

	portmap->loop = loop;
	portmap->changed = changed;
	portmap->arg = arg;
	portmap->port = options->port;
	snprintf(portmap->router, sizeof(portmap->router), "%s", options->router);
	portmap->state.phase = PORTMAP_SEARCHING;
	portmap->pool = pool_new(1, "portmap");
	portmap->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, portmap);
	event_add(portmap->timer, &every);
	event_active(portmap->timer, EV_TIMEOUT, 0);
	return portmap;
}

static void free_now(void *arg)
{
	free(arg);
}

static void work_close(void *arg)
{
	struct attempt *attempt = arg;

	attempt->protocol->close(&attempt->lease);
	free(attempt);
}

void portmap_stop(struct portmap *portmap)
{
	struct attempt *attempt;

	if (portmap == NULL)
		return;
	portmap->stopping = true;
	if (portmap->timer != NULL)
		event_free(portmap->timer);
	if (portmap->protocol != NULL) {
		attempt = memory_new(1, sizeof(*attempt));
		attempt->protocol = portmap->protocol;
		attempt->lease = portmap->lease;
		pool_submit(portmap->pool, work_close, NULL, NULL, attempt);
	}
	pool_free(portmap->pool);
	loop_post(portmap->loop, free_now, portmap); /* after what a last attempt posted */
}

void portmap_state(const struct portmap *portmap, struct portmap_state *ret)
{
	*ret = portmap == NULL ? (struct portmap_state){.phase = PORTMAP_OFF} : portmap->state;
}

json_t *portmap_json(const struct portmap *portmap)
{
	struct portmap_state state;
	char at[HOSTPORT_TEXT] = "";
	json_t *json = json_object();

	portmap_state(portmap, &state);
	if (state.phase == PORTMAP_OPEN || state.phase == PORTMAP_SHARED)
		hostport_print(&state.external, at);
	json_object_set_new(json, "phase", json_string(phase_names[state.phase]));
	json_object_set_new(json, "protocol", state.protocol == NULL ? json_null() : json_string(state.protocol));
	json_object_set_new(json, "external", at[0] == '\0' ? json_null() : json_string(at));
	json_object_set_new(json, "until", state.until == 0 ? json_null() : json_integer((json_int_t)state.until));
	json_object_set_new(json, "why", json_string(state.why));
	return json;
}
