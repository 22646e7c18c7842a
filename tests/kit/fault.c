/*
 * The operations. Syncing a file makes its `now` its `safe`, syncing a directory the names in it; what a power cut
 * makes of the rest is in power.c.
 */
#include "tests/kit/fault_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static const char *const kind_names[] = {"open", "pread", "pwrite", "truncate", "sync",	  "allocate", "lock",
					 "list", "stat",  "mkdir",  "rename",	"unlink", "sync_dir", "space"};

static struct fault *fault_of(const struct seam *self)
{
	return (struct fault *)(uintptr_t)self;
}

struct name *fault_find_name(const struct names *names, const char *path)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i].path, path) == 0)
			return &names->list[i];
	}
	return NULL;
}

void fault_set_name(struct names *names, const char *path, size_t file)
{
	struct name *name = fault_find_name(names, path);

	if (name == NULL) {
		names->list = memory_grow(names->list, &names->room, names->count + 1, sizeof(*names->list));
		name = &names->list[names->count++];
		snprintf(name->path, sizeof(name->path), "%s", path);
	}
	name->file = file;
}

void fault_drop_name(struct names *names, const char *path)
{
	struct name *name = fault_find_name(names, path);

	if (name != NULL)
		*name = names->list[--names->count];
}

/* The directory of a path, "/" for those at the top. */
void fault_parent_of(const char *path, char out[PATH_ROOM])
{
	char *slash;

	snprintf(out, PATH_ROOM, "%s", path);
	slash = strrchr(out, '/');
	if (slash == out)
		slash++;
	*slash = '\0';
}

size_t fault_add_file(struct fault *fault, bool directory)
{
	fault->files = memory_grow(fault->files, &fault->file_room, fault->file_count + 1, sizeof(*fault->files));
	fault->files[fault->file_count] = (struct file){.directory = directory};
	return fault->file_count++;
}

static struct change *add_change(struct fault *fault)
{
	struct change *change;

	fault->changes =
		memory_grow(fault->changes, &fault->change_room, fault->change_count + 1, sizeof(*fault->changes));
	change = &fault->changes[fault->change_count++];
	memset(change, 0, sizeof(*change));
	return change;
}

static void pending_name(struct fault *fault, const char *path, size_t file, bool gone)
{
	struct change *change = add_change(fault);

	change->what = gone ? CHANGE_UNLINK : CHANGE_LINK;
	change->file = file;
	snprintf(change->path, sizeof(change->path), "%s", path);
	if (gone)
		fault_drop_name(&fault->now, path);
	else
		fault_set_name(&fault->now, path, file);
}

static bool of_names(const struct change *change)
{
	return change->what == CHANGE_LINK || change->what == CHANGE_UNLINK;
}

/* Forget the pending changes that `chosen` names; they are durable now, or lost. */
static void forget_changes(struct fault *fault, bool (*chosen)(const struct change *change, const void *arg),
			   const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < fault->change_count; i++) {
		if (chosen(&fault->changes[i], arg))
			free(fault->changes[i].data);
		else
			fault->changes[kept++] = fault->changes[i];
	}
	fault->change_count = kept;
}

static bool of_file(const struct change *change, const void *arg)
{
	return !of_names(change) && change->file == *(const size_t *)arg;
}

static bool in_directory(const struct change *change, const void *arg)
{
	char parent[PATH_ROOM];

	if (!of_names(change))
		return false;
	fault_parent_of(change->path, parent);
	return strcmp(parent, arg) == 0;
}

/*
 * Every operation starts here, with the lock taken, and ends with leave(). Negative: it fails with this at once.
 * FAULT_HALF: it is to move half its bytes; with an error, `*fail` is set and it fails after that.
 */
