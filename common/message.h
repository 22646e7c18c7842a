/*
 * Every message of every protocol, declared once.
 *
 * On the wire a message is `u16 type, u32 request, body`. One table (message.c) names each type, its number and its
 * fields; common/fields walks it to encode, decode, print and bound a message. Even types must be understood, odd
 * ones may be ignored. A new message is a structure here, a member of the union, a description and a row there.
 *
 * Blobs named after signed things hold that thing's fields and its signature, in the encoding of payments/typed.h.
 */
#ifndef GRANARY_COMMON_MESSAGE_H
#define GRANARY_COMMON_MESSAGE_H

#include "common/endpoint.h"
#include "common/fields.h"
#include "common/refusal.h"

#define MESSAGE_VERSION 1
#define MESSAGE_MAX 65535
#define MESSAGE_HEAD 6
#define MESSAGE_FILTER_PART 60000     /* most bytes of FILTER */
#define MESSAGE_BLOCK 32768	      /* most payload bytes of DATA */
#define MESSAGE_SIBLINGS (6 * 32)     /* most proof bytes of DATA */
#define MESSAGE_SIGNED_MAX 1024	      /* most bytes of any signed thing but an audit's proof */
#define MESSAGE_PATH_MAX 2048	      /* most bytes of an encrypted object path */
#define MESSAGE_INLINE_MAX (4096 + 16) /* most bytes of an object kept in the satellite's metadata */
#define MESSAGE_USAGE_ROWS (1000 * 57) /* most bytes of the rows in one USAGE */
#define MESSAGE_PAYOUT_PROOF (32 * 32) /* most bytes of a payout's proof */
#define MESSAGE_NOTICES 160	       /* in one STANDING */
#define MESSAGE_NOTICE_WORDS 260
#define MESSAGE_REPORT_MAX 32	       /* most transfers of one REPORT */
#define MESSAGE_SHEET_MAX 8449	       /* bytes of a statement's lines */

enum message_type {
	/* every channel */
	MSG_HELLO = 2,
	MSG_ERROR = 4,
	MSG_PING = 6,
	MSG_PONG = 8,
	MSG_DONE = 10, /* what you asked for is done; nothing to tell */
	/* pieces: to a node */
	MSG_PUT = 256,
	MSG_GET = 258,
	MSG_ORDER = 260,
	MSG_DATA = 262,
	MSG_PUT_END = 264,
	MSG_RECEIPT = 266,
	MSG_GET_END = 268,
	MSG_CANCEL = 270,
	MSG_PROVE = 272,
	MSG_PROOF = 274,
	MSG_PROVE_END = 276,
	MSG_DELETE = 278,
	MSG_DELETED = 280,
	MSG_COLLECT = 282,
	MSG_COLLECTED = 284,
	MSG_RESTORE = 286,
	MSG_FILTER = 288,
	/* a node to its satellite */
	MSG_CHECK_IN = 512,
	MSG_CHECKED_IN = 514,
	MSG_SETTLE = 516,
	MSG_SETTLE_ORDERS = 518,
	MSG_VERDICTS = 520,
	MSG_SETTLED = 522,
	MSG_LOSS = 530,
	MSG_ASK_PRICES = 532,
	MSG_PRICES = 534,
	MSG_ASK_USAGE = 536,
	MSG_USAGE = 538,
	MSG_ASK_STATEMENTS = 540,
	MSG_STATEMENT = 542,
	MSG_OFFER_PRICE = 544,
	MSG_ASK_PAYOUT = 546,
	MSG_PAYOUT = 548,
	MSG_ASK_STANDING = 550,
	MSG_STANDING = 552,
	MSG_EXIT = 554,
	MSG_EXIT_STATE = 556,
	/* a client to its satellite */
	MSG_ENROL = 768,
	MSG_MAKE_BUCKET = 770,
	MSG_REMOVE_BUCKET = 772,
	MSG_LIST_BUCKETS = 774,
	MSG_BUCKETS = 776,
	MSG_BEGIN_OBJECT = 778,
	MSG_OBJECT_BEGUN = 780,
	MSG_BEGIN_SEGMENT = 782,
	MSG_SEGMENT_BEGUN = 784,
	MSG_COMMIT_SEGMENT = 786,
	MSG_INLINE_SEGMENT = 788,
	MSG_COMMIT_OBJECT = 790,
	MSG_ABORT_OBJECT = 792,
	MSG_GET_OBJECT = 794,
	MSG_OBJECT = 796,
	MSG_LIST_OBJECTS = 798,
	MSG_OBJECTS = 800,
	MSG_GET_SEGMENT = 802,
	MSG_SEGMENT = 804,
	MSG_REMOVE_OBJECT = 806,
	MSG_ASK_ACCOUNT = 808,
	MSG_ACCOUNT = 810,
	MSG_REPORT = 811,
};

