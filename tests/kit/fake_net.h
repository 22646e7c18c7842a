/*
 * A satellite and nodes in one thread, for tests of the uplink: they speak the real protocol over real channels on
 * loopback, keep everything in memory, check what an uplink must get right, and misbehave on demand.
 *
 * How they behave is set, and what went on is read, while the thread does not run: before fake_net_start, after
 * fake_net_stop.
 */
#ifndef GRANARY_TESTS_KIT_FAKE_NET_H
#define GRANARY_TESTS_KIT_FAKE_NET_H

#include "common/loop.h"
#include "common/peer.h"
#include "payments/typed.h"
#include "uplink/permit.h"

#define FAKE_NODES 128

enum fake_how {
	FAKE_HONEST,
	FAKE_WRONG_BYTES,   /* GET: a byte of block `at` is another */
	FAKE_SHORT,	    /* GET: GET_END instead of block `at` */
	FAKE_VANISH,	    /* the connection breaks at block `at` */
	FAKE_STALL,	    /* nothing is sent, or read, any more from block `at` on, until the net is stopped */
	FAKE_REFUSE,	    /* ERROR to request number `at` of the kind, counted from 1; 0: to all */
	FAKE_NONSENSE,	    /* ERROR with code 0, "all is well" */
	FAKE_WRONG_RECEIPT, /* PUT: for another root */
	FAKE_LATE,	    /* PUT: the first connection is accepted after `at` milliseconds */
};

struct fake_manner {
	enum fake_how how;
	uint32_t at; /* block, or what is said beside `how` */
};

struct fake_net;
struct fake_piece;

struct fake_node {
	struct fake_net *net;
	struct key *key;
	struct fake_manner put, get; /* how it behaves */
	int fd;
	struct event *accept;
	struct endpoint endpoint;
	struct fake_piece *pieces;
	struct fake_channel *channels;
	/* what went on */
	unsigned puts, gets, cancels;
	unsigned reported[TRANSFER_SLOW + 1]; /* by enum transfer_outcome */
	uint64_t ordered; /* by all orders' last amounts of GETs */
	uint64_t sent;	  /* payload of GETs */
};

struct fake_policy {
	uint16_t required, repair, success, total;
};

struct fake_net {
	struct loop *loop;
	struct key *key; /* the satellite's */
	struct domain domain;
	struct fake_policy policy;
	int fd;
	struct event *accept;
	struct endpoint endpoint;
	struct fake_node nodes[FAKE_NODES];
	unsigned node_count;
	struct fake_object *objects;
	struct fake_segment *segments;
	bool discard;			    /* nodes keep no bytes: nothing can be got back */
	bool nonsense;			    /* the satellite answers everything with ERROR, code 0 */
	unsigned refuse_commits;	    /* COMMIT_OBJECT is refused so many times */
	unsigned peers;			    /* open channels */
	unsigned begun, aborted, committed; /* objects */
	const char *flaw;		    /* what an uplink did that it must not; NULL so far */
};

/* Listens on loopback from now on; nothing is accepted before fake_net_start. */
struct fake_net *fake_net_new(unsigned nodes, const struct fake_policy *policy);
void fake_net_start(struct fake_net *net);
void fake_net_stop(struct fake_net *net);
/* Stopped, and the uplink's channels closed. */
void fake_net_free(struct fake_net *net);

/* A piece of the segment that was committed last, or a place for one. */
struct fake_place {
	uint16_t number;
	unsigned node; /* its index */
	struct bytes32 piece;
	struct bytes32 root;
};
/* By number; returns how many. */
uint32_t fake_net_places(const struct fake_net *net, struct fake_place ret[FAKE_NODES], uint64_t *ret_plain_size);
/* What the satellite would allow this client. */
void fake_net_permit(const struct fake_net *net, const struct address *client, const struct fake_place *place,
		     enum action action, struct permit *ret);

/* Between the two files: a socket that listens on loopback; an accepted channel's count. */
int fake_listen(struct endpoint *endpoint, const struct key *key);
void fake_node_attach(struct fake_node *node);
void fake_node_clear(struct fake_node *node);
/* End what stalled. */
void fake_node_resume(struct fake_node *node);
const struct address *fake_node_address(const struct fake_node *node);

#endif
