/*
 * Why a party refuses: the stable codes of the ERROR message and of settlement verdicts.
 *
 * A number never changes its meaning and is never used again (doc/formats.md lists them). Kept apart from enum err,
 * which is ours to rearrange.
 */
#ifndef GRANARY_COMMON_REFUSAL_H
#define GRANARY_COMMON_REFUSAL_H

#include "common/error.h"

enum refusal {
	REFUSAL_NONE = 0,
	/* the transport and the messages */
	REFUSAL_PROTOCOL = 1,	  /* a message that makes no sense here */
	REFUSAL_MALFORMED = 2,	  /* a field that does not parse or is over its limit */
	REFUSAL_UNKNOWN_TYPE = 3, /* an even message type that we do not know */
	REFUSAL_VERSION = 4,	  /* no common protocol version */
	REFUSAL_BUSY = 5,	  /* past a budget: try again later */
	REFUSAL_INTERNAL = 6,	  /* our own fault; the request may be tried again */
	REFUSAL_DENIED = 7,	  /* this peer may not ask this */
	REFUSAL_TOO_LONG = 8,	  /* a message longer than its type allows */
	REFUSAL_TIMEOUT = 9,	  /* too slow */
	REFUSAL_SHUTDOWN = 10,	  /* going down: try again later */
	/* allocations */
	REFUSAL_SATELLITE = 20,	   /* not from a satellite that this node trusts */
	REFUSAL_NODE = 21,	   /* made for another node */
	REFUSAL_CLIENT = 22,	   /* made for another client than the channel's peer */
	REFUSAL_ACTION = 23,	   /* made for another action */
	REFUSAL_PIECE = 24,	   /* made for another piece */
	REFUSAL_EXPIRED = 25,	   /* past its expiry */
	REFUSAL_EARLY = 26,	   /* issued in the future */
	REFUSAL_LIFETIME = 27,	   /* lives longer than 24 hours, or expires before it was issued */
	REFUSAL_SERIAL_HOUR = 28,  /* the serial's hour is not that of the expiry */
	REFUSAL_REPLAY = 29,	   /* used before */
	REFUSAL_SIGNATURE = 30,	   /* a signature that is not the expected party's */
	REFUSAL_HIGH_S = 31,	   /* a malleable signature (EIP-2) */
	REFUSAL_SERIAL_BUDGET = 32, /* too many allocations outstanding for this satellite and client */
	/* orders */
	REFUSAL_ORDER_ALLOCATION = 40, /* an order for another allocation */
	REFUSAL_ORDER_SHRINKS = 41,    /* less than an earlier one */
	REFUSAL_ORDER_LIMIT = 42,      /* more than the allocation's limit */
	REFUSAL_UNORDERED = 43,	       /* data sent without an order for it */
	/* pieces */
	REFUSAL_PIECE_LIMIT = 50, /* an upload over its limit */
	REFUSAL_ROOT = 51,	  /* the data does not have the root that was named */
	REFUSAL_RANGE = 52,	  /* a range outside the piece */
	REFUSAL_NOT_FOUND = 53,	  /* no such piece, bucket or object */
	REFUSAL_FULL = 54,	  /* no space left */
	REFUSAL_READ_ONLY = 55,	  /* the store takes no more writes */
	REFUSAL_CORRUPT = 56,	  /* the piece is damaged on the node's disk */
	REFUSAL_EXISTS = 57,	  /* it is already there */
	REFUSAL_FILTER = 58,	  /* not the filter that was signed, or none that can be */
	/* settlement */
	REFUSAL_LATE = 70,	 /* settled after expiry and grace */
	REFUSAL_UNISSUED = 71,	 /* not an allocation of this satellite */
	REFUSAL_COMMITMENT = 72, /* the orders are not those that the settlement commits to */
	REFUSAL_PRICE = 73,	 /* a price of days that make no sense, or that have begun */
	/* objects */
	REFUSAL_GRANT = 80,	    /* an enrolment code unknown, used or expired */
	REFUSAL_CLIENT_UNKNOWN = 81, /* a client that is not enrolled */
	REFUSAL_NOT_ENOUGH_NODES = 82, /* fewer healthy nodes with room than the policy asks */
	REFUSAL_COMMIT = 83,	    /* receipts that do not make a segment */
	REFUSAL_NOT_EMPTY = 84,	    /* a bucket that still holds objects */
	REFUSAL_NAME = 85,	    /* a bucket or object name that is not allowed */
	REFUSAL_CONFLICT = 86,	    /* it changed meanwhile */
	REFUSAL_QUOTA = 87,	    /* the client would pass its quota */
	/* leaving */
	REFUSAL_EXIT_AGE = 95,	   /* a node too young to leave in good order */
	REFUSAL_EXIT_CLOSED = 96,  /* a node that cannot leave in good order any more */
};

/* Short stable name, "order_shrinks"; for logs and JSON. "unknown" for a code that we do not know. Never NULL. */
const char *refusal_name(enum refusal refusal);

/* One plain phrase for people. Never NULL. */
const char *refusal_text(enum refusal refusal);

/* What our own failure means to a peer: FULL, READ_ONLY, NOT_FOUND, CORRUPT, BUSY, EXISTS, RANGE map to their
 * namesakes, all else to INTERNAL. */
enum refusal refusal_from_err(enum err err);

/* What a peer's refusal means to us: the nearest enum err, ERR_REMOTE when there is none. */
enum err refusal_to_err(enum refusal refusal);

#endif
