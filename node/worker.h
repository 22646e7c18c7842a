/*
 * One thread that serves peers: its loop, the sessions on it, and how it comes to an end.
 *
 * Touched by its own thread only, but for `worker_` functions that say otherwise. Draining: no new request is taken,
 * sessions close after their last answer, and once neither a session nor a request is left, `drained` is called.
 */
#ifndef GRANARY_NODE_WORKER_H
#define GRANARY_NODE_WORKER_H

#include "node/parts.h"

struct session;

struct worker {
	struct loop *loop;
	const struct parts *parts;
	struct session *sessions;
	unsigned session_count;
	unsigned request_count; /* over ones that wait for a job included */
	bool draining;
	bool told; /* `drained` was called */
	void (*drained)(struct worker *worker, void *arg);
	void *arg;
};

/* Count a session or a request in and out. */
void worker_session_began(struct worker *worker);
void worker_session_ended(struct worker *worker);
void worker_request_began(struct worker *worker);
void worker_request_ended(struct worker *worker);

/* Begin to drain; again, now: cut off whoever is left. In the worker's thread. */
void worker_drain(struct worker *worker);
void worker_abort(struct worker *worker);

#endif