static int enter(const struct seam *self, enum fault_kind kind, const char *about, int *fail)
{
	struct fault *fault = fault_of(self);
	bool changing =
		(kind >= FAULT_PWRITE && kind <= FAULT_ALLOCATE) || (kind >= FAULT_MKDIR && kind <= FAULT_SYNC_DIR);
	uint64_t number;

	*fail = 0;
	pthread_mutex_lock(&fault->lock);
	if (fault->stop_at != FAULT_NEVER && changing && fault->changing >= fault->stop_at)
		fault->stopped = true;
	if (fault->stopped)
		return -EIO;
	snprintf(fault->log[fault->logged++ % LOG_LINES], sizeof(fault->log[0]), "%llu %s %s",
		 (unsigned long long)fault->operations, kind_names[kind], about);
	number = fault->operations++;
	fault->counts[kind]++;
	if (changing && fault->watch != NULL)
		fault->watch(fault->watch_arg);
	if (changing)
		fault->changing++;
	if (number == fault->fail_at) {
		if (fault->fail_with == FAULT_SHORT)
			return kind == FAULT_PREAD || kind == FAULT_PWRITE;
		*fail = -fault->fail_with;
		return kind == FAULT_PWRITE && fault->fail_with != EINTR ? 1 : *fail;
	}
	return 0;
}

static void leave(const struct seam *self)
{
	pthread_mutex_unlock(&fault_of(self)->lock);
}

static int fault_open(const struct seam *self, const char *path, int flags, mode_t mode)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_OPEN, path, &fail);
	char parent[PATH_ROOM];
	struct name *name;

	(void)mode;
	fault_parent_of(path, parent);
	name = fault_find_name(&fault->now, path);
	if (result == 0 && name == NULL && ((flags & O_CREAT) == 0 || fault_find_name(&fault->now, parent) == NULL))
		result = -ENOENT;
	else if (result == 0 && name != NULL && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		result = -EEXIST;
	if (result == 0) {
		size_t file = name != NULL ? name->file : fault_add_file(fault, false);

		if (name == NULL)
			pending_name(fault, path, file, false);
		while (result < FDS && fault->fds[result].used)
			result++;
		assert(result < FDS);
		fault->fds[result].used = true;
		fault->fds[result].file = file;
	}
	leave(self);
	return result;
}

static int fault_close(const struct seam *self, int fd)
{
	struct fault *fault = fault_of(self);

	pthread_mutex_lock(&fault->lock);
	assert(fault->fds[fd].used);
	fault->fds[fd].used = false;
	if (fault->files[fault->fds[fd].file].locked == fd + 1)
		fault->files[fault->fds[fd].file].locked = 0;
	leave(self);
	return 0;
}

/* The file behind a descriptor. */
static size_t behind(struct fault *fault, int fd)
{
	assert(fd >= 0 && fd < FDS && fault->fds[fd].used);
	return fault->fds[fd].file;
}

static const char *path_of(const struct fault *fault, size_t file)
{
	for (size_t i = 0; i < fault->now.count; i++) {
		if (fault->now.list[i].file == file)
			return fault->now.list[i].path;
	}
	return "(unlinked)";
}

static const char *path_behind(const struct seam *self, int fd, char out[PATH_ROOM])
{
	struct fault *fault = fault_of(self);

	pthread_mutex_lock(&fault->lock);
	snprintf(out, PATH_ROOM, "%s", path_of(fault, behind(fault, fd)));
	pthread_mutex_unlock(&fault->lock);
	return out;
}

static ssize_t fault_pread(const struct seam *self, int fd, void *out, size_t len, uint64_t offset)
{
	struct fault *fault = fault_of(self);
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_PREAD, path_behind(self, fd, path), &fail);
	const struct disk_file *file = &fault->files[behind(fault, fd)].now;

	if (result >= 0) {
		size_t left = offset < file->size ? (size_t)(file->size - offset) : 0;

		if (len > left)
			len = left;
		if (result == 1)
			len = (len + 1) / 2;
		disk_read(file, out, len, offset);
	}
	leave(self);
	return result < 0 ? result : (ssize_t)len;
}

static void write_now(struct fault *fault, size_t file, const void *data, size_t len, uint64_t offset)
{
	struct change *change = add_change(fault);

	change->what = CHANGE_WRITE;
	change->file = file;
	change->offset = offset;
	change->data = memory_copy(data, len);
	change->len = len;
	disk_write(&fault->files[file].now, data, len, offset);
}

static ssize_t fault_pwrite(const struct seam *self, int fd, const void *data, size_t len, uint64_t offset)
{
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_PWRITE, path_behind(self, fd, path), &fail);

	if (result == 1)
		len = (len + 1) / 2;
	if (result >= 0 && len > 0)
		write_now(fault_of(self), behind(fault_of(self), fd), data, len, offset);
	leave(self);
	if (result < 0)
		return result;
	return fail < 0 ? fail : (ssize_t)len;
}

