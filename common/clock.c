/* Time, with an offset that tests can set through a file. */
#include "common/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static atomic_bool offset_allowed;
static atomic_llong offset_seconds;
static atomic_llong offset_mtime;

void clock_allow_offset(void)
{
	atomic_store(&offset_allowed, getenv("GRANARY_CLOCK_FILE") != NULL);
}

static void refresh_offset(const char *path)
{
	struct stat st;
	long long mtime, value;
	FILE *f;

	if (stat(path, &st) != 0)
		return;
	mtime = (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (mtime == atomic_load(&offset_mtime))
		return;
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, "%lld", &value) == 1) {
		atomic_store(&offset_seconds, value);
		atomic_store(&offset_mtime, mtime);
	}
	fclose(f);
}

uint64_t clock_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (atomic_load(&offset_allowed))
		refresh_offset(getenv("GRANARY_CLOCK_FILE"));
	return (uint64_t)(now.tv_sec + atomic_load(&offset_seconds));
}

uint64_t clock_monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

char *clock_format(uint64_t seconds, char *out, size_t room)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(out, room, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, room, "%s", "invalid");
	return out;
}
