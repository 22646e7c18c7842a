/* Calls hang in a list, so that all can be ended; each is one ask of the peer. */
#include "uplink/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/memory.h"

#define CALL_TIMEOUT_MS 30000
#define WHY_MAX 640

struct metadata_call {
	struct metadata *metadata;
	uint32_t request;
	uint16_t expected;
	metadata_answer *answer;
	void *arg;
	struct metadata_call *prev, *next;
};

struct metadata {
	struct uplink *uplink;
	struct endpoint satellite;
	bool pinned;
	bool closing;
	bool mismatch; /* the connection in use was refused because of its domain */
	struct peer *peer;
	struct metadata_call *calls;
};

static void on_ready(struct peer *peer, const struct msg_hello *hello, void *arg)
{
	struct metadata *metadata = arg;
	struct uplink *uplink = metadata->uplink;

	if (!metadata->pinned) {
		domain_init(&uplink->domain, hello->chain_id, &hello->contract);
		metadata->pinned = true;
	}
	if (hello->chain_id == uplink->domain.chain_id && address_equal(&hello->contract, &uplink->domain.contract))
		return;
	metadata->mismatch = true;
	channel_abort(peer_channel(peer));
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct metadata *metadata = arg;

	(void)peer;
	(void)err;
	(void)why;
	metadata->peer = NULL;
}

static const struct peer_events satellite_events = {.ready = on_ready, .closed = on_closed};

/* Tell the caller; true when it wants more. */
static bool tell(struct metadata_call *call, const struct message *message, enum err err, const char *what)
{
	char why[WHY_MAX];

	if (message != NULL)
		return call->answer(message, ERR_OK, "", call->arg);
	snprintf(why, sizeof(why), "satellite: %s", what);
	call->answer(NULL, err, why, call->arg);
	return false;
}

static bool tell_error(struct metadata_call *call, const struct msg_error *error)
{
	char text[WHY_MAX - 16];
	enum err err = trace_refusal(error, text, sizeof(text));

	return tell(call, NULL, err, text);
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct metadata_call *call = arg;
	struct metadata *metadata = call->metadata;
	bool more;

	if (message == NULL && metadata->mismatch)
		more = tell(call, NULL, ERR_DENIED, "its payment domain is not the one this access was made with");
	else if (message == NULL)
		more = tell(call, NULL, err, err_text(err));
	else if (message->type == MSG_ERROR)
		more = tell_error(call, &message->error);
	else if (message->type != call->expected)
		more = tell(call, NULL, ERR_PROTOCOL, "unexpected answer");
	else
		more = tell(call, message, ERR_OK, NULL);
	if (more)
		return;
	if (message != NULL)
		peer_forget(peer, call->request);
	DL_DELETE(metadata->calls, call);
	free(call);
}

struct metadata *metadata_new(struct uplink *uplink, const struct endpoint *satellite, bool pinned)
{
	struct metadata *metadata = memory_new(1, sizeof(*metadata));

	metadata->uplink = uplink;
	metadata->satellite = *satellite;
	metadata->pinned = pinned;
	return metadata;
}

void metadata_free(struct metadata *metadata)
{
	if (metadata == NULL)
		return;
	if (metadata->peer != NULL)
		peer_finish(metadata->peer);
	free(metadata);
}

struct metadata_call *metadata_ask(struct metadata *metadata, struct message *message, enum message_type expected,
				   metadata_answer *answer, void *arg)
{
	struct uplink *uplink = metadata->uplink;
	struct metadata_call *call = memory_new(1, sizeof(*call));

	if (metadata->peer == NULL) {
		metadata->mismatch = false;
		metadata->peer = peer_connect(loop_base(uplink->loop), uplink->key, &metadata->satellite,
					      &channel_default_limits, &uplink->hello, &satellite_events, metadata);
	}
	call->metadata = metadata;
	call->expected = (uint16_t)expected;
	call->answer = answer;
	call->arg = arg;
	DL_APPEND(metadata->calls, call);
	call->request = peer_ask(metadata->peer, message, CALL_TIMEOUT_MS, on_answer, call);
	return call;
}

static void on_no_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	(void)peer;
	(void)message;
	(void)err;
	(void)arg;
}

/* Under a number of its own, so that an ERROR that comes all the same is taken for an answer, and dropped. */
void metadata_tell(struct metadata *metadata, struct message *message)
{
	if (metadata->peer == NULL || peer_channel(metadata->peer) == NULL)
		return;
	peer_forget(metadata->peer, peer_ask(metadata->peer, message, 0, on_no_answer, NULL));
}

void metadata_cancel(struct metadata_call *call)
{
	if (call == NULL)
		return;
	peer_forget(call->metadata->peer, call->request);
	DL_DELETE(call->metadata->calls, call);
	free(call);
}