static ssize_t fault_pwritev(const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t offset)
{
	size_t len = 0, at = 0;
	uint8_t *all;
	ssize_t result;

	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	all = memory_new(1, len + 1);
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len > 0)
			memcpy(all + at, parts[i].iov_base, parts[i].iov_len);
		at += parts[i].iov_len;
	}
	result = fault_pwrite(self, fd, all, len, offset);
	free(all);
	return result;
}

static void resize_now(struct fault *fault, size_t file, uint64_t size)
{
	struct change *change = add_change(fault);

	change->what = CHANGE_RESIZE;
	change->file = file;
	change->offset = size;
	disk_resize(&fault->files[file].now, size);
}

static int fault_truncate(const struct seam *self, int fd, uint64_t size)
{
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_TRUNCATE, path_behind(self, fd, path), &fail);

	if (result == 0)
		resize_now(fault_of(self), behind(fault_of(self), fd), size);
	leave(self);
	return result;
}

/* Bring a state of the file up to date with what is pending. */
static void apply_pending(const struct fault *fault, size_t number, struct disk_file *state)
{
	for (size_t i = 0; i < fault->change_count; i++) {
		const struct change *change = &fault->changes[i];

		if (!of_file(change, &number))
			continue;
		if (change->what == CHANGE_WRITE)
			disk_write(state, change->data, change->len, change->offset);
		else
			disk_resize(state, change->offset);
	}
}

static int fault_sync(const struct seam *self, int fd)
{
	struct fault *fault = fault_of(self);
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_SYNC, path_behind(self, fd, path), &fail);
	size_t number = behind(fault, fd);

	if (result == 0)
		apply_pending(fault, number, &fault->files[number].safe);
	/* A kernel that could not write its pages marks them clean all the same: the next sync will not try again. The
	 * program goes on seeing them until they leave the page cache. */
	if (result == 0 || (result < 0 && fail < 0 && fail != -EINTR))
		forget_changes(fault, of_file, &number);
	leave(self);
	return result;
}

static uint64_t used_bytes(const struct fault *fault)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < fault->now.count; i++)
		sum += fault->files[fault->now.list[i].file].now.size;
	return sum;
}

static int fault_allocate(const struct seam *self, int fd, uint64_t offset, uint64_t len)
{
	struct fault *fault = fault_of(self);
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_ALLOCATE, path_behind(self, fd, path), &fail);
	size_t file = behind(fault, fd);
	uint64_t size = fault->files[file].now.size;

	if (result == 0 && fault->no_allocate)
		result = -EOPNOTSUPP;
	else if (result == 0 && offset + len > size && used_bytes(fault) + offset + len - size > fault->capacity)
		result = -ENOSPC;
	else if (result == 0 && offset + len > size)
		resize_now(fault, file, offset + len);
	leave(self);
	return result;
}

/* Dropping the page cache shows what is durable or still to be written. Not an operation that is counted. */
static int fault_advise(const struct seam *self, int fd, uint64_t offset, uint64_t len, int advice)
{
	struct fault *fault = fault_of(self);

	(void)offset;
	(void)len;
	pthread_mutex_lock(&fault->lock);
	if (advice == POSIX_FADV_DONTNEED && !fault->stopped) {
		size_t number = behind(fault, fd);
		struct file *file = &fault->files[number];

		disk_free(&file->now);
		disk_copy(&file->now, &file->safe);
		apply_pending(fault, number, &file->now);
	}
	leave(self);
	return 0;
}

/* The store maps new files only, and never reads them back, so what a map holds needs no file behind it. */
static void *fault_map(const struct seam *self, int fd, uint64_t offset, size_t len, bool writable)
{
	(void)self;
	(void)fd;
	(void)offset;
	(void)writable;
	return calloc(1, len);
}

static int fault_map_sync(const struct seam *self, void *at, size_t len)
{
	(void)self;
	(void)at;
	(void)len;
	return -ENODEV;
}

