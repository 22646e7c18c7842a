/* The SQL of audits: which pieces are whose turn, and what came of it. */
#ifndef GRANARY_SATELLITE_AUDITS_H
#define GRANARY_SATELLITE_AUDITS_H

#include "audit/challenge.h"
#include "common/database.h"
#include "common/message.h"
#include "payments/typed.h"

/* A piece that is to be proven, and what came of it. */
struct audited_piece {
	struct bytes32 piece;
	struct bytes32 root;
	uint64_t size;
	uint8_t samples; /* leaves to prove, at least 1 */
	enum audit_verdict verdict;
};

#define AUDITS_VERDICTS (AUDITED_UNKNOWN + 1)

/* One challenge to one node. */
struct audit_batch {
	struct address node;
	struct audited_piece *pieces;
	uint32_t count;
	uint32_t room;
	bool whole_sample;	  /* drawn from all the node's bytes, else listed */
	struct bytes32 challenge; /* its hash */
	uint64_t at;		  /* Unix seconds */
	uint64_t bytes;		  /* of leaves proven under a transcript that the node signed */
	uint8_t transcript[MESSAGE_SIGNED_MAX];
	size_t transcript_len; /* 0: there is none */
	/* set by audits_record: by verdict, pieces that still were the node's */
	uint32_t verdicts[AUDITS_VERDICTS];
};

/* Empty, with room for `room` pieces. */
void audits_batch_init(struct audit_batch *batch, const struct address *node, uint32_t room);
void audits_batch_free(struct audit_batch *batch);

/* Fill the batch with the pieces after `after` (by id; NULL: from the first), each with so many samples. Pieces that
 * are known to be lost are left out. */
enum err audits_next_pieces(struct database *db, struct audit_batch *batch, const struct bytes32 *after,
			    uint8_t samples) WARN_UNUSED;
/* Fill it with a sample of `draws` positions among all bytes that the node holds, in one view. */
enum err audits_draw_pieces(struct database *db, struct audit_batch *batch, uint32_t draws) WARN_UNUSED;

/* Keep the verdicts, in one transaction. Pieces that were deleted meanwhile do not count. A piece missing or corrupt is
 * lost since its last proof, or since it was stored when it never had one. */
enum err audits_record(struct database *db, struct audit_batch *batch) WARN_UNUSED;

/* A node whose next batch is due, and after which piece it begins. Nodes that have no round yet get one first.
 * Among the few longest due, the `skip`-th. ERR_NOT_FOUND. */
enum err audits_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret_node,
		    struct bytes32 *ret_after) WARN_UNUSED;
/* Note where the node's round goes on, and when. */
enum err audits_set_due(struct database *db, const struct address *node, const struct bytes32 *after,
			uint64_t due) WARN_UNUSED;
/* Pieces that a node holds, and their bytes. */
enum err audits_holdings(struct database *db, const struct address *node, uint64_t *ret_pieces,
			 uint64_t *ret_bytes) WARN_UNUSED;

#endif