/* The first message each way, request 0. The domain is the satellite's; a node sends zeros. */
struct msg_hello {
	uint16_t version;
	uint64_t features;
	uint64_t chain_id;
	struct address contract;
};

struct msg_error {
	uint16_t code; /* enum refusal */
	struct bytes text;
};

struct msg_ping {
	uint64_t at; /* echoed by PONG */
};

struct msg_pong {
	uint64_t at;
};

struct msg_empty {
	uint8_t none; /* not sent */
};

/* PUT, then ORDER and DATA, then PUT_END; answered by one RECEIPT. All carry the PUT's request number. The node
 * reserves the allocation's limit; the piece's true size comes with PUT_END. */
struct msg_put {
	struct bytes32 piece;
	struct bytes allocation; /* signed Allocation */
};

/* Answered by DATA for each block that covers the range, as far as orders reach, then GET_END. */
struct msg_get {
	struct bytes32 piece;
	uint64_t offset; /* bytes of the piece */
	uint64_t length; /* > 0 unless the piece is empty */
	struct bytes allocation; /* signed Allocation */
};

struct msg_order {
	struct bytes order; /* signed Order */
};

struct msg_data {
	uint32_t block;		/* number of the 32 KiB block in the piece */
	struct bytes siblings;	/* GET: hashes that tie the block to the root, nearest first; PUT: empty */
	struct bytes payload;	/* the whole block */
};

struct msg_put_end {
	uint64_t size;
	struct bytes32 root;
};

struct msg_receipt {
	struct bytes receipt; /* signed Receipt */
};

struct msg_get_end {
	uint64_t bytes; /* payload bytes sent */
};

/* One PROOF per piece of the challenge, in order, then PROVE_END. */
struct msg_prove {
	struct bytes challenge; /* audit/challenge.h */
};

struct msg_proof {
	uint32_t index;	    /* of the piece in the challenge */
	uint8_t answer;	    /* enum audit_answer: held, missing, corrupt */
	struct bytes proof; /* audit/proof.h; empty unless held */
};

struct msg_prove_end {
	struct bytes audit; /* Audit signed by the node, without verdicts yet */
};

struct msg_delete {
	struct bytes deletion; /* signed Deletion */
	struct list pieces;    /* of struct item_piece, sorted */
};

struct item_piece {
	struct bytes32 piece;
};

struct msg_deleted {
	uint32_t count; /* pieces that were there */
	uint64_t bytes; /* that they held */
};

/* COLLECT, then the filter in FILTERs; answered by COLLECTED once pieces are in the trash, or held. */
struct msg_collect {
	struct bytes collection; /* signed Collection */
	uint32_t size;		 /* bytes of the encoded filter, common/filter.h */
};

struct msg_filter {
	struct bytes part; /* where the one before ended */
};

struct msg_collected {
	uint8_t held;	 /* 1: nothing went, it would be too much */
	uint64_t since;	 /* Unix seconds, of the first wish like it; 0: not held */
	uint64_t pieces; /* of the satellite in the shard, those in the trash too */
	uint64_t bytes;
	uint64_t unwanted_pieces;
	uint64_t unwanted_bytes;
	uint64_t moved_pieces; /* into the trash; of RESTORE: out of it */
	uint64_t moved_bytes;
};

