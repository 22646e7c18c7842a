/*
 * Bugs planted on purpose, to see that the tests of reliability find them (tests/store/mutations).
 *
 * In the store as it is installed planted() is the constant false, and the compiler drops what hangs on it. A build of
 * the library with GRANARY_PLANTED asks the environment: GRANARY_PLANT=SKIP_SYNC plants that one bug.
 */
#ifndef GRANARY_NODE_STORE_PLANTED_H
#define GRANARY_NODE_STORE_PLANTED_H

#include <stdbool.h>

#ifdef GRANARY_PLANTED
bool planted_bug(const char *name);
#define planted(name) planted_bug(#name)
#else
#define planted(name) false
#endif

#endif
