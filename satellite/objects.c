/* The verbs on objects, and their SQL. */
#include "satellite/objects.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/components.h"
#include "common/random.h"
#include "satellite/buckets.h"
#include "satellite/customers.h"
#include "satellite/segments.h"
#include "satellite/storage.h"

#define TIME_MAX ((uint64_t)INT64_MAX)

/* A bucket's name as a C string; the message bounds its length. */
static void bind_bucket(struct query *q, struct work *work, struct bytes bucket)
{
	char text[65];

	snprintf(text, sizeof(text), "%.*s", (int)bucket.len, bucket.data);
	query_address(q, "owner", &work->caller->address);
	query_text(q, "bucket", text);
}

static void bind_path(struct query *q, struct work *work, struct bytes bucket, struct bytes path)
{
	bind_bucket(q, work, bucket);
	query_bytes(q, "path", path);
}

static enum err check_path(struct work *work, struct bytes path)
{
	if (path.len == 0 || components_check(path) != ERR_OK)
		return work_refuse(work, REFUSAL_NAME, "path: not a sequence of encrypted components");
	return ERR_OK;
}

struct new_object {
	struct work *work;
	struct bytes32 version;
	uint64_t now;
};

static enum err insert_object(struct database *db, void *arg)
{
	const struct new_object *new = arg;
	const struct msg_begin_object *m = &new->work->message->begin_object;
	const struct redundancy *redundancy = &new->work->desk->settings->redundancy;
	struct query *q;
	enum err err;

	err = buckets_require(new->work, m->bucket);
	if (err != ERR_OK)
		return err;
	q = database_query(db,
			   "INSERT INTO objects (version, owner, bucket, path, state, required, repair, success, total,"
			   " begun, touched, committed, expires, segments, plain_size, metadata) "
			   "VALUES ($version, $owner, $bucket, $path, 1, $required, $repair, $success, $total,"
			   " $now, $now, 0, $expires, 0, 0, $metadata)");
	bind_path(q, new->work, m->bucket, m->path);
	query_bytes32(q, "version", &new->version);
	query_int(q, "required", redundancy->required);
	query_int(q, "repair", redundancy->repair);
	query_int(q, "success", redundancy->success);
	query_int(q, "total", redundancy->total);
	query_int(q, "now", new->now);
	query_int(q, "expires", m->expires);
	query_bytes(q, "metadata", (struct bytes){NULL, 0});
	return query_run(q);
}

enum err objects_begin(struct work *work)
{
	const struct msg_begin_object *m = &work->message->begin_object;
	const struct redundancy *redundancy = &work->desk->settings->redundancy;
	struct new_object new = {.work = work, .now = clock_wall()};
	struct message answer = {.type = MSG_OBJECT_BEGUN};
	enum err err;

	err = check_path(work, m->path);
	if (err != ERR_OK)
		return err;
	if (m->expires != 0 && (m->expires <= new.now || m->expires > TIME_MAX))
		return work_refuse(work, REFUSAL_RANGE, "expires: %" PRIu64 " is not in the future", m->expires);
	random_bytes(new.version.b, sizeof(new.version.b));
	err = database_transaction(work->desk->db, insert_object, &new);
	if (err != ERR_OK)
		return err;
	answer.object_begun = (struct msg_object_begun){new.version, redundancy->required, redundancy->repair,
							redundancy->success, redundancy->total};
	reply_add(work->reply, &answer);
	return ERR_OK;
}

/* In any state. */
static enum err find_object(struct work *work, const struct bytes32 *version, struct object *ret)
{
	struct query *q =
		database_query(work->desk->db, "SELECT state, required, repair, success, total, committed, expires "
					       "FROM objects WHERE version = $version AND owner = $owner");
	enum err err;

	query_bytes32(q, "version", version);
	query_address(q, "owner", &work->caller->address);
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "version: no such object");
	if (err != ERR_OK)
		return err;
	ret->state = (enum object_state)query_get_int(q, 0);
	ret->redundancy = (struct redundancy){(uint16_t)query_get_int(q, 1), (uint16_t)query_get_int(q, 2),
					      (uint16_t)query_get_int(q, 3), (uint16_t)query_get_int(q, 4)};
	ret->committed = query_get_int(q, 5);
	ret->expires = query_get_int(q, 6);
	query_reset(q);
	return ERR_OK;
}

enum err objects_require(struct work *work, const struct bytes32 *version, enum object_state state, struct object *ret)
{
	struct object object;
	enum err err = find_object(work, version, &object);

	if (err != ERR_OK)
		return err;
	if (object.state == OBJECT_VISIBLE && object.expires != 0 && object.expires <= clock_wall())
		return work_refuse(work, REFUSAL_NOT_FOUND, "version: the object has expired");
	if (object.state != state)
		return work_refuse(work, REFUSAL_CONFLICT, "version: the object is %s",
				   object.state == OBJECT_BEGUN	    ? "not committed yet"
				   : object.state == OBJECT_VISIBLE ? "committed already"
								    : "removed or replaced");
	*ret = object;
	return ERR_OK;
}

