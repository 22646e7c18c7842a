/* One layout for all. */
#include "node/dashboard/frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/visit.h"

static void put_navigation(const struct frame *frame)
{
	fputs("<header><nav aria-label=\"Panels\">", frame->to);
	for (size_t i = 0; i < panel_count; i++) {
		bool here = strcmp(panels[i]->name, frame->panel) == 0;

		html_put(frame->to, here ? "<a href=\"$\" aria-current=\"page\">$</a>" : "<a href=\"$\">$</a>",
			 panels[i]->path, panels[i]->title);
	}
	fputs("</nav><div class=\"tools\"><button type=\"button\" id=\"theme\" hidden>Theme</button>", frame->to);
	if (frame->form_token != NULL && frame->form_token[0] != '\0')
		html_put(frame->to,
			 "<form method=\"post\" action=\"/logout\"><input type=\"hidden\" name=\"form\" value=\"$\">"
			 "<button>Log out</button></form>",
			 frame->form_token);
	fputs("</div></header>", frame->to);
}

FILE *frame_begin(struct frame *frame)
{
	frame->to = open_memstream(&frame->text, &frame->len);
	if (frame->to == NULL)
		abort();
	html_put(frame->to,
		 "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
		 "<meta name=\"color-scheme\" content=\"light dark\"><title>$ – Granary node</title>"
		 "<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/dygraph.css\">"
		 "<link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/theme.js\"></script>",
		 frame->title);
	if (frame->panel != NULL)
		fputs("<script src=\"/dygraph.js\" defer></script><script src=\"/page.js\" defer></script>", frame->to);
	fprintf(frame->to, "</head><body data-now=\"%" PRIu64 "\">", clock_wall());
	if (frame->panel != NULL)
		put_navigation(frame);
	fputs("<main>", frame->to);
	return frame->to;
}

char *frame_end(struct frame *frame)
{
	char *text;

	fputs("</main><footer>Granary node " GRANARY_VERSION
	      ". Days and months are those of UTC.</footer></body></html>\n",
	      frame->to);
	if (fclose(frame->to) != 0)
		abort();
	text = frame->text;
	frame->text = NULL;
	return text;
}

void frame_answer(struct frame *frame, struct http_request *request)
{
	char *text = frame_end(frame);

	visit_add_headers(request);
	http_answer_text(request, frame->status, "text/html; charset=utf-8", text);
	free(text);
}