static int fault_unmap(const struct seam *self, void *at, size_t len)
{
	(void)self;
	(void)len;
	free(at);
	return 0;
}

static int fault_lock(const struct seam *self, int fd)
{
	struct fault *fault = fault_of(self);
	char path[PATH_ROOM];
	int fail, result = enter(self, FAULT_LOCK, path_behind(self, fd, path), &fail);
	int *holder = &fault->files[behind(fault, fd)].locked;

	if (result == 0 && *holder != 0 && *holder != fd + 1)
		result = -EWOULDBLOCK;
	else if (result == 0)
		*holder = fd + 1;
	leave(self);
	return result;
}

static int fault_list(const struct seam *self, const char *path, void (*each)(void *arg, const char *name), void *arg)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_LIST, path, &fail);
	char parent[PATH_ROOM];

	if (result == 0 && fault_find_name(&fault->now, path) == NULL)
		result = -ENOENT;
	for (size_t i = 0; result == 0 && i < fault->now.count; i++) {
		const char *name = fault->now.list[i].path;

		fault_parent_of(name, parent);
		if (strcmp(parent, path) == 0 && strcmp(name, "/") != 0)
			each(arg, strrchr(name, '/') + 1);
	}
	leave(self);
	return result;
}

static int fault_stat(const struct seam *self, const char *path, struct seam_stat *ret)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_STAT, path, &fail);
	struct name *name = fault_find_name(&fault->now, path);

	if (result == 0 && name == NULL)
		result = -ENOENT;
	if (result == 0) {
		const struct file *file = &fault->files[name->file];

		*ret = (struct seam_stat){file->now.size, (file->now.size + 4095) / 4096 * 4096, 1, file->directory};
	}
	leave(self);
	return result;
}

static int fault_mkdir(const struct seam *self, const char *path, mode_t mode)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_MKDIR, path, &fail);
	char parent[PATH_ROOM];

	(void)mode;
	fault_parent_of(path, parent);
	if (result == 0 && fault_find_name(&fault->now, path) != NULL)
		result = -EEXIST;
	else if (result == 0 && fault_find_name(&fault->now, parent) == NULL)
		result = -ENOENT;
	else if (result == 0)
		pending_name(fault, path, fault_add_file(fault, true), false);
	leave(self);
	return result;
}

static int fault_rename(const struct seam *self, const char *from, const char *to)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_RENAME, from, &fail);
	struct name *name = fault_find_name(&fault->now, from);

	if (result == 0 && name == NULL)
		result = -ENOENT;
	if (result == 0) {
		size_t file = name->file;

		/* Two changes: a power cut may leave both names, or the old one. */
		pending_name(fault, to, file, false);
		pending_name(fault, from, file, true);
	}
	leave(self);
	return result;
}

static int fault_unlink(const struct seam *self, const char *path)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_UNLINK, path, &fail);
	struct name *name = fault_find_name(&fault->now, path);

	if (result == 0 && name == NULL)
		result = -ENOENT;
	if (result == 0)
		pending_name(fault, path, name->file, true);
	leave(self);
	return result;
}

static int fault_sync_dir(const struct seam *self, const char *path)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_SYNC_DIR, path, &fail);

	if (result == 0) {
		for (size_t i = 0; i < fault->change_count; i++) {
			const struct change *change = &fault->changes[i];

			if (!in_directory(change, path))
				continue;
			if (change->what == CHANGE_LINK)
				fault_set_name(&fault->safe, change->path, change->file);
			else
				fault_drop_name(&fault->safe, change->path);
		}
		forget_changes(fault, in_directory, path);
	}
	leave(self);
	return result;
}

static int fault_space(const struct seam *self, const char *path, struct seam_space *ret)
{
	struct fault *fault = fault_of(self);
	int fail, result = enter(self, FAULT_SPACE, path, &fail);
	uint64_t used = used_bytes(fault);

	if (result == 0)
		*ret = (struct seam_space){fault->capacity, used < fault->capacity ? fault->capacity - used : 0};
	leave(self);
	return result;
}

