/*
 * Leaving a satellite in good order: asking for it, and hearing how far that has come.
 *
 *	EXIT → EXIT_STATE
 *
 * The satellite moves this node's pieces to others, and signs an Exit when none is left; then what it held back of this
 * node's pay is paid out. The node must stay online until then, and go on sending what it is asked for.
 */
#ifndef GRANARY_NODE_LEAVE_H
#define GRANARY_NODE_LEAVE_H

#include "node/errand.h"
#include "node/papers.h"

/* What a satellite says of an exit. */
struct leave_state {
	enum exit_state state;
	struct papers_exit exit;
	uint64_t allowed;    /* from when on it may begin, Unix seconds */
	uint64_t bytes;	     /* of exit.pieces */
	uint64_t failed_max; /* with more pieces than these it fails */
	struct amount held;  /* of this node's pay in closed months */
};

/* Ask over a connection that is open; `begin`: leave from now on. The errors of errand_ask: ERR_EARLY when the node is
 * too young, ERR_DENIED when it is disqualified. Words go to `why`. */
enum err leave_ask(struct errand *errand, bool begin, struct leave_state *ret, char why[ERRAND_MESSAGE]) WARN_UNUSED;

#endif