enum err objects_touch(struct database *db, const struct bytes32 *version)
{
	struct query *q = database_query(db, "UPDATE objects SET touched = $now WHERE version = $version");

	query_bytes32(q, "version", version);
	query_int(q, "now", clock_wall());
	return query_run(q);
}

static enum err set_removed(struct database *db, const struct bytes32 *version)
{
	struct query *q = database_query(db, "UPDATE objects SET state = 3, removed = $now WHERE version = $version");

	query_bytes32(q, "version", version);
	query_int(q, "now", clock_wall());
	return query_run(q);
}

/* The one that everybody sees under this path, if any, makes way. */
static enum err remove_visible(struct work *work, const struct bytes32 *successor)
{
	struct query *q = database_query(
		work->desk->db,
		"UPDATE objects SET state = 3, removed = $now WHERE state = 2 AND (owner, bucket, path) = "
		"(SELECT owner, bucket, path FROM objects WHERE version = $successor)");

	query_bytes32(q, "successor", successor);
	query_int(q, "now", clock_wall());
	return query_run(q);
}

static enum err make_visible(struct work *work)
{
	const struct msg_commit_object *m = &work->message->commit_object;
	struct query *q =
		database_query(work->desk->db, "UPDATE objects SET state = 2, committed = $now, segments = $segments, "
					       "plain_size = $size, metadata = $metadata WHERE version = $version");

	query_bytes32(q, "version", &m->version);
	query_int(q, "now", clock_wall());
	query_int(q, "segments", m->segments);
	query_int(q, "size", m->plain_size);
	query_bytes(q, "metadata", m->metadata);
	return query_run(q);
}

static enum err check_segments(struct work *work)
{
	const struct msg_commit_object *m = &work->message->commit_object;
	struct segments_sum sum;
	enum err err = segments_sum(work->desk->db, &m->version, &sum);

	if (err != ERR_OK)
		return err;
	if (sum.count != m->segments || (sum.count > 0 && sum.highest != m->segments - 1))
		return work_refuse(work, REFUSAL_COMMIT, "segments: %" PRIu64 " of %" PRIu32 " are committed",
				   sum.count, m->segments);
	if (sum.plain_size != m->plain_size)
		return work_refuse(work, REFUSAL_COMMIT, "plain_size: the segments add up to %" PRIu64 ", not %" PRIu64,
				   sum.plain_size, m->plain_size);
	return ERR_OK;
}

static enum err commit(struct database *db, void *arg)
{
	struct work *work = arg;
	const struct bytes32 *version = &work->message->commit_object.version;
	struct object object;
	enum err err;

	err = find_object(work, version, &object);
	if (err == ERR_OK && object.state == OBJECT_VISIBLE)
		return ERR_OK;
	if (err == ERR_OK)
		err = objects_require(work, version, OBJECT_BEGUN, &object);
	if (err == ERR_OK && object.expires != 0 && object.expires <= clock_wall())
		err = work_refuse(work, REFUSAL_EXPIRED, "expires: the object expired before it was committed");
	if (err == ERR_OK)
		err = check_segments(work);
	if (err == ERR_OK)
		err = segments_drop_begun(db, version);
	if (err == ERR_OK)
		err = remove_visible(work, version);
	if (err == ERR_OK)
		err = make_visible(work);
	if (err == ERR_OK)
		err = storage_begin_object(db, version);
	return err == ERR_OK ? customers_add_object(db, version) : err;
}

enum err objects_commit(struct work *work)
{
	enum err err = database_transaction(work->desk->db, commit, work);

	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

static enum err abort_upload(struct database *db, void *arg)
{
	struct work *work = arg;
	const struct bytes32 *version = &work->message->abort_object.version;
	struct object object;
	enum err err = find_object(work, version, &object);

	if (err != ERR_OK || object.state == OBJECT_REMOVED)
		return err;
	if (object.state == OBJECT_VISIBLE)
		return work_refuse(work, REFUSAL_CONFLICT, "version: the object is committed already");
	return set_removed(db, version);
}

enum err objects_abort(struct work *work)
{
	enum err err = database_transaction(work->desk->db, abort_upload, work);

	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

static struct query *select_visible(struct work *work, uint64_t now)
{
	const struct msg_get_object *m = &work->message->get_object;
	struct query *q = database_query(work->desk->db,
					 "SELECT version, plain_size, segments, committed, expires, required, repair, "
					 "success, total, metadata FROM objects WHERE state = 2 AND owner = $owner AND "
					 "bucket = $bucket AND path = $path AND (expires = 0 OR expires > $now)");

