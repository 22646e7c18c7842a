/* Sessions: routing by type and request number, deadlines, backpressure. */
#include "node/session.h"

#include <assert.h>
#include <string.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/collect.h"
#include "node/delete.h"
#include "node/get.h"
#include "node/prove.h"
#include "node/put.h"

#define SESSION_MAGIC 0x73657373u
#define ENDED 32				/* requests whose end is remembered */
#define STRAY_MOST ((uint64_t)64 * 1024 * 1024) /* bytes that may still come for them */

static const struct verb *const verbs[] = {&put_verb, &get_verb, &prove_verb,
					   &delete_verb, &collect_verb, &restore_verb};

struct session {
	uint32_t magic;
	struct worker *worker;
	struct peer *peer;
	struct channel *channel; /* NULL once lost */
	struct event *timer;	 /* looks for slow requests while there are any */
	struct request *requests;
	unsigned request_count;
	uint32_t ended[ENDED]; /* numbers of requests that are over, the latest ENDED */
	unsigned ended_count;
	uint64_t stray; /* payload bytes for them since one was begun */
	unsigned pauses;
	bool choked; /* reading waits until our answers are read */
	bool closing;
	struct session *prev, *next;
};

/* Look four times in the span in which a request must have moved. */
static void set_timer(struct session *session)
{
	unsigned ms = session->worker->parts->limits.channel.pace_ms / 4;
	const struct timeval wait = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	if (ms > 0)
		event_add(session->timer, &wait);
}

static void close_session(struct session *session)
{
	if (session->closing)
		return;
	session->closing = true;
	channel_close(session->channel);
}

void session_pause(struct session *session)
{
	if (session->pauses++ == 0 && session->channel != NULL)
		channel_pause(session->channel);
}

void session_resume(struct session *session)
{
	assert(session->pauses > 0);
	if (--session->pauses == 0 && session->channel != NULL)
		channel_resume(session->channel);
}

/* Whoever asks without reading the answers is not listened to until they are read. */
static void choke_if_full(struct session *session)
{
	if (session->choked || !session_is_full(session))
		return;
	session->choked = true;
	session_pause(session);
}

void session_send(struct session *session, const struct message *message)
{
	peer_send(session->peer, message);
}

void session_refuse(struct session *session, uint32_t number, enum refusal refusal, const char *words)
{
	log_event(LOG_DEBUG, "refused", "peer=%s request=%u code=%s", channel_remote_host(session->channel),
		  (unsigned)number, refusal_name(refusal));
	metrics_add(session->worker->parts->metrics, STAT_REFUSED, 1);
	if (words != NULL)
		peer_refuse(session->peer, number, refusal, "%s", words);
	else
		peer_refuse(session->peer, number, refusal, NULL);
	choke_if_full(session);
}

bool session_is_full(const struct session *session)
{
	return channel_is_full(session->channel);
}

struct worker *session_worker(const struct session *session)
{
	return session->worker;
}

const struct id *session_peer_id(const struct session *session)
{
	return channel_remote(session->channel);
}

static struct request *find_request(struct session *session, uint32_t number)
{
	struct request *request;

	DL_FOREACH(session->requests, request) {
		if (request->number == number)
			return request;
	}
	return NULL;
}

static void note_ended(struct session *session, uint32_t number)
{
	session->ended[session->ended_count++ % ENDED] = number;
}

static bool was_ended(const struct session *session, uint32_t number)
{
	unsigned known = session->ended_count < ENDED ? session->ended_count : ENDED;

	for (unsigned i = 0; i < known; i++) {
		if (session->ended[i] == number)
			return true;
	}
	return false;
}

void session_remove(struct session *session, struct request *request)
{
	DL_DELETE(session->requests, request);
	session->request_count--;
	note_ended(session, request->number);
	if (session->request_count > 0 || session->channel == NULL)
		return;
	channel_set_busy(session->channel, false);
	if (session->worker->draining)
		close_session(session);
}

/* Whether another request may begin now. */
static enum refusal check_room(const struct session *session)
{
	if (session->worker->draining)
		return REFUSAL_SHUTDOWN;
	if (session->request_count >= session->worker->parts->limits.requests)
		return REFUSAL_BUSY;
	return REFUSAL_NONE;
}

static void open_request(struct session *session, const struct verb *verb, const struct message *message)
{
	enum refusal refusal = check_room(session);
	struct request *request = NULL;
	const char *words = NULL;

	if (find_request(session, message->request) != NULL) {
		session_refuse(session, message->request, REFUSAL_PROTOCOL, "request number in use");
		close_session(session);
		return;
	}
	if (refusal == REFUSAL_NONE)
		request = verb->begin(session, message, &refusal, &words);
	if (request == NULL) {
		note_ended(session, message->request);
		session_refuse(session, message->request, refusal, words);
		return;
	}
	session->stray = 0;
	DL_APPEND(session->requests, request);
	if (session->request_count++ == 0) {
		channel_set_busy(session->channel, true);
		set_timer(session);
	}
}

static size_t payload_of(const struct message *message)
{
	return message->type == MSG_DATA ? message->data.payload.len : 0;
}

