/*
 * What a benchmark measured: printed for people, and appended as a line of JSON to the file that GRANARY_BENCH names,
 * from which tests/bench/run makes bench.json.
 */
#ifndef GRANARY_TESTS_BENCH_BENCH_H
#define GRANARY_TESTS_BENCH_BENCH_H

/* How a value compares with its bound. */
enum bench_share {
	BENCH_NO_SHARE,	      /* there is no bound */
	BENCH_MORE_IS_BETTER, /* share = value / bound */
	BENCH_LESS_IS_BETTER, /* share = bound / value */
};

/* Report one number. `bound` is what this machine could do at best, in the same unit. */
void bench_result(const char *name, double value, const char *unit, double bound, enum bench_share share);
/* A line of explanation, such as the formula of a bound. */
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* It cannot be measured: say what is wrong, and end. */
void bench_die(const char *what) __attribute__((noreturn));

/* Seconds, from a clock that never goes back. */
double bench_now(void);
/* Call once(arg) again and again for about `seconds`; returns the calls per second. */
double bench_rate(double seconds, void (*once)(void *arg), void *arg);

#endif
