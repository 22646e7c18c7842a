/* Page by page, part by part, then sorted. */
#include "uplink/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/metadata.h"
#include "uplink/path.h"

#define PAGE 1000

struct lister {
	struct uplink *uplink;
	char bucket[64];
	struct secret *bucket_key;
	uint8_t prefix[MESSAGE_PATH_MAX];
	size_t prefix_len;
	uint8_t after[MESSAGE_PATH_MAX];
	size_t after_len;
	bool after_folder;
	bool recursive;
	struct listing listing;
	listing_done *done;
	void *arg;
};

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct listing_entry *)a)->name, ((const struct listing_entry *)b)->name);
}

static void finish(struct lister *lister, enum err err, const char *why)
{
	struct listing *listing = &lister->listing;

	if (err == ERR_OK && listing->count > 0)
		qsort(listing->entries, listing->count, sizeof(*listing->entries), compare_entries);
	lister->done(lister->arg, err == ERR_OK ? listing : NULL, err, why);
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	secret_free(lister->bucket_key);
	free(lister);
}

static struct listing_entry *add_entry(struct listing *listing)
{
	listing->entries = memory_grow(listing->entries, &listing->room, listing->count + 1, sizeof(*listing->entries));
	memset(&listing->entries[listing->count], 0, sizeof(*listing->entries));
	return &listing->entries[listing->count++];
}

static bool on_buckets(const struct message *message, enum err err, const char *why, void *arg)
{
	struct lister *lister = arg;
	struct item_bucket item;
	struct listing_entry *entry;
	struct reader r;

	if (message == NULL) {
		finish(lister, err, why);
		return false;
	}
	reader_init(&r, message->buckets.buckets.raw);
	for (uint32_t i = 0; i < message->buckets.buckets.count; i++) {
		list_next(&item_bucket_fields, &r, &item);
		entry = add_entry(&lister->listing);
		entry->name = memory_copy(item.bucket.data, item.bucket.len);
		entry->created = item.created;
	}
	if (!message->buckets.last)
		return true;
	finish(lister, ERR_OK, "");
	return false;
}

void listing_buckets(struct uplink *uplink, listing_done *done, void *arg)
{
	struct lister *lister = memory_new(1, sizeof(*lister));
	struct message message = {.type = MSG_LIST_BUCKETS};

	lister->done = done;
	lister->arg = arg;
	metadata_ask(uplink->metadata, &message, MSG_BUCKETS, on_buckets, lister);
}

/* In the order of the bytes of paths, a folder after the object of its name: a satellite that goes back or round would
 * keep us for ever. */
static bool follows(const struct lister *lister, const struct item_object *item)
{
	size_t least = item->path.len < lister->after_len ? item->path.len : lister->after_len;
	int order = memcmp(item->path.data, lister->after, least);

	if (order == 0 && item->path.len == lister->after_len)
		return item->folder && !lister->after_folder;
	return order > 0 || (order == 0 && item->path.len > lister->after_len);
}

/* False when it does not follow the one before. */
static bool take_object(struct lister *lister, const struct item_object *item)
{
	char name[PATH_TEXT + 1];
	struct listing_entry *entry;
	size_t len;

	if (!follows(lister, item))
		return false;
	memcpy(lister->after, item->path.data, item->path.len);
	lister->after_len = item->path.len;
	lister->after_folder = item->folder != 0;
	if (path_decrypt(lister->bucket_key, item->path, name) != ERR_OK) {
		lister->listing.unreadable++;
		return true;
	}
	len = strlen(name);
	if (item->folder)
		name[len++] = '/';
	entry = add_entry(&lister->listing);
	entry->name = memory_copy(name, len);
	entry->folder = item->folder != 0;
	entry->size = item->plain_size;
	entry->created = item->created;
	entry->expires = item->expires;
	return true;
}

static void ask_page(struct lister *lister);

static bool on_objects(const struct message *message, enum err err, const char *why, void *arg)
{
	struct lister *lister = arg;
	struct item_object item;
	size_t before = lister->after_len;
	struct reader r;

	if (message == NULL) {
		finish(lister, err, why);
		return false;
	}
	reader_init(&r, message->objects.objects.raw);
	for (uint32_t i = 0; i < message->objects.objects.count; i++) {
		list_next(&item_object_fields, &r, &item);
		if (!take_object(lister, &item)) {
			finish(lister, ERR_PROTOCOL, "satellite: a list that is out of order");
			return false;
		}
	}
	if (!message->objects.last)
		return true;
	if (message->objects.more && message->objects.objects.count == 0 && before == lister->after_len)
		finish(lister, ERR_PROTOCOL, "satellite: a page of nothing that is not the last");
	else if (message->objects.more)
		ask_page(lister);
	else
		finish(lister, ERR_OK, "");
	return false;
}

static void ask_page(struct lister *lister)
{
	struct message message = {.type = MSG_LIST_OBJECTS};

	message.list_objects.bucket = bytes_of_text(lister->bucket);
	message.list_objects.prefix = bytes_of(lister->prefix, lister->prefix_len);
	message.list_objects.after = bytes_of(lister->after, lister->after_len);
	message.list_objects.recursive = lister->recursive;
	message.list_objects.limit = PAGE;
	metadata_ask(lister->uplink->metadata, &message, MSG_OBJECTS, on_objects, lister);
}

void listing_objects(struct uplink *uplink, const struct listing_request *request, listing_done *done, void *arg)
{
	struct lister *lister = memory_new(1, sizeof(*lister));
	struct writer w;
	enum err err;

	lister->uplink = uplink;
	snprintf(lister->bucket, sizeof(lister->bucket), "%s", request->bucket);
	lister->recursive = request->recursive;
	lister->done = done;
	lister->arg = arg;
	lister->bucket_key = path_bucket_key(uplink->access->root, bytes_of_text(request->bucket));
	writer_init(&w, lister->prefix, sizeof(lister->prefix));
	err = path_encrypt(lister->bucket_key, bytes_of_text(request->folder), &w);
	if (err != ERR_OK) {
		finish(lister, err, "the folder's path is not allowed");
		return;
	}
	lister->prefix_len = w.len;
	ask_page(lister);
}