	bind_path(q, work, m->bucket, m->path);
	query_int(q, "now", now);
	return q;
}

enum err objects_get(struct work *work)
{
	struct message answer = {.type = MSG_OBJECT};
	struct msg_object *object = &answer.object;
	struct query *q;
	enum err err;

	err = buckets_require(work, work->message->get_object.bucket);
	if (err != ERR_OK)
		return err;
	q = select_visible(work, clock_wall());
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "path: no such object");
	if (err == ERR_OK)
		err = query_get_exact(q, 0, object->version.b, sizeof(object->version.b));
	if (err == ERR_OK) {
		object->plain_size = query_get_int(q, 1);
		object->segments = (uint32_t)query_get_int(q, 2);
		object->created = query_get_int(q, 3);
		object->expires = query_get_int(q, 4);
		object->required = (uint16_t)query_get_int(q, 5);
		object->repair = (uint16_t)query_get_int(q, 6);
		object->success = (uint16_t)query_get_int(q, 7);
		object->total = (uint16_t)query_get_int(q, 8);
		object->metadata = query_get_bytes(q, 9);
		reply_add(work->reply, &answer);
	}
	query_reset(q);
	return err;
}

static enum err remove_object(struct database *db, void *arg)
{
	struct work *work = arg;
	struct bytes32 version;
	struct query *q;
	enum err err;

	err = buckets_require(work, work->message->get_object.bucket);
	if (err != ERR_OK)
		return err;
	q = select_visible(work, clock_wall());
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "path: no such object");
	if (err == ERR_OK)
		err = query_get_exact(q, 0, version.b, sizeof(version.b));
	query_reset(q);
	return err == ERR_OK ? set_removed(db, &version) : err;
}

enum err objects_remove(struct work *work)
{
	enum err err = database_transaction(work->desk->db, remove_object, work);

	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}

enum err objects_drop_bucket(struct work *work, struct bytes bucket, bool *ret_empty)
{
	/* Uploads, and what expired but was not collected yet; each has an index of its own. */
	static const char *const drop[] = {
		"UPDATE objects SET state = 3, removed = $now WHERE state = 1 AND owner = $owner AND bucket = $bucket",
		"UPDATE objects SET state = 3, removed = $now WHERE state = 2 AND owner = $owner AND bucket = $bucket",
	};
	struct query *q = database_query(
		work->desk->db, "SELECT 1 FROM objects WHERE state = 2 AND owner = $owner AND bucket = $bucket "
				"AND (expires = 0 OR expires > $now) LIMIT 1");
	enum err err;

	bind_bucket(q, work, bucket);
	query_int(q, "now", clock_wall());
	err = query_one(q);
	query_reset(q);
	*ret_empty = err == ERR_NOT_FOUND;
	if (err != ERR_NOT_FOUND)
		return err;
	err = ERR_OK;
	for (size_t i = 0; i < 2 && err == ERR_OK; i++) {
		q = database_query(work->desk->db, drop[i]);
		bind_bucket(q, work, bucket);
		query_int(q, "now", clock_wall());
		err = query_run(q);
	}
	return err;
}

enum err objects_expire(struct database *db, uint64_t now, uint64_t idle_since)
{
	struct query *q =
		database_query(db, "UPDATE objects SET state = 3, removed = expires WHERE state = 2 AND expires > 0 "
				   "AND expires <= $now");
	enum err err;

	query_int(q, "now", now);
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE objects SET state = 3, removed = $now WHERE state = 1 AND touched < $since");
	query_int(q, "now", now);
	query_int(q, "since", idle_since);
	return query_run(q);
}

enum err objects_any_expired(struct database *db, uint64_t now, uint64_t idle_since, bool *ret)
{
	struct query *q = database_query(
		db, "SELECT EXISTS (SELECT 1 FROM objects WHERE state = 2 AND expires > 0 AND expires <= $now) OR "
		    "EXISTS (SELECT 1 FROM objects WHERE state = 1 AND touched < $since)");
	enum err err;

	query_int(q, "now", now);
	query_int(q, "since", idle_since);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = query_get_int(q, 0) != 0;
	query_reset(q);
	return ERR_OK;
}

enum err objects_next_removed(struct database *db, struct removed_object *ret)
{
	struct query *q = database_query(db, "SELECT version, committed, expires FROM objects WHERE state = 3 "
					     "ORDER BY version LIMIT 1");
	enum err err = query_one(q);

	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->version.b, sizeof(ret->version.b));
	if (err == ERR_OK) {
		ret->was_visible = query_get_int(q, 1) != 0;
		ret->expires = query_get_int(q, 2);
	}
	query_reset(q);
	return err;
}

enum err objects_forget(struct database *db, const struct bytes32 *version)
{
	struct query *q = database_query(db, "DELETE FROM objects WHERE version = $version AND state = 3");
	enum err err = customers_drop_object(db, version);

	if (err != ERR_OK)
		return err;
	query_bytes32(q, "version", version);
	return query_run(q);
}
