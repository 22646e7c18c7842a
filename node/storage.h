/*
 * The node's store as something that can go away: opened if it is there, watched while it is open, waited for while it
 * is not.
 *
 * A disk that is not mounted, another node's store, or an empty directory where the store was must not end the daemon,
 * and far less be answered as lost pieces: the node shuts its door, says why, and opens again when the disk is back.
 * Which store is ours is for the store to know (node/store/home.h); here it is tried every few seconds. An open one is
 * looked for every second by its path, which an unmounted or renamed disk no longer answers to, and now and then by
 * reading from it past the page cache. Disks are touched in a thread of its own, because a broken one can take its
 * time. All else belongs to the daemon's loop.
 */
#ifndef GRANARY_NODE_STORAGE_H
#define GRANARY_NODE_STORAGE_H

#include "common/loop.h"
#include "node/admission.h"

struct storage;

struct storage_options {
	const char *dir; /* the node's */
	struct store_options store;
	uint64_t in_flight; /* as admission_new */
	uint32_t serials;
};

struct storage_events {
	void (*came)(void *arg); /* it is open */
	/* It is open, but its disk is gone: close whatever uses it, then storage_close. */
	void (*went)(void *arg);
};

/* Nothing is opened yet. What is pointed to must outlive it. */
struct storage *storage_new(struct loop *loop, const struct storage_options *options,
			    const struct storage_events *events, void *arg);
/* Open the store now, and learn which allocations were used; blocks. Words go to `why`. ERR_BUSY when another process
 * has it. */
enum err storage_open(struct storage *storage, char why[STORE_MESSAGE]) WARN_UNUSED;
/* Whether waiting can help against what storage_open failed with. */
bool storage_may_come(enum err err);
/* From now on `came` and `went` are called. */
void storage_watch(struct storage *storage);
/* Close the store. Nobody may use it any more; watched, it is waited for then. */
void storage_close(struct storage *storage);
/* No more of that: waits for a look that is under way. The store stays open for storage_close. */
void storage_unwatch(struct storage *storage);
/* Gone by loop_free at the latest. */
void storage_free(struct storage *storage);

/* NULL while it is not there. */
struct store *storage_store(const struct storage *storage);
/* Never NULL, but another one after each opening. */
struct admission *storage_admission(const struct storage *storage);
/* Why it is not there, a sentence without a full stop; "" while it is open. */
const char *storage_missing(const struct storage *storage);
/* So many bytes may be stored from now on; after each opening too. */
void storage_resize(struct storage *storage, uint64_t allocation);

#endif
