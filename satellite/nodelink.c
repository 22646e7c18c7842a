/* Synchronous calls over a peer. */
#include "satellite/nodelink.h"

#include <stdlib.h>

#include "common/memory.h"
#include "satellite/registry.h"

struct nodelink {
	struct peer *peer; /* NULL once it was closed */
};

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct nodelink *link = arg;

	(void)peer;
	(void)err;
	(void)why;
	link->peer = NULL;
}

enum err nodelink_open(const struct desk *desk, struct event_base *base, const struct address *node,
		       struct nodelink **ret)
{
	static const struct peer_events events = {.closed = on_closed};
	const struct domain *domain = &desk->settings->domain;
	struct msg_hello hello = {MESSAGE_VERSION, 0, domain->chain_id, domain->contract};
	struct endpoint endpoint;
	struct nodelink *link;
	enum err err = registry_endpoint(desk->db, node, &endpoint);

	if (err != ERR_OK)
		return err;
	link = memory_new(1, sizeof(*link));
	link->peer = peer_connect(base, desk->key, &endpoint, &channel_default_limits, &hello, &events, link);
	*ret = link;
	return ERR_OK;
}

void nodelink_close(struct nodelink *link)
{
	if (link == NULL)
		return;
	if (link->peer != NULL)
		peer_finish(link->peer);
	free(link);
}

enum err nodelink_ask(struct nodelink *link, struct message *message, unsigned timeout_ms, struct message *ret)
{
	return link->peer == NULL ? ERR_CLOSED : peer_call(link->peer, message, timeout_ms, ret);
}

enum err nodelink_next(struct nodelink *link, unsigned timeout_ms, struct message *ret)
{
	return link->peer == NULL ? ERR_CLOSED : peer_call_next(link->peer, timeout_ms, ret);
}

void nodelink_begin(struct nodelink *link, struct message *message, unsigned timeout_ms)
{
	if (link->peer != NULL)
		peer_call_begin(link->peer, message, timeout_ms);
}

enum err nodelink_part(struct nodelink *link, struct message *part, unsigned timeout_ms)
{
	return link->peer == NULL ? ERR_CLOSED : peer_call_part(link->peer, part, timeout_ms);
}