/* Answered by COLLECTED. */
struct msg_restore {
	uint64_t since;	    /* Unix seconds; counts when no pieces are listed */
	struct list pieces; /* of struct item_piece */
};

struct msg_check_in {
	struct bytes version;  /* of the software */
	struct bytes endpoint; /* host:port where this node can be dialled */
	uint64_t allocated;    /* bytes */
	uint64_t used;
	uint64_t available;
	struct bytes payee; /* signed Payee */
};

struct msg_checked_in {
	uint64_t time;	     /* the satellite's clock, Unix seconds */
	uint8_t reachable;   /* 1: the dial-back found this node */
	uint8_t status;	     /* enum of doc/formats.md: 1 in good standing */
	struct bytes reason; /* words for a person when not */
};

/* SETTLE, then SETTLE_ORDERS in parts; answered by VERDICTS in parts, then SETTLED. */
struct msg_settle {
	struct bytes settlement; /* signed Settlement */
};

struct msg_settle_orders {
	struct list orders; /* of struct item_order, sorted by order struct hash over all parts */
	uint8_t last;
};

struct item_signed {
	struct bytes signed_thing;
};

struct item_order {
	struct bytes allocation; /* signed Allocation */
	struct bytes order;	 /* signed Order */
};

struct msg_verdicts {
	struct list verdicts; /* of struct item_verdict, in the order of the orders */
	uint8_t last;
};

struct item_verdict {
	struct bytes32 allocation; /* struct hash */
	uint8_t verdict;	   /* enum verdict, payments/settlement.h */
	uint16_t code;		   /* enum refusal when rejected */
	uint64_t bytes;		   /* counted for this order in all */
};

struct msg_settled {
	struct bytes settled; /* signed Settled */
};

/* Pieces that the node itself found damaged: they earn no more. Answered by DONE, also when they were told before. */
struct msg_loss {
	struct bytes loss; /* signed Loss */
	struct list pieces; /* of struct item_piece, sorted */
};

/* Which prices the satellite has published, from this day (Unix seconds / 86400) on. */
struct msg_ask_prices {
	uint32_t day;
};

struct msg_prices {
	struct list prices; /* of struct item_signed: Price, those that hold on that day or later, by their `from` */
	uint8_t last;
};

/* A day that is over, of this node: the rows of pieces behind this one, or, zeros, from the first on. */
struct msg_ask_usage {
	uint32_t day;
	struct bytes32 after;
};

/* In parts; all but rows and last are the same in each. */
struct msg_usage {
	struct bytes usage;  /* signed Usage */
	uint64_t bytes;	     /* carried into the day */
	uint128 debt;	     /* byte-seconds, the same */
	struct bytes rows;   /* whole rows of payments/usage.h */
	uint8_t more;	     /* 1: ask again, after the last of them */
	uint8_t last;
};

/* The statements of this node of months after this one, YYYYMM. */
struct msg_ask_statements {
	uint32_t period;
};

/* One statement in each, by month. */
struct msg_statement {
	struct bytes statement; /* signed; empty when there are none */
	struct bytes sheet;	/* its lines */
	uint8_t last;
};

/* This node's place in the payout of a closed month, YYYYMM. */
struct msg_ask_payout {
	uint32_t period;
};

struct msg_payout {
	struct bytes32 root;
	struct address payee;
	struct bytes32 cumulative; /* uint256, base units */
	struct bytes proof;	   /* hashes of 32 bytes, nearest sibling first */
};

/* What a node asks for its work. Answered by DONE, also when it is known. */
struct msg_offer_price {
	struct bytes price; /* signed Price */
};

/* How a node stands with the satellite, and what happened to it since notice `after`. */
struct msg_ask_standing {
	uint64_t after;
};

