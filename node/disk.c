/* statfs(2), and a small file. */
#include "node/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/options.h"
#include "common/random.h"

#define PROBE (4u * 1024 * 1024)
#define SMALL 4096
#define SMALLS 8
#define SLOW_SYNC_MS 2000
#define SLOW_WRITE_MS 4000
#define SLOW_READ_MS 2000

enum nature { GOOD, MEMORY, NETWORK, FAT };

/* statfs(2), linux/magic.h */
static const struct {
	uint64_t magic;
	const char *name;
	enum nature nature;
} kinds[] = {
	{0xef53, "ext4", GOOD},	       {0x58465342, "xfs", GOOD},     {0x9123683e, "btrfs", GOOD},
	{0xf2f52010, "f2fs", GOOD},    {0x2fc12fc1, "zfs", GOOD},     {0xca451a4e, "bcachefs", GOOD},
	{0x794c7630, "overlay", GOOD}, {0x5346544e, "ntfs", GOOD},    {0x7366746e, "ntfs3", GOOD},
	{0x01021994, "tmpfs", MEMORY}, {0x858458f6, "ramfs", MEMORY}, {0x6969, "nfs", NETWORK},
	{0xff534d42, "cifs", NETWORK}, {0xfe534d42, "smb2", NETWORK}, {0x01021997, "9p", NETWORK},
	{0x65735546, "fuse", NETWORK}, {0x00c36400, "ceph", NETWORK}, {0x4d44, "fat", FAT},
	{0x2011bab0, "exfat", FAT},
};

static void set_kind(uint64_t magic, struct disk_facts *ret)
{
	snprintf(ret->kind, sizeof(ret->kind), "0x%" PRIx64, magic);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].magic != magic)
			continue;
		snprintf(ret->kind, sizeof(ret->kind), "%s", kinds[i].name);
		ret->memory = kinds[i].nature == MEMORY;
		ret->network = kinds[i].nature == NETWORK;
		ret->small_files = kinds[i].nature == FAT;
	}
}

/* The path itself or its nearest parent that is there, in new memory. */
static char *nearest_there(const char *path)
{
	char *at = strdup(path), *slash;
	struct stat st;

	if (at == NULL)
		abort();
	while (stat(at, &st) != 0 && (slash = strrchr(at, '/')) != NULL && slash != at)
		*slash = '\0';
	if (stat(at, &st) == 0)
		return at;
	free(at);
	return memory_copy("/", 1);
}

enum err disk_look(const char *path, struct disk_facts *ret)
{
	struct disk_facts facts = {.kind = ""};
	char *there = nearest_there(path);
	struct stat st, root;
	struct statvfs room;
	struct statfs fs;
	enum err err = ERR_OK;

	if (stat(there, &st) != 0 || statfs(there, &fs) != 0 || statvfs(there, &room) != 0)
		err = err_from_errno(errno);
	free(there);
	if (err != ERR_OK)
		return err;
	set_kind((uint64_t)(uint32_t)fs.f_type, &facts);
	facts.system = stat("/", &root) == 0 && root.st_dev == st.st_dev;
	facts.read_only = (room.f_flag & ST_RDONLY) != 0;
	facts.device = st.st_dev;
	facts.total = (uint64_t)room.f_blocks * room.f_frsize;
	facts.free = (uint64_t)room.f_bavail * room.f_frsize;
	facts.inodes_total = room.f_files;
	facts.inodes_free = room.f_favail;
	*ret = facts;
	return ERR_OK;
}

bool disk_suggest(char *ret_path, size_t room)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *mount;
	struct disk_facts facts;
	uint64_t most = 0;

	while (mounts != NULL && (mount = getmntent(mounts)) != NULL) {
		if (strncmp(mount->mnt_fsname, "/dev/", 5) != 0 || strncmp(mount->mnt_dir, "/boot", 5) == 0 ||
		    strlen(mount->mnt_dir) >= room || disk_look(mount->mnt_dir, &facts) != ERR_OK)
			continue;
		if (facts.system || facts.read_only || facts.memory || facts.network || facts.small_files ||
		    facts.free <= most || access(mount->mnt_dir, W_OK) != 0)
			continue;
		most = facts.free;
		snprintf(ret_path, room, "%s", mount->mnt_dir);
	}
	if (mounts != NULL)
		endmntent(mounts);
	return most > 0;
}

