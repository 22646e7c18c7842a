/* Copying, running and ending jobs. */
#include "satellite/job.h"

#include <assert.h>
#include <stdlib.h>

#include "common/memory.h"

void job_init(struct job *job, struct session *session, const struct message *message)
{
	struct writer w;
	const char *why;
	enum refusal refusal;

	job->session = session;
	job->caller = *session_caller(session);
	job->wire = memory_new(1, message_find(message->type)->max);
	writer_init(&w, job->wire, message_find(message->type)->max);
	message_encode(message, &w);
	refusal = message_decode(writer_bytes(&w), &job->message, &why);
	assert(refusal == REFUSAL_NONE); /* it was decoded once */
	reply_init(&job->reply, message->request);
	session_hold(session);
}

struct work job_work(struct job *job, struct desk *desk)
{
	return (struct work){.desk = desk, .caller = &job->caller, .message = &job->message, .reply = &job->reply};
}

void job_end(struct job *job)
{
	session_answer(job->session, &job->reply);
	reply_free(&job->reply);
	free(job->wire);
	session_let_go(job->session);
}

struct verb_job {
	struct job job;
	const struct verb *verb;
};

static void run_verb(struct desk *desk, void *arg)
{
	struct verb_job *job = arg;
	struct work work = job_work(&job->job, desk);

	verbs_run(job->verb, &work);
}

static void end_verb(void *arg)
{
	struct verb_job *job = arg;

	job_end(&job->job);
	free(job);
}

void job_start(struct session *session, const struct verb *verb, const struct message *message)
{
	struct verb_job *job = memory_new(1, sizeof(*job));

	job->verb = verb;
	job_init(&job->job, session, message);
	server_submit(session_server(session), run_verb, end_verb, job);
}
