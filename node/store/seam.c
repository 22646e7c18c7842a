/* The kernel's calls behind the seam, and whole operations on top of any seam. */
#include "node/store/seam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "node/store/planted.h"

#define PAGE 4096u /* the kernel's are a multiple, or this */

static int result_of(int result)
{
	return result < 0 ? -errno : result;
}

static int system_open(const struct seam *self, const char *path, int flags, mode_t mode)
{
	(void)self;
	return result_of(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

static int system_close(const struct seam *self, int fd)
{
	(void)self;
	return result_of(close(fd));
}

static ssize_t system_pread(const struct seam *self, int fd, void *out, size_t len, uint64_t offset)
{
	ssize_t count = pread(fd, out, len, (off_t)offset);

	(void)self;
	return count < 0 ? -errno : count;
}

static ssize_t system_pwrite(const struct seam *self, int fd, const void *data, size_t len, uint64_t offset)
{
	ssize_t count = pwrite(fd, data, len, (off_t)offset);

	(void)self;
	return count < 0 ? -errno : count;
}

static ssize_t system_pwritev(const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t offset)
{
	ssize_t written = pwritev(fd, parts, count, (off_t)offset);

	(void)self;
	return written < 0 ? -errno : written;
}

static int system_truncate(const struct seam *self, int fd, uint64_t size)
{
	(void)self;
	return result_of(ftruncate(fd, (off_t)size));
}

static int system_sync(const struct seam *self, int fd)
{
	(void)self;
	return result_of(fdatasync(fd));
}

static int system_allocate(const struct seam *self, int fd, uint64_t offset, uint64_t len)
{
	(void)self;
	return result_of(fallocate(fd, 0, (off_t)offset, (off_t)len));
}

static int system_advise(const struct seam *self, int fd, uint64_t offset, uint64_t len, int advice)
{
	(void)self;
	return -posix_fadvise(fd, (off_t)offset, (off_t)len, advice);
}

static void *system_map(const struct seam *self, int fd, uint64_t offset, size_t len, bool writable)
{
	void *at = mmap(NULL, len, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, (off_t)offset);

	(void)self;
	return at == MAP_FAILED ? NULL : at;
}

static int system_map_sync(const struct seam *self, void *at, size_t len)
{
	(void)self;
	return result_of(msync(at, len, MS_SYNC));
}

static int system_unmap(const struct seam *self, void *at, size_t len)
{
	(void)self;
	return result_of(munmap(at, len));
}

static int system_lock(const struct seam *self, int fd)
{
	(void)self;
	return result_of(flock(fd, LOCK_EX | LOCK_NB));
}

static int system_list(const struct seam *self, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int number;

	(void)self;
	if (dir == NULL)
		return -errno;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(arg, entry->d_name);
	}
	number = errno;
	closedir(dir);
	return -number;
}

static int system_stat(const struct seam *self, const char *path, struct seam_stat *ret)
{
	struct stat st;

	(void)self;
	if (stat(path, &st) != 0)
		return -errno;
	*ret = (struct seam_stat){(uint64_t)st.st_size, (uint64_t)st.st_blocks * 512, st.st_dev, S_ISDIR(st.st_mode)};
	return 0;
}

static int system_mkdir(const struct seam *self, const char *path, mode_t mode)
{
	(void)self;
	return result_of(mkdir(path, mode));
}

static int system_rename(const struct seam *self, const char *from, const char *to)
{
	(void)self;
	return result_of(rename(from, to));
}

static int system_unlink(const struct seam *self, const char *path)
{
	(void)self;
	return result_of(unlink(path));
}

static int system_sync_dir(const struct seam *self, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY);
	int result;

	(void)self;
	if (fd < 0)
		return -errno;
	result = result_of(fsync(fd));
	close(fd);
	return result;
}

static int system_space(const struct seam *self, const char *path, struct seam_space *ret)
{
	struct statvfs st;

	(void)self;
	if (statvfs(path, &st) != 0)
		return -errno;
	*ret = (struct seam_space){st.f_blocks * st.f_frsize, st.f_bavail * st.f_frsize};
	return 0;
}

const struct seam seam_system = {
	.open = system_open,
	.close = system_close,
	.pread = system_pread,
	.pwrite = system_pwrite,
	.pwritev = system_pwritev,
	.truncate = system_truncate,
	.sync = system_sync,
	.allocate = system_allocate,
	.advise = system_advise,
	.map = system_map,
	.map_sync = system_map_sync,
	.unmap = system_unmap,
	.lock = system_lock,
	.list = system_list,
	.stat = system_stat,
	.mkdir = system_mkdir,
	.rename = system_rename,
	.unlink = system_unlink,
	.sync_dir = system_sync_dir,
	.space = system_space,
};

static enum err err_of(int result)
{
	return result < 0 ? err_from_errno(-result) : ERR_OK;
}

