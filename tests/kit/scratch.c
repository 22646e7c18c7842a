/* Mounting where it is allowed; trees of small files. */
#include "tests/kit/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(bool fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	abort();
}

static bool mount_memory(const char *dir, size_t mebibytes)
{
	char options[64];

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	snprintf(options, sizeof(options), "size=%zum,mode=700", mebibytes);
	return mount("scratch", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0;
}

void scratch_open(struct scratch *scratch, size_t mebibytes)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch->dir, sizeof(scratch->dir), "%.200s/granary-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	must(mkdtemp(scratch->dir) != NULL, "mkdtemp");
	scratch->mounted = mount_memory(scratch->dir, mebibytes);
}

/* Visit the names in a directory; the paths that `each` gets are whole. */
static void each_name(const char *path, void (*each)(const char *path, const char *name, void *arg), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	must(dir != NULL, path);
	for (entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(path, entry->d_name, arg);
	}
	closedir(dir);
}

static bool is_directory(const char *path)
{
	struct stat st;

	must(lstat(path, &st) == 0, path);
	return S_ISDIR(st.st_mode);
}

static void remove_one(const char *dir, const char *name, void *arg)
{
	char path[2 * SCRATCH_PATH];

	(void)arg;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (is_directory(path)) {
		each_name(path, remove_one, NULL);
		must(rmdir(path) == 0, path);
	} else {
		must(unlink(path) == 0, path);
	}
}

void scratch_remove(const char *dir, const char *name)
{
	remove_one(dir, name, NULL);
}

void scratch_clear(const struct scratch *scratch)
{
	each_name(scratch->dir, remove_one, NULL);
}

static void copy_file(const char *from, const char *to)
{
	static char page[1 << 16];
	static const char zeros[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t at = 0;
	ssize_t got;

	must(in >= 0 && out >= 0, to);
	/* Zeros, of which a new segment is full, are left out. */
	for (got = read(in, page, sizeof(page)); got > 0; got = read(in, page, sizeof(page))) {
		if (memcmp(page, zeros, (size_t)got) != 0)
			must(pwrite(out, page, (size_t)got, at) == got, to);
		at += got;
	}
	must(got == 0 && ftruncate(out, at) == 0, from);
	close(in);
	close(out);
}

static void copy_one(const char *dir, const char *name, void *arg)
{
	char from[2 * SCRATCH_PATH], to[2 * SCRATCH_PATH];

	snprintf(from, sizeof(from), "%s/%s", dir, name);
	snprintf(to, sizeof(to), "%s/%s", (const char *)arg, name);
	if (!is_directory(from)) {
		copy_file(from, to);
		return;
	}
	must(mkdir(to, 0700) == 0, to);
	each_name(from, copy_one, to);
}

void scratch_copy(const char *dir, const char *from, const char *to)
{
	char source[2 * SCRATCH_PATH], target[2 * SCRATCH_PATH];

	snprintf(source, sizeof(source), "%s/%s", dir, from);
	snprintf(target, sizeof(target), "%s/%s", dir, to);
	must(mkdir(target, 0700) == 0, target);
	each_name(source, copy_one, target);
}

void scratch_move(const char *dir, const char *from, const char *to)
{
	char source[2 * SCRATCH_PATH], target[2 * SCRATCH_PATH];

	snprintf(source, sizeof(source), "%s/%s", dir, from);
	snprintf(target, sizeof(target), "%s/%s", dir, to);
	must(rename(source, target) == 0, target);
}

void scratch_close(struct scratch *scratch)
{
	scratch_clear(scratch);
	if (scratch->mounted)
		must(umount2(scratch->dir, MNT_DETACH) == 0, "umount");
	must(rmdir(scratch->dir) == 0, "rmdir");
}
