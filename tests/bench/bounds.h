/* What this machine could do at best: the formula that transfers are held against, loopback and disk. */
#ifndef GRANARY_TESTS_BENCH_BOUNDS_H
#define GRANARY_TESTS_BENCH_BOUNDS_H

/* Bytes per second that one core can take through AEAD, tree hash and CRC32C: 1 ÷ the sum of seconds per byte, each
 * measured now. Prints the formula. */
double bound_transfer(void);
/* Print what plain TCP over loopback and plain writes with a sync under `dir` reach, for comparison. */
void bounds_show_machine(const char *dir);

#endif
