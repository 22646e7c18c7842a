/* Reporting and timing for benchmarks. */
#include "tests/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

static double share_of(double value, double bound, enum bench_share share)
{
	if (share == BENCH_MORE_IS_BETTER)
		return value / bound;
	return bound / value;
}

static void append_json(const char *name, double value, const char *unit, double bound, enum bench_share share)
{
	const char *path = getenv("GRANARY_BENCH");
	FILE *to = path == NULL ? NULL : fopen(path, "ae");

	if (path != NULL && to == NULL)
		abort();
	if (to == NULL)
		return;
	fprintf(to, "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", name, value, unit);
	if (share != BENCH_NO_SHARE)
		fprintf(to, ", \"bound\": %.6g, \"share\": %.4f", bound, share_of(value, bound, share));
	fputs("}\n", to);
	if (fclose(to) != 0)
		abort();
}

void bench_result(const char *name, double value, const char *unit, double bound, enum bench_share share)
{
	printf("%-24s %14.6g %s", name, value, unit);
	if (share != BENCH_NO_SHARE)
		printf("   %.1f %% of the bound %.6g", 100 * share_of(value, bound, share), bound);
	putchar('\n');
	fflush(stdout);
	append_json(name, value, unit, bound, share);
}

void bench_say(const char *format, ...)
{
	va_list args;

	fputs("  ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void bench_die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

double bench_now(void)
{
	return (double)clock_monotonic() / 1e9;
}

double bench_rate(double seconds, void (*once)(void *arg), void *arg)
{
	double start = bench_now(), now;
	unsigned long calls = 0, batch = 1;

	/* Batches that double until they take a while, so that reading the clock costs nothing. */
	do {
		for (unsigned long i = 0; i < batch; i++)
			once(arg);
		calls += batch;
		now = bench_now();
		if (now - start < seconds / 16)
			batch *= 2;
	} while (now - start < seconds);
	return (double)calls / (now - start);
}