static const struct seam fault_table = {
	.open = fault_open,
	.close = fault_close,
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.pwritev = fault_pwritev,
	.truncate = fault_truncate,
	.sync = fault_sync,
	.allocate = fault_allocate,
	.advise = fault_advise,
	.map = fault_map,
	.map_sync = fault_map_sync,
	.unmap = fault_unmap,
	.lock = fault_lock,
	.list = fault_list,
	.stat = fault_stat,
	.mkdir = fault_mkdir,
	.rename = fault_rename,
	.unlink = fault_unlink,
	.sync_dir = fault_sync_dir,
	.space = fault_space,
};

struct fault *fault_new(uint64_t capacity)
{
	struct fault *fault = memory_new(1, sizeof(*fault));
	pthread_mutexattr_t recursive;
	size_t root;

	fault->seam = fault_table;
	fault->capacity = capacity;
	fault->fail_at = FAULT_NEVER;
	fault->stop_at = FAULT_NEVER;
	/* Whoever watches takes images, with the lock held. */
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&fault->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	root = fault_add_file(fault, true);
	fault_set_name(&fault->now, "/", root);
	fault_set_name(&fault->safe, "/", root);
	return fault;
}

void fault_free(struct fault *fault)
{
	if (fault == NULL)
		return;
	for (size_t i = 0; i < fault->file_count; i++) {
		disk_free(&fault->files[i].now);
		disk_free(&fault->files[i].safe);
	}
	for (size_t i = 0; i < fault->change_count; i++)
		free(fault->changes[i].data);
	free(fault->files);
	free(fault->changes);
	free(fault->now.list);
	free(fault->safe.list);
	pthread_mutex_destroy(&fault->lock);
	free(fault);
}

const struct seam *fault_seam(struct fault *fault)
{
	return &fault->seam;
}

uint64_t fault_operations(const struct fault *fault)
{
	return fault->operations;
}

uint64_t fault_changes(const struct fault *fault)
{
	return fault->changing;
}

uint64_t fault_count(const struct fault *fault, enum fault_kind kind)
{
	return fault->counts[kind];
}

void fault_fail(struct fault *fault, uint64_t nth, int number)
{
	pthread_mutex_lock(&fault->lock);
	fault->fail_at = nth == FAULT_NEVER ? nth : fault->operations + nth;
	fault->fail_with = number;
	pthread_mutex_unlock(&fault->lock);
}

void fault_stop(struct fault *fault, uint64_t nth)
{
	pthread_mutex_lock(&fault->lock);
	fault->stop_at = nth;
	pthread_mutex_unlock(&fault->lock);
}

void fault_watch(struct fault *fault, void (*watch)(void *arg), void *arg)
{
	pthread_mutex_lock(&fault->lock);
	fault->watch = watch;
	fault->watch_arg = arg;
	pthread_mutex_unlock(&fault->lock);
}

bool fault_stopped(const struct fault *fault)
{
	return fault->stopped;
}

void fault_no_allocate(struct fault *fault)
{
	fault->no_allocate = true;
}

uint64_t fault_size(const struct fault *fault, const char *path)
{
	const struct name *name = fault_find_name(&fault->now, path);

	return name == NULL ? UINT64_MAX : fault->files[name->file].now.size;
}

void fault_peek(const struct fault *fault, const char *path, uint64_t offset, void *out, size_t len)
{
	const struct name *name = fault_find_name(&fault->now, path);

	assert(name != NULL);
	disk_read(&fault->files[name->file].now, out, len, offset);
}

void fault_poke(struct fault *fault, const char *path, uint64_t offset, const void *data, size_t len)
{
	const struct name *name = fault_find_name(&fault->now, path);

	assert(name != NULL);
	disk_write(&fault->files[name->file].now, data, len, offset);
	disk_write(&fault->files[name->file].safe, data, len, offset);
}

void fault_files(const struct fault *fault, void (*each)(void *arg, const char *path, uint64_t size), void *arg)
{
	for (size_t i = 0; i < fault->now.count; i++) {
		const struct file *file = &fault->files[fault->now.list[i].file];

		if (!file->directory)
			each(arg, fault->now.list[i].path, file->now.size);
	}
}

void fault_print(const struct fault *fault)
{
	uint64_t from = fault->logged > LOG_LINES ? fault->logged - LOG_LINES : 0;

	for (uint64_t i = from; i < fault->logged; i++)
		printf("# %s\n", fault->log[i % LOG_LINES]);
}
