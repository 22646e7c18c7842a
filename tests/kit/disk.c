/* Reference-counted pages, copied when written. */
#include "tests/kit/disk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define PAGE 4096

struct disk_page {
	atomic_uint users;
	uint8_t bytes[PAGE];
};

static void drop(struct disk_page *page)
{
	if (page != NULL && atomic_fetch_sub(&page->users, 1) == 1)
		free(page);
}

void disk_free(struct disk_file *file)
{
	for (size_t i = 0; i < file->page_count; i++)
		drop(file->pages[i]);
	free(file->pages);
	*file = (struct disk_file){NULL, 0, 0};
}

void disk_copy(struct disk_file *to, const struct disk_file *from)
{
	to->size = from->size;
	to->page_count = from->page_count;
	to->pages = memory_new(from->page_count + 1, sizeof(*to->pages));
	for (size_t i = 0; i < from->page_count; i++) {
		to->pages[i] = from->pages[i];
		if (to->pages[i] != NULL)
			atomic_fetch_add(&to->pages[i]->users, 1);
	}
}

void disk_read(const struct disk_file *file, void *out, size_t len, uint64_t offset)
{
	uint8_t *at = out;

	while (len > 0) {
		size_t page = (size_t)(offset / PAGE), in = (size_t)(offset % PAGE);
		size_t part = len < PAGE - in ? len : PAGE - in;

		if (page < file->page_count && file->pages[page] != NULL)
			memcpy(at, file->pages[page]->bytes + in, part);
		else
			memset(at, 0, part);
		at += part;
		offset += part;
		len -= part;
	}
}

static struct disk_page *own(struct disk_file *file, size_t number)
{
	struct disk_page *old, *page;

	if (number >= file->page_count) {
		size_t room = file->page_count;

		file->pages = memory_grow(file->pages, &room, number + 1, sizeof(*file->pages));
		memset(file->pages + file->page_count, 0, (number + 1 - file->page_count) * sizeof(*file->pages));
		file->page_count = number + 1;
	}
	old = file->pages[number];
	if (old != NULL && atomic_load(&old->users) == 1)
		return old;
	page = memory_new(1, sizeof(*page));
	if (old != NULL)
		memcpy(page->bytes, old->bytes, PAGE);
	atomic_init(&page->users, 1);
	drop(old);
	file->pages[number] = page;
	return page;
}

void disk_write(struct disk_file *file, const void *data, size_t len, uint64_t offset)
{
	const uint8_t *at = data;

	if (len > 0 && offset + len > file->size)
		file->size = offset + len;
	while (len > 0) {
		size_t in = (size_t)(offset % PAGE), part = len < PAGE - in ? len : PAGE - in;

		memcpy(own(file, (size_t)(offset / PAGE))->bytes + in, at, part);
		at += part;
		offset += part;
		len -= part;
	}
}

void disk_resize(struct disk_file *file, uint64_t size)
{
	size_t keep = (size_t)((size + PAGE - 1) / PAGE);

	for (size_t i = keep; i < file->page_count; i++)
		drop(file->pages[i]);
	if (keep < file->page_count)
		file->page_count = keep;
	if (size < file->size && size % PAGE != 0 && keep == file->page_count && file->pages[keep - 1] != NULL)
		memset(own(file, keep - 1)->bytes + size % PAGE, 0, PAGE - (size_t)(size % PAGE));
	file->size = size;
}
