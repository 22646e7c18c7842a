/* One counter for all. */
#include "tests/bench/preads.h"

#include <stdatomic.h>

static atomic_ulong preads;

static ssize_t counted_pread(const struct seam *self, int fd, void *out, size_t len, uint64_t offset)
{
	atomic_fetch_add(&preads, 1);
	return seam_system.pread(self, fd, out, len, offset);
}

struct seam preads_seam(void)
{
	struct seam seam = seam_system;

	seam.pread = counted_pread;
	return seam;
}

unsigned long preads_so_far(void)
{
	return atomic_load(&preads);
}
