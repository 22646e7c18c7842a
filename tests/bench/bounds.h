/* What this machine could do at best: the formula that transfers are held against, loopback and disk. */
#ifndef GRANARY_TESTS_BENCH_BOUNDS_H
#define GRANARY_TESTS_BENCH_BOUNDS_H

/* Seconds per byte that one core spends on each. */
struct bound {
	double aead, hash, crc;
};

/* Measure now, keeping what is better than before in *bound (zeros at first): what else the machine does must not
 * pass for its limit. */
void bound_measure(struct bound *bound);
/* Bytes per second that one core can take through all three: 1 ÷ the sum. Prints the formula. */
double bound_transfer(const struct bound *bound);
/* Print what plain TCP over loopback and plain writes with a sync under `dir` reach, for comparison. */
void bounds_show_machine(const char *dir);

#endif