enum err seam_read_full(const struct seam *seam, int fd, void *out, size_t len, uint64_t offset)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t got = seam->pread(seam, fd, at, len, offset);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return err_of((int)got);
		if (got == 0)
			return ERR_CORRUPT;
		at += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return ERR_OK;
}

enum err seam_write_full(const struct seam *seam, int fd, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t put = seam->pwrite(seam, fd, at, len, offset);

		if (put == -EINTR)
			continue;
		if (put <= 0)
			return put == 0 ? ERR_IO : err_of((int)put);
		if (planted(SHORT_WRITE))
			break;
		at += put;
		offset += (uint64_t)put;
		len -= (size_t)put;
	}
	return ERR_OK;
}

enum err seam_write_parts(const struct seam *seam, int fd, struct iovec *parts, int count, uint64_t offset)
{
	while (count > 0) {
		ssize_t put = seam->pwritev(seam, fd, parts, count, offset);

		if (put == -EINTR)
			continue;
		if (put <= 0)
			return put == 0 ? ERR_IO : err_of((int)put);
		offset += (uint64_t)put;
		while (count > 0 && (size_t)put >= parts->iov_len) {
			put -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (uint8_t *)parts->iov_base + put;
			parts->iov_len -= (size_t)put;
		}
	}
	return ERR_OK;
}

enum err seam_open_file(const struct seam *seam, const char *path, int flags, int *ret_fd)
{
	int fd;

	do
		fd = seam->open(seam, path, flags, 0600);
	while (fd == -EINTR);
	if (fd < 0)
		return err_of(fd);
	*ret_fd = fd;
	return ERR_OK;
}

enum err seam_sync_file(const struct seam *seam, int fd)
{
	int result;

	do
		result = seam->sync(seam, fd);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_sync_directory(const struct seam *seam, const char *path)
{
	int result;

	do
		result = seam->sync_dir(seam, path);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_cut_file(const struct seam *seam, int fd, uint64_t size)
{
	int result;

	do
		result = seam->truncate(seam, fd, size);
	while (result == -EINTR);
	return err_of(result);
}

/* For filesystems without fallocate: takes the blocks by writing them. */
static enum err fill_with_zeros(const struct seam *seam, int fd, uint64_t from, uint64_t to)
{
	static const uint8_t zeros[1 << 16];
	enum err err = ERR_OK;

	for (uint64_t at = from; err == ERR_OK && at < to; at += sizeof(zeros)) {
		size_t len = to - at < sizeof(zeros) ? (size_t)(to - at) : sizeof(zeros);

		err = seam_write_full(seam, fd, zeros, len, at);
	}
	return err;
}

enum err seam_extend_file(const struct seam *seam, int fd, uint64_t from, uint64_t to)
{
	int result;

	do
		result = seam->allocate(seam, fd, from, to - from);
	while (result == -EINTR);
	if (result == -EOPNOTSUPP || result == -ENOSYS)
		return fill_with_zeros(seam, fd, from, to);
	return err_of(result);
}

enum err seam_allocate_file(const struct seam *seam, int fd, uint64_t size)
{
	return seam_extend_file(seam, fd, 0, size);
}

void seam_drop_cache(const struct seam *seam, int fd, uint64_t offset, uint64_t len)
{
	uint64_t from = offset / PAGE * PAGE, until = (offset + len + PAGE - 1) / PAGE * PAGE;

	seam->advise(seam, fd, from, until - from, POSIX_FADV_DONTNEED);
}

enum err seam_unlink_file(const struct seam *seam, const char *path)
{
	int result;

	do
		result = seam->unlink(seam, path);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_rename_file(const struct seam *seam, const char *from, const char *to)
{
	int result;

	do
		result = seam->rename(seam, from, to);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_make_directory(const struct seam *seam, const char *path)
{
	int result;

	do
		result = seam->mkdir(seam, path, 0700);
	while (result == -EINTR);
	return result == -EEXIST ? ERR_OK : err_of(result);
}

enum err seam_lock_file(const struct seam *seam, int fd)
{
	int result;

	do
		result = seam->lock(seam, fd);
	while (result == -EINTR);
	return result == -EWOULDBLOCK ? ERR_BUSY : err_of(result);
}

enum err seam_stat_path(const struct seam *seam, const char *path, struct seam_stat *ret)
{
	int result;

	do
		result = seam->stat(seam, path, ret);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_list_directory(const struct seam *seam, const char *path, void (*each)(void *arg, const char *name),
			     void *arg)
{
	int result;

	do
		result = seam->list(seam, path, each, arg);
	while (result == -EINTR);
	return err_of(result);
}

enum err seam_free_space(const struct seam *seam, const char *path, struct seam_space *ret)
{
	int result;

	do
		result = seam->space(seam, path, ret);
	while (result == -EINTR);
	return err_of(result);
}
