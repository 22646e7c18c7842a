/* The parts of an open store, for the files behind store.h. Each part guards itself; there is no lock over all. */
#ifndef GRANARY_NODE_STORE_ENGINE_H
#define GRANARY_NODE_STORE_ENGINE_H

#include "node/store/claims.h"
#include "node/store/committer.h"
#include "node/store/damage.h"
#include "node/store/heads.h"
#include "node/store/index.h"
#include "node/store/keeper.h"
#include "node/store/reaper.h"
#include "node/store/segments.h"
#include "node/store/store.h"
#include "node/store/super.h"
#include "node/store/transfer_log.h"
#include "node/store/upkeep.h"

struct store {
	const struct seam *seam;
	char dir[SEGMENT_PATH / 2];	  /* DIR/store */
	char pieces_dir[SEGMENT_PATH];	  /* DIR/store/segments */
	char transfers_dir[SEGMENT_PATH]; /* DIR/store/transfers */
	int lock_fd;
	int super_fd;
	uint64_t device; /* of SUPER, when it was opened */
	pthread_mutex_t super_lock; /* of super and its file */
	struct super super;
	struct record_secret secret;
	struct store_options options;
	struct health health;
	struct sequence sequence;
	struct claims claims;
	struct heads heads;
	struct damage_list damage;
	struct index *index;
	struct segments *segments;
	struct twins twins;
	struct committer *committer;
	struct keeper *keeper;
	struct transfer_log *log;
	atomic_uint_fast64_t trimmed; /* whoever follows the log has all transfers up to this number */
	struct upkeep *upkeep;
	struct compact *compact;
	struct scrub *scrub;
	struct reaper reaper;
	struct collector *collector;
	atomic_uint_fast64_t newest; /* Unix seconds, of the newest piece or transfer record that is known */
	struct checkpointer *checkpointer;
	bool short_start; /* a checkpoint was of use */
	uint64_t gone_files, gone_pieces; /* as struct store_damage says */
};

/* Save SUPER with the numbers used so far; a failure turns the store read-only. */
enum err store_save_super(struct store *store) WARN_UNUSED;

/* A piece or transfer was recorded then. */
void store_note_created(struct store *store, uint64_t created);

/* A live record: its segment is pinned. */
struct located {
	struct segment *segment;
	uint64_t hash;
	struct index_place place;
	struct record record;
};

enum locate_depth {
	LOCATE_CORE, /* the record's core only */
	LOCATE_HEAD, /* the whole head, and the payload of small pieces along with it */
};

/* Find a piece by its full key, with one read. For LOCATE_HEAD *ret_raw gets what was read (head, then the payload when
 * it is at most RECORD_SMALL; NULL when the head came from the cache), which the caller frees. ERR_NOT_FOUND;
 * ERR_CORRUPT when its head is damaged; ERR_IO. */
enum err store_locate(struct store *store, const struct store_key *key, enum locate_depth depth, struct located *ret,
		      uint8_t **ret_raw) WARN_UNUSED;

/* A listed damaged piece, from what the list knows of it: segment, hash, place, and of the record key, size, extent and
 * sequence. ERR_NOT_FOUND when it is not listed or its record is not there any more. */
enum err store_locate_damaged(struct store *store, const struct store_key *key, struct located *ret) WARN_UNUSED;

/* The deal of a record from what was agreed, and back. NULL order: none. */
void store_deal_of(const struct allocation *allocation, const struct signature *allocation_signature,
		   const struct bytes32 *hash, struct record_deal *ret);
void store_deal_order(const struct order *order, const struct signature *signature, struct record_deal *deal);
enum err store_deal_read(const struct record_deal *deal, struct store_transfer *ret) WARN_UNUSED;

#endif
