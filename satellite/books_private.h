/* The two halves of the check of the books: sums by hour (books_sums.c), and months (books_check.c). */
#ifndef GRANARY_SATELLITE_BOOKS_PRIVATE_H
#define GRANARY_SATELLITE_BOOKS_PRIVATE_H

#include "satellite/books_check.h"

struct books {
	struct desk *desk;
	struct database *db;
	books_complain *complain;
	void *arg;
	struct address *nodes; /* ascending */
	size_t node_count, node_room;
	struct books_checked checked;
};

/* Something is wrong with a node's books, or (NULL) with all. */
void books_say(struct books *books, const struct address *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sums by hour against what they are sums of. */
enum err books_check_sums(struct books *books) WARN_UNUSED;

#endif
