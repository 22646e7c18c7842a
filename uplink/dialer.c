/* A hash table of links by node id; unused ones stand in a list, oldest first. */
#include "uplink/dialer.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "common/memory.h"

struct link {
	struct id id;
	struct dialer *dialer;
	struct peer *peer; /* NULL once closed: then freed with its last user */
	bool retired;	   /* out of the table */
	struct link_user *users;
	struct link *prev, *next; /* among the unused */
	UT_hash_handle hh;
};

struct dialer {
	struct loop *loop;
	const struct key *key;
	const struct msg_hello *hello;
	struct link *links;
	struct link *unused;
	unsigned unused_count;
	unsigned open;
};

static bool can_send(struct peer *peer)
{
	return peer_hello(peer) != NULL && peer_channel(peer) != NULL && !channel_is_full(peer_channel(peer));
}

static void serve_users(struct peer *peer, struct link *link)
{
	struct link_user *user;
	unsigned count;

	/* Each once, unless the channel fills up before: whoever was served goes to the end, so that the next time
	 * another one comes first. A user may release itself, but no other, from inside this call. */
	DL_COUNT(link->users, user, count);
	for (; count > 0 && link->users != NULL && can_send(peer); count--) {
		user = link->users;
		DL_DELETE(link->users, user);
		DL_APPEND(link->users, user);
		user->drained(user->arg);
	}
}

/* From now on it is not handed out. */
static void retire(struct link *link)
{
	if (!link->retired)
		HASH_DEL(link->dialer->links, link);
	link->retired = true;
}

/* What was sent may still go out. */
static void hang_up(struct link *link)
{
	retire(link);
	if (peer_channel(link->peer) != NULL)
		channel_close(peer_channel(link->peer));
}

static void on_ready(struct peer *peer, const struct msg_hello *hello, void *arg)
{
	(void)hello;
	serve_users(peer, arg);
}

static void on_drained(struct peer *peer, void *arg)
{
	serve_users(peer, arg);
}

static void take_from_unused(struct link *link)
{
	DL_DELETE(link->dialer->unused, link);
	link->dialer->unused_count--;
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct link *link = arg;

	(void)peer;
	(void)err;
	(void)why;
	link->peer = NULL;
	link->dialer->open--;
	retire(link);
	if (link->users != NULL)
		return;
	take_from_unused(link);
	free(link);
}

static const struct peer_events link_events = {.ready = on_ready, .drained = on_drained, .closed = on_closed};

struct dialer *dialer_new(struct loop *loop, const struct key *key, const struct msg_hello *hello)
{
	struct dialer *dialer = memory_new(1, sizeof(*dialer));

	dialer->loop = loop;
	dialer->key = key;
	dialer->hello = hello;
	return dialer;
}

void dialer_free(struct dialer *dialer)
{
	struct link *link, *next;

	if (dialer == NULL)
		return;
	HASH_ITER (hh, dialer->links, link, next)
		hang_up(link);
	while (dialer->open > 0)
		event_base_loop(loop_base(dialer->loop), EVLOOP_ONCE);
	free(dialer);
}

static struct link *dial(struct dialer *dialer, const struct endpoint *endpoint)
{
	struct link *link = memory_new(1, sizeof(*link));

	link->id = endpoint->id;
	link->dialer = dialer;
	link->peer = peer_connect(loop_base(dialer->loop), dialer->key, endpoint, &channel_default_limits,
				  dialer->hello, &link_events, link);
	dialer->open++;
	HASH_ADD(hh, dialer->links, id, sizeof(link->id), link);
	return link;
}

void dialer_acquire(struct dialer *dialer, const struct endpoint *endpoint, struct link_user *user)
{
	struct link *link;

	HASH_FIND(hh, dialer->links, &endpoint->id, sizeof(endpoint->id), link);
	if (link != NULL && peer_channel(link->peer) == NULL) {
		retire(link); /* it is just ending */
		link = NULL;
	}
	if (link == NULL)
		link = dial(dialer, endpoint);
	else if (link->users == NULL)
		take_from_unused(link);
	user->link = link;
	DL_APPEND(link->users, user);
}

static void close_longest_unused(struct dialer *dialer)
{
	struct link *link;

	/* Closing ones leave the list a little later, in on_closed. */
	DL_FOREACH(dialer->unused, link)
	{
		if (link->retired)
			continue;
		hang_up(link);
		return;
	}
}

void link_release(struct link_user *user)
{
	struct link *link = user->link;

	if (link == NULL)
		return;
	user->link = NULL;
	DL_DELETE(link->users, user);
	if (link->users != NULL)
		return;
	if (link->peer == NULL) {
		free(link);
		return;
	}
	DL_APPEND(link->dialer->unused, link);
	if (++link->dialer->unused_count > DIALER_UNUSED_MAX)
		close_longest_unused(link->dialer);
}

struct peer *link_peer(const struct link_user *user)
{
	return user->link->peer;
}

bool link_can_send(const struct link_user *user)
{
	struct peer *peer = user->link->peer;

	return peer != NULL && can_send(peer);
}