void disk_judge(const struct disk_facts *facts, const char *path, uint64_t allocation, uint64_t used,
		struct findings *findings)
{
	uint64_t wanted = allocation > used ? allocation - used : 0;
	char size[16], room[16];

	if (facts->memory || facts->network || facts->small_files)
		findings_add(findings, FINDING_DISK_KIND, path, "The store would stand on %s, %s.", facts->kind,
			     facts->memory    ? "which is in memory only"
			     : facts->network ? "which is not a disk of this machine"
					      : "which does not suit it");
	if (facts->system)
		findings_add(findings, FINDING_DISK_SYSTEM, path, "The store stands on the system's own disk.");
	if (facts->read_only)
		findings_add(findings, FINDING_DISK_ERROR, path, "The filesystem is mounted read-only.");
	if (wanted > facts->free)
		findings_add(findings, FINDING_ROOM_SHORT, path, "%s more are offered, but the disk has %s.",
			     option_print_size(wanted, size), option_print_size(facts->free, room));
	if (facts->inodes_total > 0 && facts->inodes_free < facts->inodes_total / 50)
		findings_add(findings, FINDING_DISK_INODES, path,
			     "The filesystem can hold only %" PRIu64 " more files.", facts->inodes_free);
}

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

static enum err write_synced(int fd, struct bytes data)
{
	enum err err = file_write_all(fd, data);

	if (err == ERR_OK && fdatasync(fd) != 0)
		err = err_from_errno(errno);
	return err;
}

static enum err measure_writes(int fd, const uint8_t *data, struct disk_speed *ret)
{
	uint64_t began = now_ms();
	enum err err = write_synced(fd, bytes_of(data, PROBE));

	ret->write_ms = now_ms() - began;
	for (int i = 0; err == ERR_OK && i < SMALLS; i++) {
		uint64_t took;

		began = now_ms();
		err = write_synced(fd, bytes_of(data, SMALL));
		took = now_ms() - began;
		if (took > ret->sync_ms)
			ret->sync_ms = took;
	}
	return err;
}

static enum err measure_read(int fd, const uint8_t *data, uint8_t *back, struct disk_speed *ret)
{
	uint64_t began = now_ms();
	size_t done = 0;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while (done < PROBE) {
		ssize_t got = pread(fd, back + done, PROBE - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0)
			return ERR_CORRUPT;
		done += (size_t)got;
	}
	ret->read_ms = now_ms() - began;
	return memcmp(data, back, PROBE) == 0 ? ERR_OK : ERR_CORRUPT;
}

enum err disk_measure(const char *dir, struct disk_speed *ret)
{
	uint8_t *data = memory_new(2, PROBE);
	char *path = file_join(dir, "probe.XXXXXX");
	struct disk_speed speed = {0, 0, 0};
	enum err err;
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0) {
		err = err_from_errno(errno);
		goto out;
	}
	unlink(path);
	random_bytes(data, PROBE);
	err = measure_writes(fd, data, &speed);
	if (err == ERR_OK)
		err = measure_read(fd, data, data + PROBE, &speed);
	close(fd);
	if (err == ERR_OK)
		*ret = speed;
out:
	free(path);
	free(data);
	return err;
}

void disk_judge_speed(const struct disk_speed *speed, const char *path, struct findings *findings)
{
	if (speed->sync_ms > SLOW_SYNC_MS)
		findings_add(findings, FINDING_DISK_SLOW, path, "A small write took %" PRIu64 " ms to reach the disk.",
			     speed->sync_ms);
	else if (speed->write_ms > SLOW_WRITE_MS || speed->read_ms > SLOW_READ_MS)
		findings_add(findings, FINDING_DISK_SLOW, path,
			     "4 MiB took %" PRIu64 " ms to write and %" PRIu64 " ms to read.", speed->write_ms,
			     speed->read_ms);
}
