/*
 * The doctor: looks at everything that can be wrong with a node, whether it runs or not.
 *
 * Half of it is what the running node says of itself (node/condition.h), half is looked at here: the key, the disk and
 * its speed, the databases. Each check says what it found in one line, or adds to the findings.
 */
#ifndef GRANARY_NODE_DOCTOR_H
#define GRANARY_NODE_DOCTOR_H

#include "common/options.h"
#include "node/findings.h"

#define DOCTOR_LINE 256

/* One check that found nothing wrong. */
struct doctor_line {
	const char *check; /* "disk" */
	char text[DOCTOR_LINE];
};
#define DOCTOR_LINES 16

struct doctor_report {
	struct findings *findings;
	struct doctor_line lines[DOCTOR_LINES];
	size_t line_count;
	json_t *status; /* of the running node, NULL when none runs */
};

/* Look at all of it; doctor_free. */
void doctor_look(const struct options *options, struct doctor_report *ret);
void doctor_free(struct doctor_report *report);
/* Lines, then findings with their remedies. */
void doctor_print(const struct doctor_report *report);

#endif
