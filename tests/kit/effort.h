/*
 * How much a test does. The long forms run with GRANARY_SOAK=1 for a night, the short ones with every check, and brief
 * ones with GRANARY_BRIEF=1 where each step costs many times as much. What is drawn at random comes from a seed that
 * is printed; GRANARY_SEED=… draws the same again.
 */
#ifndef GRANARY_TESTS_KIT_EFFORT_H
#define GRANARY_TESTS_KIT_EFFORT_H

#include <stdint.h>

/* A tenth of `usual` in the brief form, at least 1. */
uint64_t effort(uint64_t usual, uint64_t soak);
/* The seed of this run, printed as a comment of TAP when first asked for. `usual`: in the short forms; a soak draws a
 * new one. */
uint64_t effort_seed(const char *test, uint64_t usual);

#endif
