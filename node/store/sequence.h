/*
 * Sequence numbers: one for each record that says something, ascending over the store's whole life.
 *
 * Records become durable in another order than they were numbered in. Whoever follows the log by number must not step
 * past one that is still on its way, so the numbers in use are kept, and the horizon is the last number below all of
 * them. A number whose record failed stays in use for good: it may turn up at the next start.
 */
#ifndef GRANARY_NODE_STORE_SEQUENCE_H
#define GRANARY_NODE_STORE_SEQUENCE_H

#include <pthread.h>
#include <stdint.h>

struct sequence_ticket {
	struct sequence_ticket *next;
	struct sequence_ticket *previous;
	uint64_t number;
};

struct sequence {
	pthread_mutex_t lock;
	uint64_t next;
	struct sequence_ticket *oldest; /* in ascending order */
	struct sequence_ticket *newest;
	uint64_t stuck; /* the lowest number that failed, or UINT64_MAX */
};

void sequence_init(struct sequence *sequence, uint64_t next);
/* At start, while nothing is taken. */
void sequence_set_next(struct sequence *sequence, uint64_t next);
void sequence_destroy(struct sequence *sequence);
/* Take the next number. */
uint64_t sequence_take(struct sequence *sequence, struct sequence_ticket *ticket);
/* Its record is durable, or was never written. */
void sequence_done(struct sequence *sequence, struct sequence_ticket *ticket);
/* Nobody knows what became of its record. */
void sequence_lost(struct sequence *sequence, struct sequence_ticket *ticket);
/* All records up to this number are settled. */
uint64_t sequence_horizon(struct sequence *sequence);
/* The number that comes next. */
uint64_t sequence_next(struct sequence *sequence);

#endif
