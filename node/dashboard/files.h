/*
 * The page's own files: style sheet, script, and the chart library, inside the program (node/dashboard/embed).
 *
 * With a directory (--web-dir), files of the same names there take their place, for those who change the page; they are
 * read anew each time.
 */
#ifndef GRANARY_NODE_DASHBOARD_FILES_H
#define GRANARY_NODE_DASHBOARD_FILES_H

#include "common/http.h"

struct web_file {
	const char *name; /* "page.css" */
	struct http_file file;
};

extern const struct web_file web_files[];
extern const size_t web_file_count;

/* Answer with the file of that name; `dir` may be NULL. 404 when there is none. */
void files_answer(struct http_request *request, const char *name, const char *dir);

#endif