/* Scores are in millionths. Unless it is the last there are more notices, to be asked for. */
struct msg_standing {
	uint8_t state;	     /* 1 good, 2 vetting, 3 suspended, 4 offline, 5 disqualified, 6 exiting, 7 exited */
	uint64_t since;	     /* Unix seconds */
	struct bytes reason; /* words for a person; "" when there is none */
	uint32_t audit;	     /* score of proofs */
	uint32_t unknown;    /* of answered challenges */
	uint32_t online;
	uint64_t proven; /* pieces, in all */
	uint64_t failed;
	uint64_t vetting_left;	/* pieces that it must prove yet to be vetted */
	uint64_t vetting_until; /* and the time before which it is not; 0 when it is vetted */
	uint32_t audits_left;	/* of the next 1,000 proofs, how many may fail */
	uint64_t offline_left;	/* seconds that it may be away */
	uint64_t grace_until;	/* when it is disqualified unless something changes, 0: never */
	struct list notices;	/* of struct item_notice, by number */
	uint8_t last;
};

struct item_notice {
	uint64_t number; /* 1, 2, 3, … for each node */
	uint64_t at;
	uint8_t kind;	    /* 1 its state changed, 2 a piece failed an audit, 3 it reported losses */
	uint8_t state;	    /* of the node from then on */
	uint8_t verdict;    /* on the piece, audit/challenge.h; 0: of none */
	struct bytes piece; /* its id, or empty */
	struct bytes challenge; /* hash of the audit, or empty */
	struct bytes words;
};

/* A node wants to leave in good order, or to know how far that has come. Answered by EXIT_STATE. */
struct msg_exit {
	uint8_t begin; /* 1: begin now; fine when it did already. 0: only tell */
};

enum exit_state {
	EXIT_NONE = 1, /* it did not ask to leave */
	EXIT_UNDER_WAY = 2,
	EXIT_COMPLETE = 3,
	EXIT_FAILED = 4,
};

struct msg_exit_state {
	uint8_t state;	      /* enum exit_state */
	uint64_t allowed;     /* from when on it may begin, Unix seconds */
	uint64_t asked;	      /* when it began; 0: never */
	uint64_t ended;	      /* 0: not yet */
	uint64_t pieces;      /* that it held when it began, or holds, when it has not */
	uint64_t bytes;	      /* of those */
	uint64_t left;	      /* pieces still there */
	uint64_t moved;	      /* pieces that it gave away since */
	uint64_t failed;      /* that had to be made from others, or were lost */
	uint64_t failed_max;  /* with more than these it fails */
	uint64_t held;	      /* what is held back of its pay in closed months, base units */
	struct bytes why;     /* it failed */
	struct bytes receipt; /* signed Exit, once complete */
};

/* Makes the channel's key a client of the satellite. Answered by DONE; the same key and code again: DONE again. */
struct msg_enrol {
	struct bytes code;
};

struct msg_bucket {
	struct bytes bucket; /* 3 to 63 of a-z 0-9 . - */
};

/* An answer in parts, `last` set on the final one. */
struct msg_buckets {
	struct list buckets; /* of struct item_bucket, by name */
	uint8_t last;
};

struct item_bucket {
	struct bytes bucket;
	uint64_t created;
};

struct msg_begin_object {
	struct bytes bucket;
	struct bytes path; /* encrypted, uplink/path.h */
	uint64_t expires;  /* 0: never */
};

struct msg_object_begun {
	struct bytes32 version; /* names the object until it is committed, and in associated data for ever */
	uint16_t required;	/* the redundancy policy: k / repair / success / total */
	uint16_t repair;
	uint16_t success;
	uint16_t total;
};

struct msg_begin_segment {
	struct bytes32 version;
	uint32_t number;
	uint64_t piece_size;  /* most bytes of a piece */
	struct list excluded; /* of struct item_node: nodes that failed in an earlier attempt */
};

struct item_node {
	struct address node;
};

/* Answers BEGIN_SEGMENT, in parts. */
struct msg_segment_begun {
	struct bytes32 segment;
	struct list pieces; /* of struct item_allocation */
	uint8_t last;
};

struct item_allocation {
	uint16_t number;	 /* of the piece in the segment */
	struct bytes32 root;	 /* of the piece; zeros in SEGMENT_BEGUN */
	struct bytes endpoint;	 /* id@host:port */
	struct bytes allocation; /* signed Allocation */
};

