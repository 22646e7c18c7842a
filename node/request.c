/* The common life of requests: answers, jobs, and being freed when nothing can come back any more. */
#include "node/request.h"

#include <assert.h>

#include "common/clock.h"
#include "node/session.h"

void request_init(struct request *request, const struct verb *verb, struct session *session,
		  const struct message *opening)
{
	request->magic = REQUEST_MAGIC;
	request->verb = verb;
	request->session = session;
	request->worker = session_worker(session);
	request->parts = request->worker->parts;
	request->number = opening->request;
	request->marked_at = clock_monotonic();
	request->began = request->marked_at;
	worker_request_began(request->worker);
	metrics_add(request->parts->metrics, verb->stat, 1);
}

static void reap(void *arg)
{
	struct request *request = arg;
	struct worker *worker = request->worker;

	assert(request->magic == REQUEST_MAGIC);
	request->freeing = false;
	if (request->jobs > 0)
		return; /* it began another one meanwhile */
	request->magic = 0;
	request->verb->free(request);
	worker_request_ended(worker);
}

static void reap_when_done(struct request *request)
{
	if (request->session != NULL || request->jobs > 0 || request->freeing)
		return;
	request->freeing = true;
	loop_post(request->worker->loop, reap, request);
}

void request_send(struct request *request, struct message *message)
{
	if (request->session == NULL)
		return;
	message->request = request->number;
	session_send(request->session, message);
}

bool request_is_full(const struct request *request)
{
	return request->session != NULL && session_is_full(request->session);
}

void request_pause(struct request *request, bool pause)
{
	if (request->session == NULL || request->paused == pause)
		return;
	request->paused = pause;
	if (pause)
		session_pause(request->session);
	else
		session_resume(request->session);
}

/* Take it off its session. */
static void detach(struct request *request)
{
	request_pause(request, false);
	session_remove(request->session, request);
	request->session = NULL;
	reap_when_done(request);
}

void request_is_of(struct request *request, const struct address *satellite, enum action action)
{
	request->of = satellite;
	request->action = action;
}

static void note(const struct request *request, enum meter_outcome outcome)
{
	if (request->of != NULL && request->parts->meter != NULL)
		meter_add(request->parts->meter,
			  &(struct meter_note){*request->of, request->action, outcome, request->moved,
					       clock_monotonic() - request->began});
}

void request_end(struct request *request)
{
	if (request->session == NULL)
		return;
	note(request, METER_DONE);
	detach(request);
}

/* Over before its end. */
static void stop(struct request *request, enum meter_outcome outcome)
{
	note(request, outcome);
	detach(request);
	if (request->verb->stopped != NULL)
		request->verb->stopped(request);
}

void request_refuse(struct request *request, enum refusal refusal, const char *words)
{
	if (request->session == NULL)
		return;
	session_refuse(request->session, request->number, refusal, words);
	stop(request, METER_FAILED);
}

void request_stop(struct request *request)
{
	if (request->session != NULL)
		stop(request, METER_LOST);
}

void request_job(struct request *request, void (*work)(void *request), void (*done)(void *request))
{
	request->jobs++;
	pool_submit(request->parts->disks, work, request->worker->loop, done, request);
}

void request_open_job(struct request *request, void (*work)(void *request))
{
	request->jobs++;
	pool_submit(request->parts->disks, work, NULL, NULL, request);
}

void request_finish_job(struct request *request, void (*done)(void *request))
{
	loop_post(request->worker->loop, done, request);
}

void request_job_is_back(struct request *request)
{
	assert(request->magic == REQUEST_MAGIC && request->jobs > 0);
	request->jobs--;
	reap_when_done(request);
}
