/*
 * What became of transfers since somebody last looked, by satellite and action: how many were done, lost to a faster
 * node, or failed; the bytes; and how long they took.
 *
 * Sessions note from any thread; the dashboard's history takes it all away. A client that has enough pieces lets go of
 * the rest: such a lost race is no error, and is counted apart.
 */
#ifndef GRANARY_NODE_METER_H
#define GRANARY_NODE_METER_H

#include "common/key.h"
#include "payments/typed.h"

struct meter;

enum meter_outcome {
	METER_DONE,
	METER_LOST,   /* the client let go, or hung up */
	METER_FAILED, /* this node refused, after it had begun */
	METER_OUTCOMES,
};

/* Durations are counted by size: two classes to each doubling, the first up to 64 microseconds. */
#define METER_CLASSES 48
unsigned meter_class(uint64_t ns);
/* The longest duration of a class, nanoseconds. */
uint64_t meter_class_end(unsigned class);
/* The duration within which so many thousandths of the counted ones were; 0 when there are none. */
uint64_t meter_quantile(const uint64_t counts[METER_CLASSES], unsigned thousandths);

struct meter_row {
	struct address satellite;
	enum action action;
	uint64_t outcomes[METER_OUTCOMES];
	uint64_t bytes;			   /* of all of them */
	uint64_t durations[METER_CLASSES]; /* of those done */
};

struct meter *meter_new(void);
void meter_free(struct meter *meter);

/* One transfer is over: its satellite, action, outcome, bytes and duration. */
struct meter_note {
	struct address satellite;
	enum action action;
	enum meter_outcome outcome;
	uint64_t bytes;
	uint64_t ns;
};
void meter_add(struct meter *meter, const struct meter_note *note);
/* Take the next row away; false when nothing is left. */
bool meter_take(struct meter *meter, struct meter_row *ret);

#endif
