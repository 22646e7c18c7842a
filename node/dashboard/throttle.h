/*
 * How many wrong guesses an address gets: five a minute, and all together sixty, so that a network of addresses gets no
 * further. Pure but for its memory; belongs to whoever holds its lock. Times are seconds that never go back.
 */
#ifndef GRANARY_NODE_DASHBOARD_THROTTLE_H
#define GRANARY_NODE_DASHBOARD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_SECONDS 60
#define THROTTLE_ADDRESS 5
#define THROTTLE_ALL 60
#define THROTTLE_PEERS 64 /* remembered; more than fail within a minute before all are stopped */
#define THROTTLE_PEER_TEXT 48

struct throttle_peer {
	char peer[THROTTLE_PEER_TEXT]; /* "": free */
	uint64_t since;
	unsigned failures;
};

struct throttle {
	struct throttle_peer peers[THROTTLE_PEERS];
	uint64_t since;
	unsigned failures; /* of all, since then */
};

/* Whether the address may try once more. */
bool throttle_allows(struct throttle *throttle, const char *peer, uint64_t now);
/* It failed. */
void throttle_note(struct throttle *throttle, const char *peer, uint64_t now);

#endif
