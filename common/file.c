/* Durable file operations, all in one place. */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/random.h"

char *file_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

enum err file_read(const char *path, size_t limit, char **ret, size_t *ret_len)
{
	char *buffer = NULL;
	size_t len = 0;
	enum err err = ERR_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_from_errno(errno);
	buffer = malloc(limit + 1);
	if (buffer == NULL)
		abort();
	while (len <= limit) {
		ssize_t got = read(fd, buffer + len, limit + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = err_from_errno(errno);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	if (err == ERR_OK && len > limit)
		err = ERR_RANGE;
	if (err != ERR_OK) {
		free(buffer);
		return err;
	}
	buffer[len] = '\0';
	*ret = buffer;
	*ret_len = len;
	return ERR_OK;
}

enum err file_write_all(int fd, struct bytes content)
{
	while (content.len > 0) {
		ssize_t put = write(fd, content.data, content.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? err_from_errno(errno) : ERR_IO;
		content.data += put;
		content.len -= (size_t)put;
	}
	return ERR_OK;
}

enum err file_sync_dir(const char *path)
{
	enum err err = ERR_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

	if (fd < 0)
		return err_from_errno(errno);
	if (fsync(fd) != 0)
		err = err_from_errno(errno);
	close(fd);
	return err;
}

enum err file_sync_parent(const char *path)
{
	char *copy = memory_copy(path, strlen(path));
	enum err err = file_sync_dir(dirname(copy));

	free(copy);
	return err;
}

static enum err write_synced(const char *path, struct bytes content, mode_t mode)
{
	enum err err;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);

	if (fd < 0)
		return err_from_errno(errno);
	err = file_write_all(fd, content);
	if (err == ERR_OK && fsync(fd) != 0)
		err = err_from_errno(errno);
	if (close(fd) != 0 && err == ERR_OK)
		err = err_from_errno(errno);
	if (err != ERR_OK)
		unlink(path);
	return err;
}

static char *temporary_name(const char *path)
{
	char *name;

	if (asprintf(&name, "%s.%08x.tmp", path, (unsigned)random_below(UINT32_MAX)) < 0)
		abort();
	return name;
}

enum err file_create(const char *path, struct bytes content, mode_t mode)
{
	char *temporary = temporary_name(path);
	enum err err = write_synced(temporary, content, mode);

	if (err == ERR_OK) {
		/* link() refuses to replace, which rename() does not. */
		if (link(temporary, path) != 0)
			err = err_from_errno(errno);
		unlink(temporary);
	}
	if (err == ERR_OK)
		err = file_sync_parent(path);
	free(temporary);
	return err;
}

enum err file_replace(const char *path, struct bytes content, mode_t mode)
{
	char *temporary = temporary_name(path);
	enum err err = write_synced(temporary, content, mode);

	if (err == ERR_OK && rename(temporary, path) != 0) {
		err = err_from_errno(errno);
		unlink(temporary);
	}
	if (err == ERR_OK)
		err = file_sync_parent(path);
	free(temporary);
	return err;
}

/* One directory, durably. Something else of that name in its place is ERR_EXISTS. */
static enum err make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return file_sync_parent(path);
	if (errno != EEXIST)
		return err_from_errno(errno);
	if (stat(path, &st) != 0)
		return err_from_errno(errno);
	return S_ISDIR(st.st_mode) ? ERR_OK : ERR_EXISTS;
}

enum err file_make_dirs(const char *path, mode_t mode)
{
	char *copy = memory_copy(path, strlen(path));
	enum err err = copy[0] == '\0' ? ERR_NOT_FOUND : ERR_OK;

	for (char *p = copy + 1; err == ERR_OK && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		err = make_dir(copy, mode);
		*p = '/';
	}
	if (err == ERR_OK)
		err = make_dir(copy, mode);
	free(copy);
	return err;
}

enum err file_lock(const char *dir, const char *name, int *ret_fd)
{
	char *path = file_join(dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int number = errno;

	free(path);
	if (fd < 0)
		return err_from_errno(number);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		number = errno;
		close(fd);
		return number == EWOULDBLOCK ? ERR_BUSY : err_from_errno(number);
	}
	*ret_fd = fd;
	return ERR_OK;
}
