/* What the environment asks for. */
#include "tests/kit/effort.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/random.h"

uint64_t effort(uint64_t usual, uint64_t soak)
{
	if (getenv("GRANARY_SOAK") != NULL)
		return soak;
	if (getenv("GRANARY_BRIEF") != NULL)
		return usual / 10 > 0 ? usual / 10 : 1;
	return usual;
}

uint64_t effort_seed(const char *test, uint64_t usual)
{
	const char *given = getenv("GRANARY_SEED");
	uint64_t seed = usual;

	if (given != NULL)
		seed = strtoull(given, NULL, 0);
	else if (getenv("GRANARY_SOAK") != NULL)
		random_bytes(&seed, sizeof(seed));
	printf("# %s: GRANARY_SEED=%llu\n", test, (unsigned long long)seed);
	return seed;
}
