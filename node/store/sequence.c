/* Numbers in use, as a list in ascending order. */
#include "node/store/sequence.h"

#include <stddef.h>

void sequence_init(struct sequence *sequence, uint64_t next)
{
	pthread_mutex_init(&sequence->lock, NULL);
	sequence->next = next;
	sequence->oldest = NULL;
	sequence->newest = NULL;
	sequence->stuck = UINT64_MAX;
}

void sequence_destroy(struct sequence *sequence)
{
	pthread_mutex_destroy(&sequence->lock);
}

void sequence_set_next(struct sequence *sequence, uint64_t next)
{
	pthread_mutex_lock(&sequence->lock);
	sequence->next = next;
	pthread_mutex_unlock(&sequence->lock);
}

uint64_t sequence_take(struct sequence *sequence, struct sequence_ticket *ticket)
{
	pthread_mutex_lock(&sequence->lock);
	ticket->number = sequence->next++;
	ticket->next = NULL;
	ticket->previous = sequence->newest;
	if (sequence->newest != NULL)
		sequence->newest->next = ticket;
	else
		sequence->oldest = ticket;
	sequence->newest = ticket;
	pthread_mutex_unlock(&sequence->lock);
	return ticket->number;
}

static void unlink_ticket(struct sequence *sequence, struct sequence_ticket *ticket)
{
	if (ticket->previous != NULL)
		ticket->previous->next = ticket->next;
	else
		sequence->oldest = ticket->next;
	if (ticket->next != NULL)
		ticket->next->previous = ticket->previous;
	else
		sequence->newest = ticket->previous;
}

void sequence_done(struct sequence *sequence, struct sequence_ticket *ticket)
{
	pthread_mutex_lock(&sequence->lock);
	unlink_ticket(sequence, ticket);
	pthread_mutex_unlock(&sequence->lock);
}

void sequence_lost(struct sequence *sequence, struct sequence_ticket *ticket)
{
	pthread_mutex_lock(&sequence->lock);
	unlink_ticket(sequence, ticket);
	if (ticket->number < sequence->stuck)
		sequence->stuck = ticket->number;
	pthread_mutex_unlock(&sequence->lock);
}

uint64_t sequence_horizon(struct sequence *sequence)
{
	uint64_t first;

	pthread_mutex_lock(&sequence->lock);
	first = sequence->oldest != NULL ? sequence->oldest->number : sequence->next;
	if (sequence->stuck < first)
		first = sequence->stuck;
	pthread_mutex_unlock(&sequence->lock);
	return first - 1;
}

uint64_t sequence_next(struct sequence *sequence)
{
	uint64_t next;

	pthread_mutex_lock(&sequence->lock);
	next = sequence->next;
	pthread_mutex_unlock(&sequence->lock);
	return next;
}
