/*
 * One request under way, and what all verbs have in common.
 *
 * A verb's state begins with a struct request. It belongs to the loop of its channel. While it is open it has a
 * session to answer through; once it is over (answered, refused, cancelled, or the channel gone) `session` is NULL and
 * nothing is sent any more. Work for the disk is done by jobs in the pool; an over request is freed when its last job
 * has come back, always from the loop, never inside a call of the verb.
 */
#ifndef GRANARY_NODE_REQUEST_H
#define GRANARY_NODE_REQUEST_H

#include "common/message.h"
#include "node/stats.h"
#include "node/worker.h"

struct request;

struct verb {
	enum message_type opens; /* the message that begins one */
	const char *name;	 /* for logs */
	enum stat stat;		 /* counts those begun */
	/* Check the opening message and begin: returns the new state, or NULL with the refusal and, perhaps, words to
	 * go with it. The message's views die with the call. */
	struct request *(*begin)(struct session *session, const struct message *message, enum refusal *ret_refusal,
				 const char **ret_words);
	/* A further message of the request. NULL: it takes none. */
	void (*more)(struct request *request, const struct message *message);
	/* The channel has room again. NULL: it does not care. */
	void (*drained)(struct request *request);
	/* It is over before its end: put down what can be put down now. Called once, the session is gone already. NULL:
	 * nothing to do. */
	void (*stopped)(struct request *request);
	/* Free the state. No job is under way, and no other call follows. */
	void (*free)(struct request *request);
};

struct request {
	uint32_t magic;
	const struct verb *verb;
	struct session *session; /* NULL once over */
	struct worker *worker;
	const struct parts *parts;
	uint32_t number;
	bool ours;		     /* what is awaited now is for us to do: slowness is not the peer's */
	bool paused;		     /* it keeps the channel from being read */
	bool freeing;		     /* its free is posted */
	unsigned jobs;		     /* that have not come back */
	uint64_t moved;		     /* bytes of payload, by which slowness is judged */
	uint64_t marked;	     /* the session's: moved, when it last looked, … */
	uint64_t marked_at;	     /* … on the monotonic clock */
	const struct address *of;    /* the satellite, while the request lives; NULL: not counted in the meter */
	enum action action;
	uint64_t began; /* monotonic */
	struct request *prev, *next; /* the session's */
};

#define REQUEST_MAGIC 0x72657175u

/* Begin the common part, in verb->begin. */
void request_init(struct request *request, const struct verb *verb, struct session *session,
		  const struct message *opening);

/* For the meter: of which satellite the request is, and what it does. `satellite` lives as long as the request. */
void request_is_of(struct request *request, const struct address *satellite, enum action action);

/* Answer; dropped when the request is over. The number is filled in. */
void request_send(struct request *request, struct message *message);
/* The channel is full: produce no more until `drained`. False when it is over. */
bool request_is_full(const struct request *request);
/* Stop and resume reading from the channel; calls may be repeated. Resumed by itself at the end. */
void request_pause(struct request *request, bool pause);

/* It is over, after its last answer; or refuse it, which is an answer too. words: NULL for the code's own phrase. */
void request_end(struct request *request);
void request_refuse(struct request *request, enum refusal refusal, const char *words);

/* Run work(request) in the disks' pool, then done(request) in the loop. done is called also when the request was over
 * meanwhile. */
void request_job(struct request *request, void (*work)(void *request), void (*done)(void *request));
/* The same for work that is finished elsewhere (the store's committer): done(request) is called after
 * request_finish_job, which may come from any thread and must come exactly once. */
void request_open_job(struct request *request, void (*work)(void *request));
void request_finish_job(struct request *request, void (*done)(void *request));
/* To be called first by each `done`. */
void request_job_is_back(struct request *request);

/* For the session: over, without an answer. */
void request_stop(struct request *request);

#endif
