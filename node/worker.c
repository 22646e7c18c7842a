/* Counting, and draining to nothing. */
#include "node/worker.h"

#include <assert.h>

#include "node/session.h"

static void check_drained(struct worker *worker)
{
	if (!worker->draining || worker->told || worker->session_count > 0 || worker->request_count > 0)
		return;
	worker->told = true;
	worker->drained(worker, worker->arg);
}

void worker_session_began(struct worker *worker)
{
	worker->session_count++;
}

void worker_session_ended(struct worker *worker)
{
	assert(worker->session_count > 0);
	worker->session_count--;
	check_drained(worker);
}

void worker_request_began(struct worker *worker)
{
	worker->request_count++;
}

void worker_request_ended(struct worker *worker)
{
	assert(worker->request_count > 0);
	worker->request_count--;
	check_drained(worker);
}

void worker_drain(struct worker *worker)
{
	worker->draining = true;
	session_each(worker, session_drain);
	check_drained(worker);
}

void worker_abort(struct worker *worker)
{
	session_each(worker, session_abort);
}
