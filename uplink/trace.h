/*
 * What the uplink did with each node: for --verbose, for --stats-json, and for naming a node that cheats.
 *
 * One row per node that was ever contacted. Prints nothing itself: events go to whoever asked for them. Belongs to
 * the loop's thread.
 */
#ifndef GRANARY_UPLINK_TRACE_H
#define GRANARY_UPLINK_TRACE_H

#include <jansson.h>

#include "common/message.h"

struct trace;

enum trace_level {
	TRACE_EVENT,   /* usual business */
	TRACE_FAILURE, /* the node could not be used */
	TRACE_CHEAT,   /* the node sent what it cannot have been given: wrong bytes, a wrong receipt */
};

/* Called at each event; `report` may be NULL. */
typedef void trace_report(const struct id *node, enum trace_level level, const char *text, void *arg);
struct trace *trace_new(trace_report *report, void *arg);
void trace_free(struct trace *trace);

enum trace_count {
	TRACE_PIECES_PUT,     /* pieces receipted */
	TRACE_PIECES_GOT,     /* pieces, or ranges of them, read to the end */
	TRACE_BYTES_SENT,     /* payload of DATA */
	TRACE_BYTES_RECEIVED, /* payload of DATA that proved to belong to its piece */
	TRACE_FAILURES,
	TRACE_COUNTS,
};

/* A request is about to go to this node: it counts as contacted from now on. */
void trace_contact(struct trace *trace, const struct id *node);
void trace_add(struct trace *trace, const struct id *node, enum trace_count count, uint64_t n);
/* Something happened. Above TRACE_EVENT it is counted as a failure and kept. `format` is a printf format. */
void trace_event(struct trace *trace, const struct id *node, enum trace_level level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What a peer refused with: its own words, or its code's phrase when it has none; and what that means to us, which is
 * never ERR_OK, whatever the peer says. */
enum err trace_refusal(const struct msg_error *error, char *out, size_t room);

/* Sum over all nodes. */
uint64_t trace_total(const struct trace *trace, enum trace_count count);
size_t trace_nodes(const struct trace *trace);
/* {"nodes_contacted", "pieces_put", …, "nodes":[{"id", …, "last_failure"}]}; a new reference. */
json_t *trace_json(const struct trace *trace);

#endif
