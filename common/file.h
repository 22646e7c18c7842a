/* Files: whole reads with a limit, and durable writes (temporary file, fsync, rename, fsync of the directory). */
#ifndef GRANARY_COMMON_FILE_H
#define GRANARY_COMMON_FILE_H

#include <sys/types.h>

#include "common/bytes.h"

/* Read a file of at most `limit` bytes. The caller frees *ret; a NUL follows the data. ERR_RANGE when larger. */
enum err file_read(const char *path, size_t limit, char **ret, size_t *ret_len) WARN_UNUSED;

/* Make a new file durably; ERR_EXISTS rather than replacing one. */
enum err file_create(const char *path, struct bytes content, mode_t mode) WARN_UNUSED;

/* Replace a file, or make it, atomically and durably. */
enum err file_replace(const char *path, struct bytes content, mode_t mode) WARN_UNUSED;

/* Make a directory and its missing parents, durably; fine when it is there. ERR_EXISTS when something else is. */
enum err file_make_dirs(const char *path, mode_t mode) WARN_UNUSED;

/* fsync a directory. */
enum err file_sync_dir(const char *path) WARN_UNUSED;
/* The one that something stands in, after it was made, renamed or removed. */
enum err file_sync_parent(const char *path) WARN_UNUSED;

bool file_exists(const char *path);

/* "dir/name" in new memory. Aborts without memory. */
char *file_join(const char *dir, const char *name);

/* Write all bytes to a descriptor, through short writes and EINTR. */
enum err file_write_all(int fd, struct bytes content) WARN_UNUSED;

/* Take an exclusive lock on DIR/name that lasts until the returned descriptor is closed, at the latest by the end of
 * the process. ERR_BUSY when it is held already. */
enum err file_lock(const char *dir, const char *name, int *ret_fd) WARN_UNUSED;

#endif
