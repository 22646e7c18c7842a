/*
 * A satellite without a network, for tests of its verbs: a desk on a real database in a temporary directory, clients
 * and nodes that are nothing but keys, requests that go through the codec as they would on the wire.
 */
#ifndef GRANARY_TESTS_KIT_OFFICE_H
#define GRANARY_TESTS_KIT_OFFICE_H

#include "payments/typed.h"
#include "satellite/desk.h"
#include "satellite/verbs.h"

#define OFFICE_NODES 128
#define OFFICE_PIECES 128 /* most pieces of an answer that office_pieces reads */

struct office {
	char dir[64];
	struct settings settings;
	struct key *key; /* the satellite's */
	struct desk *desk;
	struct key *client; /* enrolled */
	struct key *nodes[OFFICE_NODES];
	unsigned node_count;
	/* the last request and its answers */
	uint8_t wire[MESSAGE_MAX];
	struct reply reply;
	size_t at;	/* of the next answer in the reply */
	char why[256];	/* words of the last refusal */
	uint64_t spent; /* nanoseconds that the verb took */
};

/* Policy as text, "2/3/4/6". Aborts when anything fails, as all here does: a test could not go on. */
void office_open(struct office *office, const char *redundancy);
/* The same with these keys of the satellite and of its first client, which become the office's. */
void office_open_with(struct office *office, const char *redundancy, struct key *satellite, struct key *client);
void office_close(struct office *office);
/* One on the heap with so many nodes, each in its own network and with a GB of room, and the bucket "films". */
struct office *office_new(const char *redundancy, unsigned nodes);
/* Close and free *state, an office of office_new: a tear_down for cmocka. */
int office_tear_down(void **state);
/* Close the database and open it again, as a restart would. */
void office_reopen(struct office *office);

/* A new key, enrolled with a grant. The caller frees it. */
struct key *office_new_client(struct office *office);
/* A new node with so many bytes available, reached at this numeric address. Returns its index. */
unsigned office_add_node(struct office *office, const char *host, uint64_t available);
/* A node that listens somewhere; its key becomes the office's. */
unsigned office_add_listening_node(struct office *office, struct key *key, const struct hostport *at);
/* It checks in again, and is reached there. */
void office_check_in(struct office *office, unsigned index, const struct hostport *at);
/* It checks in again, and is not reached. */
void office_lose_node(struct office *office, const struct address *node);

/* Ask as the owner of `who`. The refusal's code, or REFUSAL_NONE; then office_answer gives the answers. */
enum refusal office_ask(struct office *office, const struct key *who, struct message *message);
/* The same for a message that has no answer, unless it is refused. */
enum refusal office_tell(struct office *office, const struct key *who, struct message *message);
/* The same on another desk, for tests of two at once. */
enum refusal office_ask_at(struct office *office, struct desk *desk, const struct key *who, struct message *message);
/* The next answer; false after the last. Views live until the next ask. */
bool office_answer(struct office *office, struct message *ret);

/* A piece as SEGMENT_BEGUN and SEGMENT tell of it. */
struct office_piece {
	uint16_t number;
	struct bytes32 root;
	struct allocation allocation;
	struct signature signature;
};
/* All pieces of the answers to the last ask, BEGIN_SEGMENT or GET_SEGMENT; *ret_first is the first part. */
uint32_t office_pieces(struct office *office, struct message *ret_first, struct office_piece ret[OFFICE_PIECES]);

/* Build the client's side of things. */
void office_make_bucket(struct office *office, const char *name);
struct bytes32 office_begin_object(struct office *office, const char *bucket, struct bytes path, uint64_t expires);
/* Begin a segment; its id. */
struct bytes32 office_begin_segment(struct office *office, const struct bytes32 *version, uint32_t number,
				    struct office_piece ret[OFFICE_PIECES], uint32_t *ret_count);
/* The receipt that the node of this piece gives, with a root made from its number. */
void office_sign_receipt(struct office *office, const struct office_piece *piece, uint64_t size, uint64_t stored,
			 struct writer *w);
/* The node's key by its address. */
const struct key *office_node_key(const struct office *office, const struct address *node);
/* COMMIT_SEGMENT with honest receipts for the first `count` pieces. */
enum refusal office_commit_segment(struct office *office, const struct bytes32 *segment, uint64_t plain_size,
				   const struct office_piece *pieces, uint32_t count, uint64_t stored);
enum refusal office_commit_object(struct office *office, const struct bytes32 *version, uint32_t segments,
				  uint64_t plain_size);
/* All of it: an object of one segment; its version. */
struct bytes32 office_store(struct office *office, const char *bucket, struct bytes path, uint64_t plain_size);

/* Set the clock, of this process and for all who honour GRANARY_CLOCK_FILE; from there it goes on. */
void office_set_clock(struct office *office, uint64_t at);

/* Run a statement without parameters, in a transaction. */
void office_execute(struct office *office, const char *sql);
/* The number that a query answers. */
uint64_t office_number(struct office *office, const char *sql);

/* "a/b" as encrypted components, each being its own text. The length is returned. */
size_t office_path(const char *text, uint8_t out[256]);
/* The same, valid until the next call. */
struct bytes office_path_of(const char *text);

#endif
