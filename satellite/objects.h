/*
 * Objects: begun, visible, removed.
 *
 * An upload is a row that nobody sees. Committing makes it the visible one of its path and removes an older one in
 * the same transaction, so a reader finds the old object or the new one, whole. Removing only changes the state;
 * satellite/deleter.h takes the pieces back afterwards.
 */
#ifndef GRANARY_SATELLITE_OBJECTS_H
#define GRANARY_SATELLITE_OBJECTS_H

#include "satellite/desk.h"

enum object_state {
	OBJECT_BEGUN = 1,
	OBJECT_VISIBLE = 2,
	OBJECT_REMOVED = 3,
};

/* What other verbs need to know of an object. */
struct object {
	enum object_state state;
	struct redundancy redundancy;
	uint64_t committed;
	uint64_t expires; /* 0: never */
};

/* BEGIN_OBJECT, COMMIT_OBJECT (idempotent), ABORT_OBJECT (idempotent), GET_OBJECT, REMOVE_OBJECT. */
enum err objects_begin(struct work *work) WARN_UNUSED;
enum err objects_commit(struct work *work) WARN_UNUSED;
enum err objects_abort(struct work *work) WARN_UNUSED;
enum err objects_get(struct work *work) WARN_UNUSED;
enum err objects_remove(struct work *work) WARN_UNUSED;

/* The caller's object of this version; refused with NOT_FOUND, or CONFLICT when its state is not `state`. */
enum err objects_require(struct work *work, const struct bytes32 *version, enum object_state state,
			 struct object *ret) WARN_UNUSED;
/* Note that an upload goes on. Inside a transaction. */
enum err objects_touch(struct database *db, const struct bytes32 *version) WARN_UNUSED;

/* Before a bucket of the caller's goes: *ret_empty tells whether it holds nothing visible; if so the uploads under
 * way in it are removed. Inside a transaction. */
enum err objects_drop_bucket(struct work *work, struct bytes bucket, bool *ret_empty) WARN_UNUSED;

/* Remove visible objects whose time has come, and uploads not touched since `idle_since`. Inside a transaction. */
enum err objects_expire(struct database *db, uint64_t now, uint64_t idle_since) WARN_UNUSED;
/* Whether there are any of these. */
enum err objects_any_expired(struct database *db, uint64_t now, uint64_t idle_since, bool *ret) WARN_UNUSED;
/* Some removed object that is still there. ERR_NOT_FOUND when there is none. */
struct removed_object {
	struct bytes32 version;
	bool was_visible;
	uint64_t expires; /* 0: never */
};
enum err objects_next_removed(struct database *db, struct removed_object *ret) WARN_UNUSED;
/* Forget a removed object that has no segments left. Inside a transaction. */
enum err objects_forget(struct database *db, const struct bytes32 *version) WARN_UNUSED;

#endif