/* What decrypts a segment. Opaque to the satellite. */
#define MESSAGE_WRAPPED_KEY 72

/* Every receipt must come from a distinct node allocated for `segment`, and say piece_size, which must be the size
 * that plain_size implies. Answered by DONE. */
struct msg_commit_segment {
	struct bytes32 segment;
	uint64_t plain_size;
	uint64_t piece_size;
	struct bytes wrapped_key;
	struct list receipts; /* of struct item_receipt */
};

struct item_receipt {
	uint16_t number;
	struct bytes receipt; /* signed Receipt */
};

struct msg_inline_segment {
	struct bytes32 version;
	uint32_t number;
	uint64_t plain_size;
	struct bytes wrapped_key;
	struct bytes data; /* encrypted */
};

/* Makes the object visible, replacing an older one of that name. Refused unless segments 0 … segments - 1 are all
 * committed and add up to plain_size. */
struct msg_commit_object {
	struct bytes32 version;
	uint32_t segments;
	uint64_t plain_size;
	struct bytes metadata; /* encrypted by the client */
};

struct msg_abort_object {
	struct bytes32 version;
};

struct msg_get_object {
	struct bytes bucket;
	struct bytes path;
};

struct msg_object {
	struct bytes32 version;
	uint64_t plain_size;
	uint32_t segments;
	uint64_t created;
	uint64_t expires;
	uint16_t required;
	uint16_t repair;
	uint16_t success;
	uint16_t total;
	struct bytes metadata;
};

/* Objects and folders directly under `prefix` (whole encrypted components; empty for the bucket), in ciphertext
 * order after `after`. */
struct msg_list_objects {
	struct bytes bucket;
	struct bytes prefix;
	struct bytes after;
	uint8_t recursive; /* 1: everything below, no folders */
	uint32_t limit;
};

struct msg_objects {
	struct list objects; /* of struct item_object */
	uint8_t more;	     /* the limit cut the listing: ask again after the last path */
	uint8_t last;
};

struct item_object {
	struct bytes path; /* the whole path below the bucket; of a folder, up to its component */
	uint8_t folder;
	uint64_t plain_size;
	uint64_t created;
	uint64_t expires; /* 0: never */
	struct bytes metadata;
};

/* Allocations to read a segment: `count` pieces (0: required plus a few) beginning with number `first`, wrapping,
 * of nodes thought online and not excluded, each limited to `limit` bytes. */
struct msg_get_segment {
	struct bytes32 version;
	uint32_t number;
	uint64_t limit;
	uint16_t first;
	uint16_t count;
	struct list excluded; /* of struct item_node */
};

/* Answers GET_SEGMENT, in parts. An inline segment has data and no pieces. */
struct msg_segment {
	uint64_t plain_size;
	uint64_t piece_size;
	struct bytes wrapped_key;
	struct bytes data;
	struct list pieces; /* of struct item_allocation */
	uint8_t last;
};

/* What a client uses this month, in bytes; what it keeps is counted by the bytes of pieces. */
struct msg_account {
	uint64_t from;	/* start of the month, Unix seconds */
	uint64_t until; /* now */
	uint64_t objects;
	uint64_t segments;
	uint64_t stored;
	uint64_t uploading; /* of uploads that are not complete */
	uint64_t reserved;  /* allocated to them, not committed */
	uint64_t egress;    /* downloads that were settled */
	uint64_t allocated; /* for downloads, not settled yet */
	uint64_t downloads; /* orders settled */
	uint128 byte_seconds;
	uint64_t storage_quota; /* 0: none */
	uint64_t egress_quota;
	uint64_t charge_storage; /* base units per TB stored for a month */
	uint64_t charge_egress;	 /* base units per TB */
};

/* What a client saw of nodes, without an answer: a hint, which may be ignored. */
struct msg_report {
	struct list transfers; /* of struct item_transfer */
};

/* A transfer that went well, failed, or was given up for being slow: enum transfer_outcome. */
struct item_transfer {
	struct bytes allocation; /* signed, as the satellite gave it */
	uint8_t outcome;
	uint64_t bytes; /* moved */
	uint32_t ms;	/* from the request to the end */
};

