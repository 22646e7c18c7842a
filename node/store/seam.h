/*
 * Every system call of the store goes through this table.
 *
 * So tests can record each operation, fail any of them, and build the disk images that a power cut could leave
 * (tests/kit/fault.h). Each function returns 0 or a count, or -errno; none retries: EINTR and short counts reach
 * the caller as the kernel gives them. `self` is the table, so an implementation can carry its state behind it.
 */
#ifndef GRANARY_NODE_STORE_SEAM_H
#define GRANARY_NODE_STORE_SEAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/error.h"

struct seam_stat {
	uint64_t size;	 /* bytes of the file */
	uint64_t blocks; /* bytes that the filesystem gives it */
	uint64_t device;
	bool directory;
};

struct seam_space {
	uint64_t total; /* bytes of the filesystem */
	uint64_t free;	/* bytes that we may still take */
};

struct seam {
	int (*open)(const struct seam *self, const char *path, int flags, mode_t mode);
	int (*close)(const struct seam *self, int fd);
	ssize_t (*pread)(const struct seam *self, int fd, void *out, size_t len, uint64_t offset);
	ssize_t (*pwrite)(const struct seam *self, int fd, const void *data, size_t len, uint64_t offset);
	ssize_t (*pwritev)(const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t offset);
	int (*truncate)(const struct seam *self, int fd, uint64_t size);
	int (*sync)(const struct seam *self, int fd); /* fdatasync */
	int (*allocate)(const struct seam *self, int fd, uint64_t offset, uint64_t len);
	int (*advise)(const struct seam *self, int fd, uint64_t offset, uint64_t len, int advice);
	/* NULL and errno on failure. */
	void *(*map)(const struct seam *self, int fd, uint64_t offset, size_t len, bool writable);
	int (*map_sync)(const struct seam *self, void *at, size_t len);
	int (*unmap)(const struct seam *self, void *at, size_t len);
	int (*lock)(const struct seam *self, int fd); /* exclusive, -EWOULDBLOCK when taken */
	int (*list)(const struct seam *self, const char *path, void (*each)(void *arg, const char *name), void *arg);
	int (*stat)(const struct seam *self, const char *path, struct seam_stat *ret);
	int (*mkdir)(const struct seam *self, const char *path, mode_t mode);
	int (*rename)(const struct seam *self, const char *from, const char *to);
	int (*unlink)(const struct seam *self, const char *path);
	int (*sync_dir)(const struct seam *self, const char *path);
	int (*space)(const struct seam *self, const char *path, struct seam_space *ret);
};

/* The kernel's own calls. */
extern const struct seam seam_system;

/* Whole operations through short counts and EINTR; the error is by errno (err_from_errno). Reading past the end of
 * the file is ERR_CORRUPT. seam_write_parts uses up `parts`. */
enum err seam_read_full(const struct seam *seam, int fd, void *out, size_t len, uint64_t offset) WARN_UNUSED;
enum err seam_write_full(const struct seam *seam, int fd, const void *data, size_t len, uint64_t offset) WARN_UNUSED;
enum err seam_write_parts(const struct seam *seam, int fd, struct iovec *parts, int count, uint64_t offset) WARN_UNUSED;
enum err seam_open_file(const struct seam *seam, const char *path, int flags, int *ret_fd) WARN_UNUSED;
enum err seam_sync_file(const struct seam *seam, int fd) WARN_UNUSED;
enum err seam_sync_directory(const struct seam *seam, const char *path) WARN_UNUSED;
enum err seam_cut_file(const struct seam *seam, int fd, uint64_t size) WARN_UNUSED;
/* Preallocate [from, to), writing zeros where the filesystem cannot; the file is `to` bytes long then. */
enum err seam_extend_file(const struct seam *seam, int fd, uint64_t from, uint64_t to) WARN_UNUSED;
/* … all of [0, size). */
enum err seam_allocate_file(const struct seam *seam, int fd, uint64_t size) WARN_UNUSED;
/* Let the next read of these bytes come from the disk. Whole pages go: of a part of one the kernel drops nothing. */
void seam_drop_cache(const struct seam *seam, int fd, uint64_t offset, uint64_t len);
enum err seam_unlink_file(const struct seam *seam, const char *path) WARN_UNUSED;
enum err seam_rename_file(const struct seam *seam, const char *from, const char *to) WARN_UNUSED;
enum err seam_lock_file(const struct seam *seam, int fd) WARN_UNUSED; /* ERR_BUSY when somebody holds it */
enum err seam_stat_path(const struct seam *seam, const char *path, struct seam_stat *ret) WARN_UNUSED;
/* After an interruption the list is begun again: `each` may be told a name twice. */
enum err seam_list_directory(const struct seam *seam, const char *path, void (*each)(void *arg, const char *name),
			     void *arg) WARN_UNUSED;
enum err seam_free_space(const struct seam *seam, const char *path, struct seam_space *ret) WARN_UNUSED;
/* Fine when it is there. */
enum err seam_make_directory(const struct seam *seam, const char *path) WARN_UNUSED;

#endif
