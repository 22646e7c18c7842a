/* What is around every page: head, navigation, foot. */
#ifndef GRANARY_NODE_DASHBOARD_FRAME_H
#define GRANARY_NODE_DASHBOARD_FRAME_H

#include <stdio.h>

#include "common/http.h"

struct frame {
	const char *title;
	int status;
	const char *panel;	/* the one shown; NULL: a page without navigation */
	const char *form_token; /* for the forms of this session; "" or NULL: none, who only looks */
	/* filled in by frame_begin */
	FILE *to;
	char *text;
	size_t len;
};

/* Begin a page; what comes inside is written to the result. */
FILE *frame_begin(struct frame *frame);
/* End it and answer; frees what the frame holds. */
void frame_answer(struct frame *frame, struct http_request *request);
/* End it and hand over the text, which the caller frees. */
char *frame_end(struct frame *frame);

#endif