enum transfer_outcome {
	TRANSFER_DONE = 1,
	TRANSFER_FAILED = 2,
	TRANSFER_SLOW = 3,
};

struct message {
	uint16_t type;
	uint32_t request;
	union {
		struct msg_hello hello;
		struct msg_error error;
		struct msg_ping ping;
		struct msg_pong pong;
		struct msg_empty empty; /* DONE, CANCEL, LIST_BUCKETS */
		struct msg_put put;
		struct msg_get get;
		struct msg_order order;
		struct msg_data data;
		struct msg_put_end put_end;
		struct msg_receipt receipt;
		struct msg_get_end get_end;
		struct msg_prove prove;
		struct msg_proof proof;
		struct msg_prove_end prove_end;
		struct msg_delete delete;
		struct msg_deleted deleted;
		struct msg_collect collect;
		struct msg_collected collected;
		struct msg_restore restore;
		struct msg_filter filter;
		struct msg_check_in check_in;
		struct msg_checked_in checked_in;
		struct msg_settle settle;
		struct msg_settle_orders settle_orders;
		struct msg_verdicts verdicts;
		struct msg_settled settled;
		struct msg_loss loss;
		struct msg_ask_prices ask_prices;
		struct msg_prices prices;
		struct msg_ask_usage ask_usage;
		struct msg_usage usage;
		struct msg_ask_statements ask_statements;
		struct msg_statement statement;
		struct msg_offer_price offer_price;
		struct msg_ask_payout ask_payout;
		struct msg_payout payout;
		struct msg_ask_standing ask_standing;
		struct msg_standing standing;
		struct msg_exit exit;
		struct msg_exit_state exit_state;
		struct msg_enrol enrol;
		struct msg_bucket bucket; /* MAKE_BUCKET, REMOVE_BUCKET */
		struct msg_buckets buckets;
		struct msg_begin_object begin_object;
		struct msg_object_begun object_begun;
		struct msg_begin_segment begin_segment;
		struct msg_segment_begun segment_begun;
		struct msg_commit_segment commit_segment;
		struct msg_inline_segment inline_segment;
		struct msg_commit_object commit_object;
		struct msg_abort_object abort_object;
		struct msg_get_object get_object; /* also REMOVE_OBJECT */
		struct msg_object object;
		struct msg_list_objects list_objects;
		struct msg_objects objects;
		struct msg_get_segment get_segment;
		struct msg_segment segment;
		struct msg_account account;
		struct msg_report report;
	};
};

/* Descriptions of list items, for list_next and fields_encode. */
extern const struct fields item_piece_fields, item_signed_fields, item_order_fields,
	item_verdict_fields, item_bucket_fields, item_node_fields, item_allocation_fields,
	item_receipt_fields, item_object_fields, item_notice_fields, item_transfer_fields;

struct message_spec {
	uint16_t type;
	struct fields fields; /* named "PUT" and so on */
	size_t max;	      /* most bytes of a whole message */
};

/* The row of a type, NULL when unknown. */
const struct message_spec *message_find(uint16_t type);
/* All rows, for tests and printers. */
const struct message_spec *message_table(size_t *ret_count);

/* The bytes that message_encode writes, when it accepts the message. */
size_t message_size(const struct message *message);

/* Write a whole message. The writer's error is set when it does not fit or a member is over its limit: a bug of
 * ours, or text of a user's that was not checked. */
void message_encode(const struct message *message, struct writer *w);

/* Read a whole message; views in *ret point into `from`. On failure *ret_why names the field, type and request are
 * set when there were enough bytes, and the refusal that the peer shall get is returned: MALFORMED, TOO_LONG, or
 * UNKNOWN_TYPE (also for unknown odd types, which the caller ignores). */
enum refusal message_decode(struct bytes from, struct message *ret, const char **ret_why) WARN_UNUSED;

/* "PUT request=7 piece=… allocation=…" for logs and test failures; payloads are shown as lengths. Returns out. */
char *message_print(const struct message *message, char *out, size_t room);

#endif
