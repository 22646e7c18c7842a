/* LIST_OBJECTS and its SQL. */
#include "satellite/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/components.h"
#include "common/memory.h"
#include "satellite/buckets.h"

/* A listing under way. `at` is the least path still to be looked at, `end` the least that is past the prefix. */
struct walk {
	struct work *work;
	struct reply_list list;
	struct message answer;
	char bucket[65];
	uint64_t now;
	uint8_t at[MESSAGE_PATH_MAX + 1];
	size_t at_len;
	uint8_t end[MESSAGE_PATH_MAX];
	size_t end_len; /* 0: no end */
	uint32_t limit;
	uint32_t count;
	uint8_t last_path[MESSAGE_PATH_MAX]; /* of the last item */
	size_t last_len;
};

static enum err check_request(struct work *work)
{
	const struct msg_list_objects *m = &work->message->list_objects;

	if (components_check(m->prefix) != ERR_OK)
		return work_refuse(work, REFUSAL_NAME, "prefix: not a sequence of encrypted components");
	if (components_check(m->after) != ERR_OK)
		return work_refuse(work, REFUSAL_NAME, "after: not a sequence of encrypted components");
	return buckets_require(work, m->bucket);
}

/* The path itself and a zero byte are the least that is greater than a path. */
static void go_on_after(struct walk *walk, struct bytes path)
{
	memcpy(walk->at, path.data, path.len);
	walk->at[path.len] = 0;
	walk->at_len = path.len + 1;
}

/* Past a path and all that lies below it. */
static void skip_below(struct walk *walk, struct bytes path)
{
	walk->at_len = components_after(path, walk->at);
}

/* Byte order; a string comes before all that it begins. */
static int compare(struct bytes a, struct bytes b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* An `after` before the prefix changes nothing. */
static void start_after(struct walk *walk, const struct msg_list_objects *m)
{
	uint8_t prefix_at[MESSAGE_PATH_MAX + 1];
	size_t prefix_len = walk->at_len;

	memcpy(prefix_at, walk->at, prefix_len);
	if (m->recursive)
		go_on_after(walk, m->after);
	else
		skip_below(walk, m->after);
	if (compare(bytes_of(walk->at, walk->at_len), bytes_of(prefix_at, prefix_len)) < 0) {
		memcpy(walk->at, prefix_at, prefix_len);
		walk->at_len = prefix_len;
	}
}

static void start(struct walk *walk, struct work *work)
{
	const struct msg_list_objects *m = &work->message->list_objects;

	walk->work = work;
	walk->now = clock_wall();
	snprintf(walk->bucket, sizeof(walk->bucket), "%.*s", (int)m->bucket.len, m->bucket.data);
	walk->limit = m->limit == 0 || m->limit > LISTING_MOST ? LISTING_MOST : m->limit;
	if (m->prefix.len > 0) {
		walk->end_len = components_after(m->prefix, walk->end);
		go_on_after(walk, m->prefix);
	}
	if (m->after.len > 0)
		start_after(walk, m);
	walk->answer.type = MSG_OBJECTS;
	reply_list_begin(&walk->list, work->reply, &walk->answer, &walk->answer.objects.objects,
			 &walk->answer.objects.last, &item_object_fields);
}

static struct query *ask(struct walk *walk)
{
	struct query *q =
		database_query(walk->work->desk->db,
			       "SELECT path, plain_size, committed, metadata, expires FROM objects WHERE state = 2 AND "
			       "owner = $owner AND bucket = $bucket AND path >= $at AND (expires = 0 OR "
			       "expires > $now) ORDER BY path");

	query_address(q, "owner", &walk->work->caller->address);
	query_text(q, "bucket", walk->bucket);
	query_bytes(q, "at", bytes_of(walk->at, walk->at_len));
	query_int(q, "now", walk->now);
	return q;
}

static bool past_end(const struct walk *walk, struct bytes path)
{
	return walk->end_len > 0 && compare(path, bytes_of(walk->end, walk->end_len)) >= 0;
}

/* A folder right after the object of the same name goes with it even at the limit. */
static bool is_full(const struct walk *walk, struct bytes child, bool folder)
{
	if (walk->count < walk->limit)
		return false;
	return !(folder && bytes_equal(child, bytes_of(walk->last_path, walk->last_len)));
}

static void add_item(struct walk *walk, struct query *q, struct bytes child, bool folder)
{
	struct item_object item = {.path = child, .folder = folder};

	if (!folder) {
		item.plain_size = query_get_int(q, 1);
		item.created = query_get_int(q, 2);
		item.metadata = query_get_bytes(q, 3);
		item.expires = query_get_int(q, 4);
	}
	reply_list_add(&walk->list, &item);
	memcpy(walk->last_path, child.data, child.len);
	walk->last_len = child.len;
	walk->count++;
}

/* One row. *ret_again: the query must be asked anew, from walk->at; *ret_done: the listing ends here. */
static void take_row(struct walk *walk, struct query *q, bool *ret_again, bool *ret_done)
{
	const struct msg_list_objects *m = &walk->work->message->list_objects;
	struct bytes path = query_get_bytes(q, 0);
	struct bytes child = m->recursive ? path : components_child(path, m->prefix);
	bool folder = child.len < path.len;

	*ret_done = past_end(walk, path);
	if (*ret_done)
		return;
	if (is_full(walk, child, folder)) {
		walk->answer.objects.more = 1;
		*ret_done = true;
		return;
	}
	add_item(walk, q, child, folder);
	*ret_again = folder;
	if (folder)
		skip_below(walk, child);
}

static enum err run(struct database *db, void *arg)
{
	struct walk *walk = arg;
	bool again = true, done = false, row;
	enum err err = ERR_OK;

	(void)db;
	while (again && !done && err == ERR_OK) {
		struct query *q = ask(walk);

		again = false;
		for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
			take_row(walk, q, &again, &done);
			if (again || done)
				break;
		}
		query_reset(q);
	}
	return err;
}

enum err listing_list(struct work *work)
{
	enum err err = check_request(work);
	struct walk *walk;

	if (err != ERR_OK)
		return err;
	walk = memory_new(1, sizeof(*walk));
	start(walk, work);
	err = database_view(work->desk->db, run, walk);
	if (err == ERR_OK)
		reply_list_end(&walk->list);
	free(walk);
	return err;
}
