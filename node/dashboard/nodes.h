/*
 * Pairing with other nodes over HTTP.
 *
 * POST /api/v1/pair {code, name} → {token}: for another node, by a code made here to pair. The forms of the page: POST
 * /nodes/code makes such a code and shows it, /nodes/add (at, code) pairs with a node that made one, /nodes/forget (at)
 * takes it off the list.
 */
#ifndef GRANARY_NODE_DASHBOARD_NODES_H
#define GRANARY_NODE_DASHBOARD_NODES_H

#include "common/http.h"
#include "node/dashboard/login.h"
#include "node/dashboard/peers.h"

struct nodes {
	struct login *login;
	struct peers *peers;
	struct pool *pool;
	struct loop *loop;
	const char *own_name; /* what we call ourselves at others */
};

/* Routes; `arg` is struct nodes. */
void nodes_answer_pair(struct http_request *request, void *arg);
void nodes_make_code(struct http_request *request, void *arg);
void nodes_add(struct http_request *request, void *arg);
void nodes_forget(struct http_request *request, void *arg);

#endif
