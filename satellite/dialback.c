/* One connection, one PING. */
#include "satellite/dialback.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

#define ANSWER_MS 5000

struct dialback {
	dialback_done *done;
	void *arg;
	char host[ENDPOINT_HOST_MAX + 1]; /* "" until it answered */
	char why[200];
};

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct dialback *dial = arg;

	if (message != NULL && message->type == MSG_PONG && peer_channel(peer) != NULL)
		snprintf(dial->host, sizeof(dial->host), "%s", channel_remote_host(peer_channel(peer)));
	else if (message != NULL)
		snprintf(dial->why, sizeof(dial->why), "it does not answer PING");
	else if (err == ERR_TIMEOUT)
		snprintf(dial->why, sizeof(dial->why), "it does not answer PING in time");
	else
		return; /* on_closed knows more */
	if (peer_channel(peer) != NULL)
		channel_close(peer_channel(peer));
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct dialback *dial = arg;

	(void)peer;
	if (dial->why[0] == '\0')
		snprintf(dial->why, sizeof(dial->why), "%s%s%s", err_text(err), why == NULL ? "" : ": ",
			 why == NULL ? "" : why);
	dial->done(dial->host[0] != '\0' ? dial->host : NULL, dial->why, dial->arg);
	free(dial);
}

void dialback_start(struct event_base *base, const struct key *key, const struct msg_hello *hello,
		    const struct endpoint *endpoint, dialback_done *done, void *arg)
{
	static const struct peer_events events = {.closed = on_closed};
	struct message ping = {.type = MSG_PING, .ping = {.at = clock_wall()}};
	struct dialback *dial = memory_new(1, sizeof(*dial));
	struct peer *peer;

	dial->done = done;
	dial->arg = arg;
	peer = peer_connect(base, key, endpoint, &channel_default_limits, hello, &events, dial);
	peer_ask(peer, &ping, ANSWER_MS, on_answer, dial);
}
