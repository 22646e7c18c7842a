/* A peer on a private event loop. */
#include "node/errand.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"

#define LOOK_MS 100

struct errand {
	struct event_base *base;
	struct event *look; /* makes the loop return, so that `stop` is heeded */
	const atomic_bool *stop;
	struct peer *peer; /* NULL once lost */
	bool ready;
	struct msg_hello hello;
	enum err err; /* why it was lost */
	char why[ERRAND_MESSAGE];
};

static void on_ready(struct peer *peer, const struct msg_hello *hello, void *arg)
{
	struct errand *errand = arg;

	(void)peer;
	errand->ready = true;
	errand->hello = *hello;
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct errand *errand = arg;

	(void)peer;
	errand->peer = NULL;
	errand->err = err == ERR_OK ? ERR_CLOSED : err;
	snprintf(errand->why, sizeof(errand->why), "%s", why);
}

static const struct peer_events events = {.ready = on_ready, .closed = on_closed};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

bool errand_wait(struct errand *errand, const bool *done)
{
	while (!*done && errand->peer != NULL) {
		if (atomic_load(errand->stop)) {
			errand->err = ERR_CANCELLED;
			snprintf(errand->why, sizeof(errand->why), "the node is stopping");
			return false;
		}
		event_base_loop(errand->base, EVLOOP_ONCE);
	}
	return *done;
}

enum err errand_lost(const struct errand *errand, char why[ERRAND_MESSAGE])
{
	snprintf(why, ERRAND_MESSAGE, "%s", errand->why);
	return errand->err;
}

enum err errand_open(const struct key *key, const struct endpoint *endpoint, const atomic_bool *stop,
		     struct errand **ret, char why[ERRAND_MESSAGE])
{
	static const struct msg_hello hello = {.version = MESSAGE_VERSION};
	const struct timeval look = {0, LOOK_MS * 1000};
	struct errand *errand = memory_new(1, sizeof(*errand));
	enum err err;

	errand->stop = stop;
	errand->base = event_base_new();
	if (errand->base == NULL)
		abort();
	errand->look = event_new(errand->base, -1, EV_PERSIST, on_look, NULL);
	event_add(errand->look, &look);
	errand->peer = peer_connect(errand->base, key, endpoint, &channel_default_limits, &hello, &events, errand);
	if (errand_wait(errand, &errand->ready) && errand->peer != NULL) {
		*ret = errand;
		return ERR_OK;
	}
	err = errand_lost(errand, why);
	errand_close(errand);
	return err;
}

void errand_close(struct errand *errand)
{
	if (errand == NULL)
		return;
	if (errand->peer != NULL && atomic_load(errand->stop))
		channel_abort(peer_channel(errand->peer));
	if (errand->peer != NULL)
		peer_finish(errand->peer);
	event_free(errand->look);
	event_base_free(errand->base);
	free(errand);
}

const struct msg_hello *errand_hello(const struct errand *errand)
{
	return &errand->hello;
}

struct peer *errand_peer(struct errand *errand)
{
	return errand->peer;
}

enum err errand_explain(const struct message *answer, enum err err, char why[ERRAND_MESSAGE])
{
	if (answer == NULL) {
		snprintf(why, ERRAND_MESSAGE, "%s", err_text(err));
		return err;
	}
	if (answer->type != MSG_ERROR) {
		snprintf(why, ERRAND_MESSAGE, "an answer of type %u that makes no sense", answer->type);
		return ERR_PROTOCOL;
	}
	snprintf(why, ERRAND_MESSAGE, "%s: %.*s", refusal_name(answer->error.code), (int)answer->error.text.len,
		 (const char *)answer->error.text.data);
	err = refusal_to_err(answer->error.code);
	return err == ERR_OK ? ERR_REMOTE : err;
}

struct question {
	enum message_type answer;
	void (*take)(const struct message *answer, void *arg);
	void *arg;
	bool done;
	enum err err;
	char *why;
};

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct question *question = arg;

	question->done = true;
	if (message == NULL || message->type != question->answer) {
		question->err = errand_explain(message, err, question->why);
	} else {
		question->err = ERR_OK;
		question->take(message, question->arg);
	}
	if (message != NULL && message->type != MSG_ERROR)
		peer_forget(peer, message->request);
}

enum err errand_ask(struct errand *errand, struct message *message, enum message_type answer,
		    void (*take)(const struct message *answer, void *arg), void *arg, char why[ERRAND_MESSAGE])
{
	struct question question = {.answer = answer, .take = take, .arg = arg, .why = why};

	uint32_t request;

	if (errand->peer == NULL)
		return errand_lost(errand, why);
	request = peer_ask(errand->peer, message, ERRAND_TIMEOUT_MS, on_answer, &question);
	if (errand_wait(errand, &question.done))
		return question.err;
	if (errand->peer != NULL)
		peer_forget(errand->peer, request); /* `question` goes out of sight */
	return errand_lost(errand, why);
}
