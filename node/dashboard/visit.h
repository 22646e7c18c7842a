/*
 * Who is at the door: the guard of the node's HTTP, and the pages on which one logs in and out.
 *
 * A browser has a session, in a cookie that no script sees and no other site sends; its forms carry a token of the
 * session besides. Machines show a read-only token as `Authorization: Bearer TOKEN`. Belongs to the daemon's loop; what
 * takes time is done in a pool.
 */
#ifndef GRANARY_NODE_DASHBOARD_VISIT_H
#define GRANARY_NODE_DASHBOARD_VISIT_H

#include "common/http.h"
#include "node/dashboard/login.h"

struct visit {
	struct login *login;
	struct pool *pool;
	struct loop *loop;
	uint16_t port; /* cookies heed hosts only: several nodes of one host are kept apart by name */
};

/* The guard's answer: HTTP_WRITE for a session's forms, HTTP_READ for sessions and tokens. `arg` is the visit. */
enum http_access visit_allows(struct http_request *request, void *arg);
/* The session that the browser shows; false when it shows none. It may not be valid. */
bool visit_session(const struct visit *visit, struct http_request *request, char out[LOGIN_TOKEN_TEXT]);

/* Routes: GET /login (?code= fills it in, ?to= is where to go then), POST /login, POST /logout. `arg` is the visit. */
void visit_show_login(struct http_request *request, void *arg);
void visit_log_in(struct http_request *request, void *arg);
void visit_log_out(struct http_request *request, void *arg);
/* Send to the login page whoever asks for a page without being allowed to. */
void visit_send_away(struct http_request *request, const char *path);

/* Headers of every page: nothing from elsewhere, in nobody's frame. */
void visit_add_headers(struct http_request *request);

#endif
