/* The verbs on buckets, and their SQL. */
#include "satellite/buckets.h"

#include <string.h>

#include "common/clock.h"
#include "satellite/objects.h"

#define BUCKET_MIN 3
#define BUCKET_MAX 63

static bool is_alphanumeric(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* 3 to 63 of a-z 0-9 . -, beginning and ending with a letter or digit, no two dots in a row. NULL, or what is wrong
 * with the name. */
static const char *name_fault(struct bytes name)
{
	if (name.len < BUCKET_MIN || name.len > BUCKET_MAX)
		return "bucket: a name has 3 to 63 characters";
	for (size_t i = 0; i < name.len; i++) {
		if (!is_alphanumeric(name.data[i]) && name.data[i] != '.' && name.data[i] != '-')
			return "bucket: a name is of a-z, 0-9, '.' and '-' only";
		if (name.data[i] == '.' && i > 0 && name.data[i - 1] == '.')
			return "bucket: a name has no two dots in a row";
	}
	if (!is_alphanumeric(name.data[0]) || !is_alphanumeric(name.data[name.len - 1]))
		return "bucket: a name begins and ends with a letter or digit";
	return NULL;
}

/* A checked name as a C string, for binding. */
static char *name_text(struct bytes name, char out[BUCKET_MAX + 1])
{
	memcpy(out, name.data, name.len);
	out[name.len] = '\0';
	return out;
}

static void bind_bucket(struct query *q, struct work *work, struct bytes name)
{
	char text[BUCKET_MAX + 1];

	query_address(q, "owner", &work->caller->address);
	query_text(q, "name", name_text(name, text));
}

enum err buckets_require(struct work *work, struct bytes name)
{
	const char *fault = name_fault(name);
	struct query *q;
	enum err err;

	if (fault != NULL)
		return work_refuse(work, REFUSAL_NAME, "%s", fault);
	q = database_query(work->desk->db, "SELECT 1 FROM buckets WHERE owner = $owner AND name = $name");
	bind_bucket(q, work, name);
	err = query_one(q);
	query_reset(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "bucket: no bucket %.*s", (int)name.len, name.data);
	return err;
}

static enum err make(struct database *db, void *arg)
{
	struct work *work = arg;
	struct bytes name = work->message->bucket.bucket;
	struct query *q = database_query(db, "INSERT INTO buckets (owner, name, created) VALUES ($owner, $name, "
					     "$created)");
	enum err err;

	bind_bucket(q, work, name);
	query_int(q, "created", clock_wall());
	err = query_run(q);
	if (err == ERR_EXISTS)
		return work_refuse(work, REFUSAL_EXISTS, "bucket: there is a bucket %.*s already", (int)name.len,
				   name.data);
	return err;
}

enum err buckets_make(struct work *work)
{
	const char *fault = name_fault(work->message->bucket.bucket);
	enum err err;

	if (fault != NULL)
		return work_refuse(work, REFUSAL_NAME, "%s", fault);
	err = database_transaction(work->desk->db, make, work);
	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

static enum err remove_bucket(struct database *db, void *arg)
{
	struct work *work = arg;
	struct bytes name = work->message->bucket.bucket;
	struct query *q;
	bool empty = false;
	enum err err;

	err = buckets_require(work, name);
	if (err == ERR_OK)
		err = objects_drop_bucket(work, name, &empty);
	if (err != ERR_OK)
		return err;
	if (!empty)
		return work_refuse(work, REFUSAL_NOT_EMPTY, "bucket: %.*s is not empty", (int)name.len, name.data);
	q = database_query(db, "DELETE FROM buckets WHERE owner = $owner AND name = $name");
	bind_bucket(q, work, name);
	return query_run(q);
}

enum err buckets_remove(struct work *work)
{
	enum err err = database_transaction(work->desk->db, remove_bucket, work);

	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

enum err buckets_list(struct work *work)
{
	struct query *q = database_query(work->desk->db, "SELECT name, created FROM buckets WHERE owner = $owner "
							 "ORDER BY name");
	struct message answer = {.type = MSG_BUCKETS};
	struct reply_list list;
	struct item_bucket item;
	bool row;
	enum err err;

	reply_list_begin(&list, work->reply, &answer, &answer.buckets.buckets, &answer.buckets.last,
			 &item_bucket_fields);
	reply_list_limit(&list, 800);
	query_address(q, "owner", &work->caller->address);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		item.bucket = bytes_of_text(query_get_text(q, 0));
		item.created = query_get_int(q, 1);
		reply_list_add(&list, &item);
	}
	if (err == ERR_OK)
		reply_list_end(&list);
	return err;
}
