/*
 * What a node is told about itself: that its state changed, which piece failed an audit and why, what it reported lost.
 * Numbered for each node, in order, never changed; the node fetches those that it does not have (ASK_STANDING).
 */
#ifndef GRANARY_SATELLITE_NOTICES_H
#define GRANARY_SATELLITE_NOTICES_H

#include "common/database.h"
#include "common/key.h"
#include "common/message.h"

enum notice_kind {
	NOTICE_STATE = 1,
	NOTICE_PIECE = 2, /* failed an audit */
	NOTICE_LOSS = 3,  /* the node reported losses */
};
/* "state"; for JSON. Never NULL. */
const char *notice_kind_name(enum notice_kind kind);

struct notice {
	uint64_t number;
	uint64_t at;
	enum notice_kind kind;
	uint8_t state;	    /* enum node_state, from then on */
	uint8_t verdict;    /* enum audit_verdict; 0: of no piece */
	struct bytes piece; /* 32 bytes, or empty */
	struct bytes challenge;
	const char *words; /* cut at MESSAGE_NOTICE_WORDS bytes when it is told */
};

/* Add one with the node's next number; its row in `reputations` must be there. In a transaction. */
enum err notices_add(struct database *db, const struct address *node, const struct notice *notice) WARN_UNUSED;

/* At most `limit` behind number `after`, in order. Views die with the call. */
typedef enum err notices_visit(const struct notice *notice, void *arg);
enum err notices_each(struct database *db, const struct address *node, uint64_t after, uint64_t limit,
		      notices_visit *visit, void *arg) WARN_UNUSED;

#endif
