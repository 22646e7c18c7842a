/* The kernel's calls for a store, with its preads counted: how often a get or a proof goes to the disk. */
#ifndef GRANARY_TESTS_BENCH_PREADS_H
#define GRANARY_TESTS_BENCH_PREADS_H

#include "node/store/seam.h"

struct seam preads_seam(void);
/* By all such seams and all threads. */
unsigned long preads_so_far(void);

#endif
