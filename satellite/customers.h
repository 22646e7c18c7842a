/*
 * The other side of the books: what each client keeps and has sent to it, and how far it may go.
 *
 * Clients are counted by the bytes of pieces, not of files, and by the bytes that they ordered: what they cost. Stored
 * bytes run from an object's commit to its removal and are kept as sums by hour, written as things happen, so a month
 * is counted without looking at objects. Quotas count outstanding allocations too: what a client was allowed to
 * upload, and what it was allowed to download and has not settled within the lifetime of the allocation.
 *
 * All that write run inside a transaction. Sizes are bytes, times Unix seconds.
 */
#ifndef GRANARY_SATELLITE_CUSTOMERS_H
#define GRANARY_SATELLITE_CUSTOMERS_H

#include "common/amount.h"
#include "payments/price.h"
#include "satellite/desk.h"

#define CUSTOMERS_DEFAULT UINT64_MAX

/* A segment of the client's upload was committed: this much is stored now, visible or not. */
enum err customers_add_segment(struct database *db, const struct bytes32 *version, uint64_t bytes) WARN_UNUSED;
/* An object became visible, in the transaction that made it so. */
enum err customers_add_object(struct database *db, const struct bytes32 *version) WARN_UNUSED;
/* A removed object is forgotten; before its row is deleted. */
enum err customers_drop_object(struct database *db, const struct bytes32 *version) WARN_UNUSED;
/* Orders of one client were settled: what is new of them. `hour` of their allocations' expiry. */
enum err customers_add_traffic(struct database *db, const struct address *client, uint64_t hour, enum action action,
			       uint64_t bytes, uint64_t orders) WARN_UNUSED;

/* Whether the caller may store `bytes` more: REFUSAL_QUOTA. Inside the transaction that allows it. */
enum err customers_check_storage(struct work *work, uint64_t bytes) WARN_UNUSED;
/* Whether the caller may be sent `bytes` more, by allocations that expire at `expires`, and count them:
 * REFUSAL_QUOTA. In a transaction of its own; nothing is written for a client without a quota. */
enum err customers_take_egress(struct work *work, uint64_t bytes, uint64_t expires) WARN_UNUSED;

struct customer_usage {
	struct address client;
	uint64_t from;	  /* start of the month */
	uint64_t until;	  /* now */
	uint64_t objects; /* visible, now */
	uint64_t segments;
	uint64_t stored;		  /* of visible objects, now */
	uint64_t uploading;		  /* committed segments of uploads under way, and of what is being removed */
	uint64_t reserved;		  /* allowed to uploads under way */
	uint64_t egress;		  /* ordered for downloads and settled this month */
	uint64_t allocated;		  /* for downloads, not settled yet */
	uint64_t downloads;		  /* orders settled this month */
	struct byte_seconds byte_seconds; /* this month */
	uint64_t storage_quota;		  /* 0: none, as the next */
	uint64_t egress_quota;		  /* a month */
	struct charged charged;		  /* this month, by the charges of now */
};
/* ERR_NOT_FOUND for a client that is not enrolled. Several queries: inside a view or a transaction. */
enum err customers_usage(struct database *db, const struct settings *settings, const struct address *client,
			 uint64_t now, struct customer_usage *ret) WARN_UNUSED;

/* ASK_ACCOUNT: ACCOUNT. */
enum err customers_answer(struct work *work) WARN_UNUSED;

/* A client's own quotas; NULL leaves one as it is, CUSTOMERS_DEFAULT puts the satellite's default back, 0 sets none.
 * ERR_NOT_FOUND. */
enum err customers_set_quota(struct database *db, const struct address *client, const uint64_t *storage,
			     const uint64_t *egress) WARN_UNUSED;
/* All clients in the order of their addresses, in one view; stops at the first error of `each`. */
enum err customers_each(struct database *db, const struct settings *settings, uint64_t now,
			enum err (*each)(const struct customer_usage *usage, void *arg), void *arg) WARN_UNUSED;

#endif
