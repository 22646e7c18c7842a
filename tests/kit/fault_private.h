/*
 * The disk behind fault.h, for the two files that work on it.
 *
 * Two states per file and per name: what programs see now, and what is durable; between them the list of pending
 * changes, in order.
 */
#ifndef GRANARY_TESTS_KIT_FAULT_PRIVATE_H
#define GRANARY_TESTS_KIT_FAULT_PRIVATE_H

#include <pthread.h>

#include "tests/kit/disk.h"
#include "tests/kit/fault.h"

#define PATH_ROOM 160
#define FDS 4096
#define LOG_LINES 64

/* A pending change of a file's bytes or size, or of a name. */
struct change {
	enum { CHANGE_WRITE, CHANGE_RESIZE, CHANGE_LINK, CHANGE_UNLINK } what;
	size_t file;
	uint64_t offset; /* RESIZE: the size */
	uint8_t *data;
	size_t len;
	char path[PATH_ROOM];
};

struct file {
	struct disk_file now;
	struct disk_file safe;
	bool directory;
	int locked; /* descriptor + 1 of who holds it */
};

struct name {
	char path[PATH_ROOM];
	size_t file;
};

struct names {
	struct name *list;
	size_t count;
	size_t room;
};

struct fault {
	struct seam seam; /* first: `self` is the fault too */
	pthread_mutex_t lock;
	uint64_t capacity;
	struct file *files;
	size_t file_count;
	size_t file_room;
	struct names now;
	struct names safe;
	struct change *changes;
	size_t change_count;
	size_t change_room;
	struct {
		bool used;
		size_t file;
	} fds[FDS];
	uint64_t operations;
	uint64_t changing;
	uint64_t counts[FAULT_KINDS];
	uint64_t fail_at;
	int fail_with;
	uint64_t stop_at;
	void (*watch)(void *arg);
	void *watch_arg;
	bool stopped;
	bool no_allocate;
	char log[LOG_LINES][PATH_ROOM + 64];
	uint64_t logged;
};

/* The name of a path, NULL when there is none. */
struct name *fault_find_name(const struct names *names, const char *path);
void fault_set_name(struct names *names, const char *path, size_t file);
void fault_drop_name(struct names *names, const char *path);
/* The directory of a path, "/" for those at the top. */
void fault_parent_of(const char *path, char out[PATH_ROOM]);
/* A new file without a name; its number. */
size_t fault_add_file(struct fault *fault, bool directory);

#endif
