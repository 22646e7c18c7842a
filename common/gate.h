/*
 * Who may come in: rations for strangers, who have not yet proved who they are.
 *
 * Every handshake costs an ECDH. So connections whose handshake is not done ("half-open") are limited in all and per
 * network (IPv4 /24, IPv6 /48), and new connections per address (an IPv6 /64 counts as one). Loopback is exempt from
 * the last two. Pure counting: no sockets, no locks, the time is passed.
 */
#ifndef GRANARY_COMMON_GATE_H
#define GRANARY_COMMON_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Limits, each configuration; 0 turns one off. */
struct listener_limits {
	unsigned half_open;	    /* in all: 256 */
	unsigned half_open_network; /* per /24 or /48: 16 */
	unsigned address_burst;	    /* new connections of one address at once: 60 */
	unsigned address_minute;    /* and what it regains per minute: 120 */
};
extern const struct listener_limits listener_default_limits;

struct gate;

/* The leading bytes of an address, zero-padded. */
struct prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t b[8];
};

/* A place taken by a half-open connection. Plain data. */
struct place {
	struct prefix network;
	bool counted; /* false: loopback */
};

struct gate *gate_new(const struct listener_limits *limits);
/* All places must have been left. */
void gate_free(struct gate *gate);

/* The limit in all is reached; whoever enters now exceeds it. */
bool gate_is_full(const struct gate *gate);
/* Take a place for a connection from there, at `now` (monotonic milliseconds). False when it is over a limit of its
 * network or its address. */
bool gate_enter(struct gate *gate, const struct sockaddr_storage *from, uint64_t now, struct place *ret);
void gate_leave(struct gate *gate, const struct place *place);

#endif
