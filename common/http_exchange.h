/*
 * One HTTP request of a command-line tool: an event loop of its own, a deadline, the whole answer in memory.
 *
 * Below http_call (to our own daemons) and rpc (to strangers): nothing in an answer is believed, its size is bounded,
 * redirections are not followed. Blocks; names are resolved by the system.
 */
#ifndef GRANARY_COMMON_HTTP_EXCHANGE_H
#define GRANARY_COMMON_HTTP_EXCHANGE_H

#include "common/endpoint.h"

struct http_question {
	const char *method; /* "GET" or "POST" */
	struct hostport to;
	const char *path;	   /* with its query */
	const char *authorization; /* value of that header, or NULL */
	struct bytes body;	   /* JSON, or empty */
	size_t answer_most;	   /* bytes */
	unsigned timeout_ms;	   /* for all of it */
};

struct http_reply {
	int status;
	char *body; /* NULL when empty; the caller frees it */
	size_t len;
};

/* ERR_OK whatever the status. ERR_UNREACHABLE when nobody listens, ERR_TIMEOUT, ERR_CLOSED when the other side hung up
 * or spoke no HTTP, ERR_LIMIT for a longer answer. */
enum err http_exchange(const struct http_question *question, struct http_reply *ret) WARN_UNUSED;

#endif