static void continue_request(struct session *session, const struct message *message)
{
	struct request *request = find_request(session, message->request);

	if (request == NULL && was_ended(session, message->request)) {
		session->stray += payload_of(message) + 64;
		if (session->stray > STRAY_MOST) {
			session_refuse(session, message->request, REFUSAL_PROTOCOL, "data for a request that is over");
			close_session(session);
		}
	} else if (request == NULL) {
		session_refuse(session, message->request, REFUSAL_PROTOCOL, "no such request");
	} else if (message->type == MSG_CANCEL) {
		request_stop(request);
	} else if (request->verb->more == NULL) {
		request_refuse(request, REFUSAL_PROTOCOL, "nothing may follow this request");
	} else {
		request->verb->more(request, message);
	}
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct session *session = arg;

	(void)peer;
	assert(session->magic == SESSION_MAGIC);
	if (session->closing)
		return;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i]->opens == message->type) {
			open_request(session, verbs[i], message);
			return;
		}
	}
	if (message->type == MSG_ORDER || message->type == MSG_DATA || message->type == MSG_PUT_END ||
	    message->type == MSG_CANCEL || message->type == MSG_FILTER)
		continue_request(session, message);
	else
		session_refuse(session, message->request, REFUSAL_PROTOCOL, "not a request to a node");
}

static void on_drained(struct peer *peer, void *arg)
{
	struct session *session = arg;
	struct request *request, *next;

	(void)peer;
	assert(session->magic == SESSION_MAGIC);
	if (session->choked) {
		session->choked = false;
		session_resume(session);
	}
	DL_FOREACH_SAFE(session->requests, request, next) {
		if (request->verb->drained != NULL)
			request->verb->drained(request);
	}
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct session *session = arg;
	struct worker *worker = session->worker;
	struct request *request, *next;
	char text[128];

	assert(session->magic == SESSION_MAGIC);
	(void)peer;
	log_event(LOG_DEBUG, "closed", "reason=%s why=%s", err_name(err), log_quote(why, text, sizeof(text)));
	session->closing = true;
	session->channel = NULL;
	DL_FOREACH_SAFE(session->requests, request, next) {
		request_stop(request);
	}
	DL_DELETE(worker->sessions, session);
	metrics_add(worker->parts->metrics, STAT_SESSIONS, UINT64_MAX); /* one less */
	event_free(session->timer);
	session->magic = 0;
	free(session);
	worker_session_ended(worker);
}

/* Whether the peer moved too little since the session last looked; what waits for us is not held against it. */
static bool is_slow(struct request *request, uint64_t now)
{
	const struct channel_limits *limits = &request->parts->limits.channel;
	uint64_t moved = request->moved - request->marked;

	if (!request->ours && now - request->marked_at < (uint64_t)limits->pace_ms * 1000000)
		return false;
	request->marked = request->moved;
	request->marked_at = now;
	return !request->ours && moved < limits->pace_bytes;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;
	struct request *request, *next;
	uint64_t now = clock_monotonic();

	(void)fd;
	(void)what;
	assert(session->magic == SESSION_MAGIC);
	DL_FOREACH_SAFE(session->requests, request, next) {
		if (!is_slow(request, now))
			continue;
		log_event(LOG_INFO, "slow", "peer=%s verb=%s moved=%llu", channel_remote_host(session->channel),
			  request->verb->name, (unsigned long long)request->moved);
		metrics_add(request->parts->metrics, STAT_SLOW, 1);
		request_refuse(request, REFUSAL_TIMEOUT, NULL);
	}
	if (session->request_count > 0)
		set_timer(session);
}

static void on_ready(struct peer *peer, const struct msg_hello *hello, void *arg)
{
	struct session *session = arg;

	(void)peer;
	(void)hello;
	assert(session->magic == SESSION_MAGIC);
	if (session->worker->draining)
		close_session(session);
}

static const struct peer_events events = {on_ready, on_request, on_drained, on_closed};

void session_begin(struct worker *worker, evutil_socket_t fd, struct ticket *ticket)
{
	static const struct msg_hello hello = {.version = MESSAGE_VERSION};
	const struct limits *limits = &worker->parts->limits;
	struct session *session = memory_new(1, sizeof(*session));

	session->magic = SESSION_MAGIC;
	session->worker = worker;
	session->timer = evtimer_new(loop_base(worker->loop), on_timer, session);
	session->peer = peer_accept(loop_base(worker->loop), worker->parts->key, fd, &limits->channel, &hello, &events,
				    session);
	session->channel = peer_channel(session->peer);
	ticket_follow(ticket, session->channel);
	DL_APPEND(worker->sessions, session);
	metrics_add(worker->parts->metrics, STAT_SESSIONS, 1);
	worker_session_began(worker);
}

void session_each(struct worker *worker, void (*call)(struct session *session))
{
	struct session *session, *next;

	DL_FOREACH_SAFE(worker->sessions, session, next) {
		call(session);
	}
}

void session_drain(struct session *session)
{
	if (session->request_count == 0)
		close_session(session);
}

void session_abort(struct session *session)
{
	session->closing = true;
	channel_abort(session->channel);
}
