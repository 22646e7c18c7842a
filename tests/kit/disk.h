/*
 * Files in memory, as pages shared between copies: what the fault seam keeps its disks in.
 *
 * A page of zeros takes no memory, and copying a file copies pointers, so that thousands of images of one disk are
 * cheap to make. A file belongs to one disk; the pages behind it may be shared by several, in several threads.
 */
#ifndef GRANARY_TESTS_KIT_DISK_H
#define GRANARY_TESTS_KIT_DISK_H

#include <stddef.h>
#include <stdint.h>

struct disk_page;

struct disk_file {
	struct disk_page **pages;
	size_t page_count;
	uint64_t size;
};

void disk_free(struct disk_file *file);
void disk_copy(struct disk_file *to, const struct disk_file *from);
/* Bytes behind the end, or never written, are zeros. */
void disk_read(const struct disk_file *file, void *out, size_t len, uint64_t offset);
/* Writing behind the end makes the file longer. */
void disk_write(struct disk_file *file, const void *data, size_t len, uint64_t offset);
/* Cut, or extend with zeros. */
void disk_resize(struct disk_file *file, uint64_t size);

#endif
