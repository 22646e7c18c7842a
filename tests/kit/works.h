/*
 * A satellite's desk and one real node in the same process, for tests of what the one has the other do: policy 1/1/1/1,
 * so that each object that is stored is one piece on the node.
 */
#ifndef GRANARY_TESTS_KIT_WORKS_H
#define GRANARY_TESTS_KIT_WORKS_H

#include "satellite/patrol.h"
#include "tests/kit/farm.h"
#include "tests/kit/office.h"

#define WORKS_PLAIN 100000 /* bytes of each object */

struct works {
	struct farm farm;
	struct office office;
	struct round round;
	uint64_t piece_size;
};

/* With the bucket "films". Fails the test when anything does, as all here. */
struct works *works_new(void);
void works_free(struct works *works);

/* The path of object `number`, 0 to 25; valid until the next call. */
struct bytes works_path(int number);
/* Store object `number`. `begun_only`: its piece is on the node, and the segment is not committed. */
void works_store(struct works *works, int number, bool begun_only);
/* Remove it, and take it apart; nobody is told yet. */
void works_remove(struct works *works, int number);
/* The clocks of both are so many seconds ahead from now on, and the node has just checked in. */
void works_set_ahead(struct works *works, int64_t seconds);
/* What the node's store holds. */
struct store_space works_space(const struct works *works);

#endif
