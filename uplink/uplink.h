/*
 * An access in use: what everything that moves data through the uplink shares.
 *
 * All of it belongs to the loop's thread; the pools do what would hold the loop up. Callers that bring their own
 * permits (benches, repair) fill one in without access and metadata.
 */
#ifndef GRANARY_UPLINK_UPLINK_H
#define GRANARY_UPLINK_UPLINK_H

#include "common/loop.h"
#include "payments/typed.h"
#include "uplink/access.h"
#include "uplink/buffers.h"
#include "uplink/dialer.h"
#include "uplink/trace.h"

struct metadata;

struct uplink {
	struct loop *loop;
	struct pool *pool;  /* arithmetic: encrypting, coding, hashing */
	struct pool *files; /* one thread that reads and writes files and pipes */
	const struct key *key;
	struct address client; /* the key's */
	struct address satellite;
	struct domain domain;
	struct msg_hello hello; /* what we say to nodes and satellite */
	struct dialer *dialer;
	struct trace *trace;
	struct buffers *blocks; /* of TREE_BLOCK bytes */
	const struct access *access;
	struct metadata *metadata; /* the satellite's side of things */
};

/* Make loop, pools, dialer and trace around a key; the rest is zero. `report` as for trace_new. */
struct uplink *uplink_new(const struct key *key, trace_report *report, void *arg);
/* The same for an access, with a connection to its satellite (made when first needed). The access is borrowed. */
struct uplink *uplink_open(const struct access *access, trace_report *report, void *arg);
/* Closes what is open; nothing may be under way any more. */
void uplink_free(struct uplink *uplink);

#endif
