/* The table of verbs: which message a worker answers, for whom, and how. */
#ifndef GRANARY_SATELLITE_VERBS_H
#define GRANARY_SATELLITE_VERBS_H

#include "satellite/desk.h"

enum verb_who {
	VERB_ANYONE,
	VERB_CLIENT, /* enrolled */
	VERB_NODE,   /* registered */
};

struct verb {
	uint16_t type;
	enum verb_who who;
	enum err (*run)(struct work *work);
};

/* NULL when no worker answers this type. */
const struct verb *verbs_find(uint16_t type);

/* Ask whether the caller may, then run; the reply holds the answers, or the one ERROR. */
void verbs_run(const struct verb *verb, struct work *work);

/* Turn what work came to into the reply: nothing when err is ERR_OK, else an ERROR; our own failures are logged. */
void verbs_conclude(struct work *work, enum err err);

#endif
