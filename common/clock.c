/* Time, with an offset that tests can set through a file. */
#include "common/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static const char *_Atomic offset_path; /* NULL: no offset */
static atomic_llong offset_seconds;
static atomic_llong offset_version; /* of the file that offset_seconds was read from */

void clock_allow_offset(void)
{
	atomic_store(&offset_path, getenv("GRANARY_CLOCK_FILE"));
}

static void refresh_offset(const char *path)
{
	struct stat st;
	long long version, value;
	FILE *f;

	if (stat(path, &st) != 0)
		return;
	/* The kernel's time stamps are some milliseconds coarse; a file put in place of another has another inode. */
	version = ((long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec) ^
		  (long long)((uint64_t)st.st_ino << 20);
	if (version == atomic_load(&offset_version))
		return;
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, "%lld", &value) == 1) {
		atomic_store(&offset_seconds, value);
		atomic_store(&offset_version, version);
	}
	fclose(f);
}

uint64_t clock_wall(void)
{
	const char *path = atomic_load(&offset_path);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (path != NULL)
		refresh_offset(path);
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
