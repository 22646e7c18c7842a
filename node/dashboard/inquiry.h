/* One question to a panel, on its way through the dashboard's thread and back. */
#ifndef GRANARY_NODE_DASHBOARD_INQUIRY_H
#define GRANARY_NODE_DASHBOARD_INQUIRY_H

#include "common/http.h"
#include "node/dashboard/panel.h"

enum inquiry_form {
	INQUIRY_JSON,
	INQUIRY_PAGE,
	INQUIRY_PART, /* what is inside the page, to be renewed */
};

struct inquiry_how {
	struct desk *desk;
	struct pool *pool;
	struct loop *loop;
	json_t *live; /* taken over */
	const struct panel *panel;
	enum inquiry_form form;
	const char *form_token; /* copied; "": the visitor only looks */
};

/* Answer the request by the panel, later. */
void inquiry_begin(struct http_request *request, const struct inquiry_how *how);

#endif
