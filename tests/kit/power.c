/* What the disk may hold after the power went: an image starts from what is durable and takes some pending changes. */
#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/fault_private.h"

/* Bytes that the disk once held somewhere: of any pending write. */
static void stale_bytes(const struct fault *fault, struct random_stream *dice, uint8_t *out, size_t len)
{
	const struct change *donor = &fault->changes[random_stream_below(dice, fault->change_count)];

	for (size_t i = 0; i < len; i++)
		out[i] = donor->len > 0 ? donor->data[i % donor->len] : (uint8_t)(i * 31);
}

/* Apply the parts of a write that reached the disk; a unit of 0 takes it whole or not at all. */
static void apply_write(const struct fault *fault, struct fault *image, const struct change *change,
			enum fault_keep keep, struct random_stream *dice)
{
	struct disk_file *file = &image->files[change->file].now;
	size_t unit = keep == FAULT_TORN_4K ? 4096 : 512, at = 0;

	if (keep < FAULT_TORN_4K) {
		disk_write(file, change->data, change->len, change->offset);
		return;
	}
	while (at < change->len) {
		size_t part = unit - (size_t)((change->offset + at) % unit);

		if (part > change->len - at)
			part = change->len - at;
		if (random_stream_below(dice, 2) == 0) {
			disk_write(file, change->data + at, part, change->offset + at);
		} else if (keep == FAULT_STALE && random_stream_below(dice, 4) == 0) {
			uint8_t other[512];

			stale_bytes(fault, dice, other, part);
			disk_write(file, other, part, change->offset + at);
		}
		at += part;
	}
}

static void apply_change(const struct fault *fault, struct fault *image, const struct change *change,
			 enum fault_keep keep, struct random_stream *dice)
{
	switch (change->what) {
	case CHANGE_WRITE:
		apply_write(fault, image, change, keep, dice);
		break;
	case CHANGE_RESIZE:
		disk_resize(&image->files[change->file].now, change->offset);
		break;
	case CHANGE_LINK:
		fault_set_name(&image->now, change->path, change->file);
		break;
	case CHANGE_UNLINK:
		fault_drop_name(&image->now, change->path);
		break;
	}
}

/* Names below a directory that did not make it are gone with it. */
static void drop_orphans(struct fault *image)
{
	for (size_t i = 0; i < image->now.count;) {
		char parent[PATH_ROOM];

		fault_parent_of(image->now.list[i].path, parent);
		if (fault_find_name(&image->now, parent) != NULL) {
			i++;
			continue;
		}
		image->now.list[i] = image->now.list[--image->now.count];
		i = 0;
	}
}

static void copy_names(struct names *to, const struct names *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		fault_set_name(to, from->list[i].path, from->list[i].file);
}

/* Nobody can open a file without a name any more. */
static void forget_nameless(struct fault *image)
{
	bool *named = memory_new(image->file_count + 1, sizeof(*named));

	for (size_t i = 0; i < image->now.count; i++)
		named[image->now.list[i].file] = true;
	for (size_t i = 0; i < image->file_count; i++) {
		if (!named[i])
			disk_free(&image->files[i].now);
	}
	free(named);
}

/* With the disk's lock: it may be in use. */
static struct fault *image_of(const struct fault *fault, enum fault_keep keep, uint64_t seed)
{
	struct fault *image = fault_new(fault->capacity);
	struct random_stream dice;
	size_t until = fault->change_count;

	random_stream_init(&dice, bytes_of(&seed, sizeof(seed)));
	copy_names(&image->now, keep == FAULT_ALL ? &fault->now : &fault->safe);
	image->file_count = 0;
	for (size_t i = 0; i < fault->file_count; i++) {
		size_t file = fault_add_file(image, fault->files[i].directory);

		disk_copy(&image->files[file].now, keep == FAULT_ALL ? &fault->files[i].now : &fault->files[i].safe);
	}
	if (keep == FAULT_ALL || keep == FAULT_SYNCED)
		until = 0;
	else if (keep == FAULT_PREFIX)
		until = (size_t)random_stream_below(&dice, fault->change_count + 1);
	for (size_t i = 0; i < until; i++) {
		if (keep == FAULT_PREFIX || random_stream_below(&dice, 3) != 0)
			apply_change(fault, image, &fault->changes[i], keep, &dice);
	}
	drop_orphans(image);
	forget_nameless(image);
	copy_names(&image->safe, &image->now);
	for (size_t i = 0; i < image->file_count; i++)
		disk_copy(&image->files[i].safe, &image->files[i].now);
	return image;
}

struct fault *fault_image(const struct fault *fault, enum fault_keep keep, uint64_t seed)
{
	pthread_mutex_t *lock = &((struct fault *)(uintptr_t)fault)->lock;
	struct fault *image;

	pthread_mutex_lock(lock);
	image = image_of(fault, keep, seed);
	pthread_mutex_unlock(lock);
	return image;
}
