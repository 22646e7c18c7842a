/*
 * What every session and verb works with: made by the daemon, shared by all threads, not changed while they run. Store
 * and disks are NULL while the store is away; no session runs then.
 */
#ifndef GRANARY_NODE_PARTS_H
#define GRANARY_NODE_PARTS_H

#include "common/channel.h"
#include "common/listener.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "node/admission.h"
#include "node/meter.h"
#include "node/pause.h"
#include "node/store/store.h"
#include "node/takings.h"
#include "node/trust.h"

/* How much of our patience and memory a peer gets. All of it is configuration. */
struct limits {
	struct channel_limits channel;
	struct listener_limits listener;
	unsigned requests; /* under way on one channel */
};

struct parts {
	const struct key *key;
	struct store *store;
	struct trust *trust;
	struct admission *admission;
	struct takings *takings;
	struct meter *meter;
	struct pool *disks; /* for whatever may wait for a disk */
	struct pause *pause; /* NULL: never paused */
	struct metrics *metrics;
	struct limits limits;
};

#endif
