/* Count, perhaps die, pass on. */
#include "tests/kit/deadly.h"

#include <signal.h>
#include <unistd.h>

static const struct seam *next_call(const struct seam *self)
{
	struct deadly *deadly = (struct deadly *)(uintptr_t)self;

	if (atomic_fetch_add(&deadly->calls, 1) == deadly->dies_at) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	return &seam_system;
}

static int deadly_open(const struct seam *self, const char *path, int flags, mode_t mode)
{
	const struct seam *next = next_call(self);

	return next->open(next, path, flags, mode);
}

static int deadly_close(const struct seam *self, int fd)
{
	const struct seam *next = next_call(self);

	return next->close(next, fd);
}

static ssize_t deadly_pread(const struct seam *self, int fd, void *out, size_t len, uint64_t offset)
{
	const struct seam *next = next_call(self);

	return next->pread(next, fd, out, len, offset);
}

static ssize_t deadly_pwrite(const struct seam *self, int fd, const void *data, size_t len, uint64_t offset)
{
	const struct seam *next = next_call(self);

	return next->pwrite(next, fd, data, len, offset);
}

static ssize_t deadly_pwritev(const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t offset)
{
	const struct seam *next = next_call(self);

	return next->pwritev(next, fd, parts, count, offset);
}

static int deadly_truncate(const struct seam *self, int fd, uint64_t size)
{
	const struct seam *next = next_call(self);

	return next->truncate(next, fd, size);
}

static int deadly_sync(const struct seam *self, int fd)
{
	const struct seam *next = next_call(self);

	return next->sync(next, fd);
}

static int deadly_allocate(const struct seam *self, int fd, uint64_t offset, uint64_t len)
{
	const struct seam *next = next_call(self);

	return next->allocate(next, fd, offset, len);
}

static int deadly_advise(const struct seam *self, int fd, uint64_t offset, uint64_t len, int advice)
{
	const struct seam *next = next_call(self);

	return next->advise(next, fd, offset, len, advice);
}

static void *deadly_map(const struct seam *self, int fd, uint64_t offset, size_t len, bool writable)
{
	const struct seam *next = next_call(self);

	return next->map(next, fd, offset, len, writable);
}

static int deadly_map_sync(const struct seam *self, void *at, size_t len)
{
	const struct seam *next = next_call(self);

	return next->map_sync(next, at, len);
}

static int deadly_unmap(const struct seam *self, void *at, size_t len)
{
	const struct seam *next = next_call(self);

	return next->unmap(next, at, len);
}

static int deadly_lock(const struct seam *self, int fd)
{
	const struct seam *next = next_call(self);

	return next->lock(next, fd);
}

static int deadly_list(const struct seam *self, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
	const struct seam *next = next_call(self);

	return next->list(next, path, each, arg);
}

static int deadly_stat(const struct seam *self, const char *path, struct seam_stat *ret)
{
	const struct seam *next = next_call(self);

	return next->stat(next, path, ret);
}

static int deadly_mkdir(const struct seam *self, const char *path, mode_t mode)
{
	const struct seam *next = next_call(self);

	return next->mkdir(next, path, mode);
}

static int deadly_rename(const struct seam *self, const char *from, const char *to)
{
	const struct seam *next = next_call(self);

	return next->rename(next, from, to);
}

static int deadly_unlink(const struct seam *self, const char *path)
{
	const struct seam *next = next_call(self);

	return next->unlink(next, path);
}

static int deadly_sync_dir(const struct seam *self, const char *path)
{
	const struct seam *next = next_call(self);

	return next->sync_dir(next, path);
}

static int deadly_space(const struct seam *self, const char *path, struct seam_space *ret)
{
	const struct seam *next = next_call(self);

	return next->space(next, path, ret);
}

static const struct seam deadly_table = {
	.open = deadly_open,
	.close = deadly_close,
	.pread = deadly_pread,
	.pwrite = deadly_pwrite,
	.pwritev = deadly_pwritev,
	.truncate = deadly_truncate,
	.sync = deadly_sync,
	.allocate = deadly_allocate,
	.advise = deadly_advise,
	.map = deadly_map,
	.map_sync = deadly_map_sync,
	.unmap = deadly_unmap,
	.lock = deadly_lock,
	.list = deadly_list,
	.stat = deadly_stat,
	.mkdir = deadly_mkdir,
	.rename = deadly_rename,
	.unlink = deadly_unlink,
	.sync_dir = deadly_sync_dir,
	.space = deadly_space,
};

void deadly_init(struct deadly *deadly, uint64_t dies_at)
{
	deadly->seam = deadly_table;
	atomic_init(&deadly->calls, 0);
	deadly->dies_at = dies_at;
}
