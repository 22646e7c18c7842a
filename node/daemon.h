/*
 * The running node: opens what it needs, starts the piece server and its helpers, and takes it all down in order.
 *
 *	daemon ─ piece_server ─ worker ─ session ─ request: put, get, prove, delete ─ store
 *	      ├─ checkin ─ errand
 *	      ├─ books ─ ledger, settler ─ errand
 *	      ├─ api
 *	      └─ dashboard (dashboard/dashboard.h)
 */
#ifndef GRANARY_NODE_DAEMON_H
#define GRANARY_NODE_DAEMON_H

#include "common/options.h"

/* Run in the directory that the options name until SIGTERM. The exit status; what went wrong is on stderr. */
int daemon_run_node(struct options *options);

#endif
