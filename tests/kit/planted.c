/* Which bug is planted: the environment says. */
#include <stdlib.h>
#include <string.h>

#include "node/store/planted.h"

bool planted_bug(const char *name)
{
	const char *plant = getenv("GRANARY_PLANT");

	return plant != NULL && strcmp(plant, name) == 0;
}
