/*
 * A node in the test's own process, and a client and a satellite that talk to it, for unit tests and benches.
 *
 * The node is the real one from piece server to store, in a private directory, on a free port of loopback; only its
 * satellite is played: it is a key, which signs allocations and asks for proofs. The asking side lives in the test's
 * thread, on an event loop that runs while it waits.
 */
#ifndef GRANARY_TESTS_KIT_FARM_H
#define GRANARY_TESTS_KIT_FARM_H

#include "common/peer.h"
#include "node/piece_server.h"
#include "payments/rules.h"

struct farm {
	char dir[64];
	uint64_t allocation;	 /* bytes */
	const struct seam *seam; /* the store's, from the next farm_start on */
	struct key *node, *satellite, *client;
	struct domain domain;
	struct parts parts;
	struct loop *loop; /* the node's */
	struct piece_server *server;
	struct endpoint endpoint;
	struct event_base *base; /* the asking side's */
};

/* Make a node of so many bytes and start it with two workers. */
void farm_new(struct farm *farm, uint64_t allocation);
void farm_free(struct farm *farm);
/* Stop and start it, keeping its directory; farm->parts is as farm_new left it, so a test can change limits between. */
void farm_stop(struct farm *farm);
void farm_start(struct farm *farm);

/* An allocation for the farm's client, fresh, valid now. The caller may change it before it signs it. */
void farm_allocation(struct farm *farm, enum action action, const struct bytes32 *piece, uint64_t limit,
		     struct allocation *ret);
/* Signed things in wire form; `out` has room for MESSAGE_SIGNED_MAX bytes. */
struct bytes farm_sign(struct farm *farm, const struct fields *type, const void *object, const struct key *key,
		       uint8_t *out);
struct bytes farm_order(struct farm *farm, const struct allocation *allocation, uint64_t amount, uint8_t *out);

/* Connect as the owner of a key. */
struct peer *farm_dial(struct farm *farm, const struct key *key);

/* One request and all that came back. */
struct talk {
	struct farm *farm;
	struct peer *peer; /* NULL once lost */
	uint32_t request;
	bool done;
	enum err err;	   /* ERR_OK when the last answer came, be it a refusal */
	enum refusal code; /* of ERROR */
	/* RECEIPT, PROVE_END */
	uint8_t signed_thing[MESSAGE_SIGNED_MAX];
	size_t signed_len;
	/* DATA, checked against root and size when check is set */
	bool check;
	struct bytes32 root;
	uint64_t size;
	uint8_t *data; /* TREE_PIECE bytes: blocks where they belong */
	uint32_t blocks;
	uint64_t bytes;
	uint64_t end_bytes; /* of GET_END */
	/* PROOF, in order */
	uint32_t proofs;
	void (*on_proof)(const struct msg_proof *proof, void *arg);
	void *on_proof_arg;
	struct msg_deleted deleted;
	struct msg_collected collected;
};

void talk_begin(struct talk *talk, struct farm *farm, struct peer *peer, struct message *opening);
/* A further message of the request. */
void talk_send(struct talk *talk, struct message *message);
/* Run the loop until it is done. */
void talk_wait(struct talk *talk);
void talk_free(struct talk *talk);

/* Whole transfers. `data` of `len` bytes; each ends when the node has answered. */
void farm_put(struct farm *farm, struct peer *peer, const struct allocation *allocation, const uint8_t *data,
	      size_t len, struct talk *ret);
void farm_get(struct farm *farm, struct peer *peer, const struct allocation *allocation, uint64_t offset,
	      uint64_t length, struct talk *ret);
/* The root of these bytes. */
void farm_root(const uint8_t *data, size_t len, struct bytes32 *ret);

#endif
