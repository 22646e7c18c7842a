/* A request on its way through a worker: a copy of its message, who asked, and the reply. */
#ifndef GRANARY_SATELLITE_JOB_H
#define GRANARY_SATELLITE_JOB_H

#include "satellite/session.h"
#include "satellite/verbs.h"

/* What every piece of work carries. */
struct job {
	struct session *session;
	struct caller caller;
	struct message message; /* its views point into wire */
	uint8_t *wire;
	struct reply reply;
};

/* Copy the message and hold the session. */
void job_init(struct job *job, struct session *session, const struct message *message);
/* A fresh struct work for it. */
struct work job_work(struct job *job, struct desk *desk);
/* Send the reply, free the copy, let the session go. */
void job_end(struct job *job);

/* Have a verb run. */
void job_start(struct session *session, const struct verb *verb, const struct message *message);

#endif
