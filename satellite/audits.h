/* The SQL of audits: which pieces are whose turn. */
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
	bool gone;	 /* not the node's any more, so that nothing is known of it */
	uint8_t answer;	 /* enum audit_answer; 0: none came */
	enum audit_verdict verdict;
};

#define AUDITS_VERDICTS (AUDITED_UNKNOWN + 1)
#define AUDITS_CHALLENGE_MAX (41 + CHALLENGE_PIECES * 33) /* bytes of a challenge */

/* How a challenge ended. */
enum audit_end {
	AUDIT_ANSWERED = 1,  /* to the end, and signed */
	AUDIT_UNREACHED = 2, /* it was not put to the node */
	AUDIT_SILENT = 3,    /* the node was asked and stopped talking */
	AUDIT_BROKEN = 4,    /* it said what makes no sense, or nothing in time any more */
};

/* One challenge to one node. */
struct audit_batch {
	struct address node;
	struct audited_piece *pieces;
	uint32_t count;
	uint32_t room;
	enum challenge_form form;
	uint32_t tries;	      /* times that it was asked before, in vain */
	uint64_t first_asked; /* Unix seconds; 0: never before */
	uint8_t *sent;	      /* the challenge; NULL: still to be made */
	size_t sent_len;
	/* set by asking_run */
	struct bytes32 challenge; /* its hash */
	uint64_t at;		  /* Unix seconds */
	uint64_t took;		  /* nanoseconds, from PROVE on */
	enum audit_end end;
	enum err result;			/* why it ended so */
	uint64_t bytes;				/* of leaves proven under the node's signature */
	uint8_t transcript[MESSAGE_SIGNED_MAX]; /* Audit as the node signed it */
	size_t transcript_len;			/* 0: it did not */
	uint8_t verdict[MESSAGE_SIGNED_MAX];	/* the same with verdicts, as the satellite did */
	size_t verdict_len;
	uint8_t *record; /* audit/transcript.h */
	size_t record_len;
	/* set by verdicts_record */
	bool contained;			    /* nothing was judged: it will be asked again */
	uint32_t verdicts[AUDITS_VERDICTS]; /* by verdict, pieces that still were the node's */
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

/* Where a node's round is. */
struct audit_round {
	struct address node;
	struct bytes32 after; /* the last piece that was challenged; zeros: from the first on */
	uint64_t due;
	uint64_t piece_us; /* what a proof takes the node, smoothed; 0: not known yet */
	bool vetting;	   /* it is new */
};
/* A node whose next batch is due. Nodes that have no round yet get one first; contained ones, disqualified ones and
 * those that have left wait. Among the few longest due, the `skip`-th. ERR_NOT_FOUND. */
enum err audits_due(struct database *db, uint64_t now, uint32_t skip, struct audit_round *ret) WARN_UNUSED;
/* Note where the node's round goes on, when, and how fast the node is. */
enum err audits_set_round(struct database *db, const struct audit_round *round) WARN_UNUSED;
/* Pieces that a node holds, and their bytes. */
enum err audits_holdings(struct database *db, const struct address *node, uint64_t *ret_pieces,
			 uint64_t *ret_bytes) WARN_UNUSED;

#endif
