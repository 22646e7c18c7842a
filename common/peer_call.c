/*
 * Asking and waiting, for programs that do one thing after the other.
 *
 * Answers are copied as they come, so that several parts that arrive in one turn of the loop wait their turn; past a
 * few of them reading stops until some were taken.
 */
#include "common/peer_private.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define MOST_SAVED 16

struct saved {
	struct saved *next;
	size_t len;
	uint8_t bytes[];
};

struct call {
	uint32_t request;
	struct saved *first, **last;
	unsigned count;
	struct saved *given; /* what the caller looks at */
	bool over;	     /* no more will come */
	bool paused;
	enum err err; /* why not */
};

void call_free(struct call *call)
{
	struct saved *next;

	if (call == NULL)
		return;
	for (struct saved *saved = call->first; saved != NULL; saved = next) {
		next = saved->next;
		free(saved);
	}
	free(call->given);
	free(call);
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct call *call = arg;
	struct bytes bytes = peer_current(peer);
	struct saved *saved;

	if (message == NULL || message->type == MSG_ERROR) {
		call->over = true;
		call->err = err != ERR_OK ? err : ERR_CLOSED;
	}
	if (message == NULL)
		return;
	saved = memory_new(1, sizeof(*saved) + bytes.len);
	saved->len = bytes.len;
	memcpy(saved->bytes, bytes.data, bytes.len);
	*call->last = saved;
	call->last = &saved->next;
	if (++call->count == MOST_SAVED) {
		call->paused = true;
		channel_pause(peer_channel(peer));
	}
}

/* Hand out the oldest saved answer. */
static enum err take_saved(struct call *call, struct message *ret)
{
	struct saved *saved = call->first;
	const char *why;
	enum err err;

	call->first = saved->next;
	if (call->first == NULL)
		call->last = &call->first;
	call->count--;
	free(call->given);
	call->given = saved;
	if (message_decode(bytes_of(saved->bytes, saved->len), ret, &why) != REFUSAL_NONE)
		abort(); /* it was decoded before */
	if (ret->type != MSG_ERROR)
		return ERR_OK;
	err = refusal_to_err(ret->error.code);
	return err == ERR_OK ? ERR_REMOTE : err;
}

static void resume(struct peer *peer, struct call *call)
{
	if (call->paused && peer_channel(peer) != NULL)
		channel_resume(peer_channel(peer));
	call->paused = false;
}

static enum err wait_for_answer(struct peer *peer, struct call *call, struct message *ret)
{
	struct event_base *base = peer_base(peer);
	bool go_on = true;

	peer_pin(peer);
	while (call->first == NULL && !call->over && go_on) {
		resume(peer, call);
		go_on = event_base_loop(base, EVLOOP_ONCE) == 0 && !event_base_got_break(base);
	}
	peer_unpin(peer);
	if (call->first != NULL)
		return take_saved(call, ret);
	return call->over ? call->err : ERR_CANCELLED;
}

/* Nothing of an earlier call shall come back. */
static void end_last_call(struct peer *peer)
{
	struct call **slot = peer_call_slot(peer);

	if (*slot == NULL)
		return;
	peer_forget(peer, (*slot)->request);
	resume(peer, *slot);
	call_free(*slot);
	*slot = NULL;
}

void peer_call_begin(struct peer *peer, struct message *message, unsigned timeout_ms)
{
	struct call *call = memory_new(1, sizeof(*call));

	end_last_call(peer);
	*peer_call_slot(peer) = call;
	call->last = &call->first;
	if (peer_channel(peer) == NULL) {
		call->over = true;
		call->err = ERR_CLOSED;
		return;
	}
	call->request = peer_ask(peer, message, timeout_ms, on_answer, call);
}

enum err peer_call_part(struct peer *peer, struct message *part, unsigned timeout_ms)
{
	struct call *call = *peer_call_slot(peer);
	struct event_base *base = peer_base(peer);
	struct channel *channel;
	bool go_on = true;

	if (call == NULL)
		return ERR_USAGE;
	peer_pin(peer);
	for (channel = peer_channel(peer); go_on && !call->over && call->first == NULL && channel != NULL &&
					   channel_is_full(channel);
	     channel = peer_channel(peer))
		go_on = event_base_loop(base, EVLOOP_ONCE) == 0 && !event_base_got_break(base);
	if (go_on && !call->over && call->first == NULL && channel != NULL) {
		peer_extend(peer, call->request, timeout_ms);
		part->request = call->request;
		peer_send(peer, part);
	}
	peer_unpin(peer);
	if (call->first != NULL)
		return ERR_EXISTS;
	return call->over ? call->err : !go_on ? ERR_CANCELLED : channel == NULL ? ERR_CLOSED : ERR_OK;
}

enum err peer_call(struct peer *peer, struct message *message, unsigned timeout_ms, struct message *ret)
{
	peer_call_begin(peer, message, timeout_ms);
	return wait_for_answer(peer, *peer_call_slot(peer), ret);
}

enum err peer_call_next(struct peer *peer, unsigned timeout_ms, struct message *ret)
{
	struct call *call = *peer_call_slot(peer);

	if (call == NULL)
		return ERR_USAGE;
	peer_extend(peer, call->request, timeout_ms);
	return wait_for_answer(peer, call, ret);
}

void peer_finish(struct peer *peer)
{
	struct event_base *base = peer_base(peer);
	bool ended = false;

	peer_tell_end(peer, &ended);
	if (peer_channel(peer) != NULL)
		channel_close(peer_channel(peer));
	while (!ended && event_base_loop(base, EVLOOP_ONCE) == 0) {
		if (!ended && event_base_got_break(base) && peer_channel(peer) != NULL)
			channel_abort(peer_channel(peer));
	}
}
