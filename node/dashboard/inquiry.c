/* Loop: what is asked, and the status. Thread: facts, and their rendering. Loop: the answer. */
#include "node/dashboard/inquiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/dashboard/frame.h"
#include "node/dashboard/login.h"
#include "node/dashboard/visit.h"

struct inquiry {
	struct inquiry_how how;
	struct http_request *request;
	struct panel_query query;
	char form_token[LOGIN_TOKEN_TEXT];
	json_t *facts; /* NULL: they cannot be had */
	char *text;    /* of a page or part */
};

static void render(struct inquiry *inquiry, FILE *to)
{
	const struct panel *panel = inquiry->how.panel;

	if (inquiry->facts == NULL)
		fputs("<p class=\"bad\">The books cannot be read; the node's log has the reason.</p>", to);
	else
		panel->render(to, inquiry->facts, &inquiry->query);
}

static char *render_page(struct inquiry *inquiry)
{
	const struct panel *panel = inquiry->how.panel;
	struct frame frame = {.title = panel->title, .panel = panel->name, .form_token = inquiry->form_token};
	FILE *to = frame_begin(&frame);

	fputs("<div id=\"live\">", to);
	render(inquiry, to);
	fputs("</div>", to);
	if (panel->charts != NULL && inquiry->facts != NULL)
		panel->charts(to, inquiry->facts);
	return frame_end(&frame);
}

static char *render_part(struct inquiry *inquiry)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		abort();
	render(inquiry, to);
	if (fclose(to) != 0)
		abort();
	return text;
}

static void work(void *arg)
{
	struct inquiry *inquiry = arg;

	desk_record(inquiry->how.desk, inquiry->how.live);
	inquiry->facts = inquiry->how.panel->facts(inquiry->how.desk, &inquiry->query);
	if (inquiry->how.form == INQUIRY_PAGE)
		inquiry->text = render_page(inquiry);
	else if (inquiry->how.form == INQUIRY_PART)
		inquiry->text = render_part(inquiry);
}

static void done(void *arg)
{
	struct inquiry *inquiry = arg;

	if (inquiry->text != NULL) {
		visit_add_headers(inquiry->request);
		http_answer_text(inquiry->request, 200, "text/html; charset=utf-8", inquiry->text);
	} else if (inquiry->facts != NULL) {
		http_answer_json(inquiry->request, 200, json_incref(inquiry->facts));
	} else {
		http_answer_error(inquiry->request, 500, "the books cannot be read; the log has the reason");
	}
	json_decref(inquiry->facts);
	json_decref(inquiry->how.live);
	free(inquiry->text);
	free(inquiry);
}

static void copy_word(struct http_request *request, const char *name, char out[PANEL_WORD])
{
	const char *text = http_parameter(request, name);

	snprintf(out, PANEL_WORD, "%s", text != NULL ? text : "");
}

void inquiry_begin(struct http_request *request, const struct inquiry_how *how)
{
	struct inquiry *inquiry = memory_new(1, sizeof(*inquiry));

	inquiry->how = *how;
	inquiry->request = request;
	snprintf(inquiry->form_token, sizeof(inquiry->form_token), "%s", how->form_token);
	inquiry->query.now = clock_wall();
	inquiry->query.live = how->live;
	inquiry->query.form_token = inquiry->form_token;
	copy_word(request, "period", inquiry->query.period);
	copy_word(request, "by", inquiry->query.by);
	copy_word(request, "satellite", inquiry->query.satellite);
	pool_submit(how->pool, work, how->loop, done, inquiry);
}
