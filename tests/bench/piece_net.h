/*
 * A real granary-node, started in a directory of its own, and a satellite that is played here, just enough for the
 * node to trust it: so allocations can be signed at will, and what is measured is the node and the uplink's engine.
 */
#ifndef GRANARY_TESTS_BENCH_PIECE_NET_H
#define GRANARY_TESTS_BENCH_PIECE_NET_H

#include <stdatomic.h>
#include <sys/types.h>

#include "common/loop.h"
#include "common/peer.h"
#include "payments/typed.h"
#include "uplink/permit.h"
#include "uplink/uplink.h"

struct piece_net {
	char dir[64];
	struct key *satellite; /* played here */
	struct key *client;
	struct domain domain;
	struct loop *loop; /* the satellite's thread */
	struct event *accept;
	int fd;
	struct endpoint satellite_at;
	atomic_bool checked_in;
	pid_t node_pid;
	struct endpoint node;
	struct uplink *uplink;		 /* the client's */
	struct uplink *satellite_uplink; /* for what only a satellite may ask */
};

/* Start it all and wait until the node checked in. Ends the process with a sentence on failure. */
struct piece_net *piece_net_new(void);
/* Stop the node and remove its directory. */
void piece_net_free(struct piece_net *net);

/* Permission for one transfer of a piece with the node. */
void piece_net_permit(const struct piece_net *net, const struct bytes32 *piece, enum action action, uint64_t limit,
		      struct permit *ret);
/* CPU seconds spent so far by this process and by the node: what a transfer costs, whatever else the machine does. */
void piece_net_cpu(const struct piece_net *net, double *ret_client, double *ret_node);
/* Resident bytes of the node. */
double piece_net_node_rss(const struct piece_net *net);

#endif
