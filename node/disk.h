/* What a disk is like, for whoever wants to keep a store on it: its kind, its room, and how fast it answers. */
#ifndef GRANARY_NODE_DISK_H
#define GRANARY_NODE_DISK_H

#include "node/findings.h"

struct disk_facts {
	char kind[16];	  /* "ext4"; "0x…" for one that is not known */
	bool memory;	  /* forgets everything when the machine stops */
	bool network;	  /* elsewhere, so that a sync promises little */
	bool small_files; /* FAT: no file over 4 GiB, no rights */
	bool system;	  /* the one that the system itself is on */
	bool read_only;
	uint64_t device;
	uint64_t total, free;		    /* bytes; free: that we may still take */
	uint64_t inodes_total, inodes_free; /* 0: no such limit */
};

/* Of the filesystem that `path` is on, or, when that is not there, of the nearest parent that is. */
enum err disk_look(const char *path, struct disk_facts *ret) WARN_UNUSED;

/* Where a disk with most room is mounted that is not the system's and suits a store; false when there is none. */
bool disk_suggest(char *ret_path, size_t room);

/* What is wrong with it for a store of `allocation` bytes that takes `used` of them already. */
void disk_judge(const struct disk_facts *facts, const char *path, uint64_t allocation, uint64_t used,
		struct findings *findings);

struct disk_speed {
	uint64_t write_ms; /* 4 MiB written and synced */
	uint64_t sync_ms;  /* the slowest of eight small writes, each synced */
	uint64_t read_ms;  /* the 4 MiB read back past the page cache */
};
/* Measured with a temporary file in this directory. ERR_CORRUPT when it does not read as it was written; ERR_FULL,
 * ERR_READ_ONLY, ERR_DENIED, ERR_IO. Blocks. */
enum err disk_measure(const char *dir, struct disk_speed *ret) WARN_UNUSED;
/* FINDING_DISK_SLOW, by what a store can bear. */
void disk_judge_speed(const struct disk_speed *speed, const char *path, struct findings *findings);

#endif
