/*
 * JSON-RPC 2.0 over plain HTTP, for command-line tools: ask a server that may be anyone's, and believe nothing.
 *
 * A call blocks until it is answered or its time is over. Answers are JSON of at most 4 MiB; what a server says in its
 * errors is shown as far as it is printable ASCII. There is no TLS here: for a server that asks for it, let a tunnel
 * on this host speak it.
 */
#ifndef GRANARY_COMMON_RPC_H
#define GRANARY_COMMON_RPC_H

#include <jansson.h>

#include "common/error.h"

#define RPC_MESSAGE 512
#define RPC_SAID 200 /* most characters of what a server says that are shown */

struct rpc;

/* From "http://host[:port][/path][?query]"; port 80 when none is named. Connects to nothing yet. ERR_FORMAT,
 * ERR_UNSUPPORTED for https and for a password in the URL; a sentence goes to `why`. Each call may take timeout_ms. */
enum err rpc_open(const char *url, unsigned timeout_ms, struct rpc **ret, char why[RPC_MESSAGE]) WARN_UNUSED;
void rpc_close(struct rpc *rpc);

/* Call `method`; the reference to `params`, an array, is taken. The caller owns *ret, which may be JSON's null.
 * ERR_UNREACHABLE, ERR_TIMEOUT, ERR_CLOSED; ERR_PROTOCOL for what is no answer to this call; ERR_REMOTE for an error
 * that the server reports. */
enum err rpc_call(struct rpc *rpc, const char *method, json_t *params, json_t **ret) WARN_UNUSED;

/* A sentence about the last failure, with the server's host and port. */
const char *rpc_message(const struct rpc *rpc);
/* After ERR_REMOTE, until the next call: the code of the server's error, 0 when it is none; what it said, printable;
 * its "data", NULL when there is none. */
int rpc_error_code(const struct rpc *rpc);
const char *rpc_error_said(const struct rpc *rpc);
const json_t *rpc_error_data(const struct rpc *rpc);
/* "host:port". */
const char *rpc_server(const struct rpc *rpc);

#endif
