/* The file that common/clock reads, in a directory of its own. */
#include "tests/kit/hands.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"

static char dir[] = "/tmp/granary-hands-XXXXXX";
static char path[64], temporary[64];

static void must(int holds)
{
	if (!holds)
		abort();
}

static void clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

static void begin(void)
{
	must(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/clock", dir);
	snprintf(temporary, sizeof(temporary), "%s/clock.new", dir);
	must(atexit(clean_up) == 0);
	must(setenv("GRANARY_CLOCK_FILE", path, 1) == 0);
	clock_allow_offset();
}

void hands_set_ahead(int64_t seconds)
{
	FILE *f;

	if (path[0] == '\0')
		begin();
	f = fopen(temporary, "w");
	must(f != NULL);
	fprintf(f, "%lld\n", (long long)seconds);
	must(fclose(f) == 0 && rename(temporary, path) == 0);
	(void)clock_wall();
}
