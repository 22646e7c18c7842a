/*
 * Files of pieces that are gone: somebody, or a checker of the filesystem, took them away.
 *
 * A twin without its segment tells of one (twin.h), after any stop. The start takes what the twin says as if the file
 * were there: so the tombstones in it still bind, and no older copy of its pieces comes back to life. What is alive in
 * it then is lost: it leaves the index, goes to the list of damage, and its satellites are told. Only when that is
 * durable is the file given up, and of the twin is kept what still binds.
 *
 * A file that was given up may be found again, in lost+found perhaps. Checkpoints know nothing of it any more, so they
 * are dropped, all footers are read, and its pieces are there again.
 */
#ifndef GRANARY_NODE_STORE_GONE_H
#define GRANARY_NODE_STORE_GONE_H

#include "node/store/damage.h"
#include "node/store/replay.h"

struct gone_file {
	uint32_t id;
	bool given_up;		 /* by a start before this one */
	struct segment *segment; /* with all entries of the twin; NULL: it cannot be read */
	size_t lost;		 /* pieces */
};

struct gone {
	struct gone_file *files; /* in order of id */
	size_t count;
	uint32_t *back; /* ids of files that were given up, and are there again */
	size_t back_count;
	uint32_t last_id;	   /* of all that there are twins of */
	struct damage_entry *lost; /* pieces */
	size_t lost_count;
	size_t lost_room;
};

/* Find them: `ids` are the files of pieces that are there, in order. */
enum err gone_find(struct store *store, const uint32_t *ids, size_t count, struct gone *ret) WARN_UNUSED;
void gone_free(struct store *store, struct gone *gone);
/* Once all records are applied: take what is gone out of index and table; what was alive is in gone->lost. */
void gone_take_out(struct store *store, struct gone *gone);
/* Once the list of damage is loaded: list what is lost, and give the files up. What cannot be done now is done by the
 * next start. */
void gone_settle(struct store *store, struct gone *gone);

#endif
