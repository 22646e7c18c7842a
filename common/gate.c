/*
 * Counting per network and per address.
 *
 * A network without half-open connections takes no memory; an address is remembered for as long as its allowance is
 * not full again, and at most ADDRESSES_MAX are: past that the least recently seen is forgotten, so that a flood from
 * everywhere cannot exhaust memory.
 */
#include "common/gate.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/memory.h"

#define ADDRESSES_MAX 16384
#define TOKEN 60000u /* units per connection: an allowance of n per minute then regains n units per millisecond */

const struct listener_limits listener_default_limits = {
	.half_open = 256,
	.half_open_network = 16,
	.address_burst = 60,
	.address_minute = 120,
};

struct network {
	struct prefix prefix;
	unsigned half_open;
	UT_hash_handle hh;
};

struct address_use {
	struct prefix prefix;
	uint64_t tokens;
	uint64_t at; /* milliseconds, when `tokens` was true */
	UT_hash_handle hh;
};

struct gate {
	struct listener_limits limits;
	unsigned half_open;
	struct network *networks;
	struct address_use *addresses; /* least recently seen first */
};

struct gate *gate_new(const struct listener_limits *limits)
{
	struct gate *gate = memory_new(1, sizeof(*gate));

	gate->limits = *limits;
	return gate;
}

static void forget(struct gate *gate, struct address_use *use)
{
	HASH_DEL(gate->addresses, use);
	free(use);
}

void gate_free(struct gate *gate)
{
	if (gate == NULL)
		return;
	assert(gate->half_open == 0);
	while (gate->addresses != NULL)
		forget(gate, gate->addresses);
	free(gate);
}

bool gate_is_full(const struct gate *gate)
{
	return gate->limits.half_open != 0 && gate->half_open >= gate->limits.half_open;
}

/* The allowance of an address now. */
static uint64_t tokens_at(const struct gate *gate, const struct address_use *use, uint64_t now)
{
	const uint64_t most = (uint64_t)gate->limits.address_burst * TOKEN;
	uint64_t tokens = use->tokens + (now - use->at) * gate->limits.address_minute;

	return tokens < most ? tokens : most;
}

/* Addresses whose allowance is full again need no memory; a few of those least recently seen are looked at. */
static void forget_rested(struct gate *gate, uint64_t now)
{
	const uint64_t most = (uint64_t)gate->limits.address_burst * TOKEN;

	for (int i = 0; i < 4 && gate->addresses != NULL && tokens_at(gate, gate->addresses, now) == most; i++)
		forget(gate, gate->addresses);
	if (HASH_COUNT(gate->addresses) >= ADDRESSES_MAX)
		forget(gate, gate->addresses);
}

/* Take one connection from an address' allowance; false when it is used up. */
static bool spend_token(struct gate *gate, const struct prefix *prefix, uint64_t now)
{
	struct address_use *use;

	if (gate->limits.address_burst == 0)
		return true;
	forget_rested(gate, now);
	HASH_FIND(hh, gate->addresses, prefix, sizeof(*prefix), use);
	if (use == NULL) {
		use = memory_new(1, sizeof(*use));
		use->prefix = *prefix;
		use->tokens = (uint64_t)gate->limits.address_burst * TOKEN;
	} else {
		HASH_DEL(gate->addresses, use);
		use->tokens = tokens_at(gate, use, now);
	}
	use->at = now;
	HASH_ADD(hh, gate->addresses, prefix, sizeof(use->prefix), use);
	if (use->tokens < TOKEN)
		return false;
	use->tokens -= TOKEN;
	return true;
}

static bool enter_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network;

	HASH_FIND(hh, gate->networks, prefix, sizeof(*prefix), network);
	if (network == NULL) {
		network = memory_new(1, sizeof(*network));
		network->prefix = *prefix;
		HASH_ADD(hh, gate->networks, prefix, sizeof(network->prefix), network);
	}
	if (gate->limits.half_open_network != 0 && network->half_open >= gate->limits.half_open_network)
		return false; /* it has others, so it is not left empty */
	network->half_open++;
	return true;
}

static void leave_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network;

	HASH_FIND(hh, gate->networks, prefix, sizeof(*prefix), network);
	assert(network != NULL && network->half_open > 0);
	if (--network->half_open > 0)
		return;
	HASH_DEL(gate->networks, network);
	free(network);
}

static bool classify_v4(const uint8_t bytes[4], struct prefix *ret_network, struct prefix *ret_address)
{
	ret_network->family = ret_address->family = 4;
	memcpy(ret_network->b, bytes, 3);
	memcpy(ret_address->b, bytes, 4);
	return bytes[0] != 127;
}

/* The network and the address that a peer counts for; false for loopback and local sockets, which do not count. */
static bool classify(const struct sockaddr_storage *from, struct prefix *ret_network, struct prefix *ret_address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(ret_network, 0, sizeof(*ret_network));
	memset(ret_address, 0, sizeof(*ret_address));
	if (from->ss_family == AF_INET) {
		memcpy(&v4, from, sizeof(v4));
		return classify_v4((const uint8_t *)&v4.sin_addr, ret_network, ret_address);
	}
	if (from->ss_family != AF_INET6)
		return false;
	memcpy(&v6, from, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return classify_v4(v6.sin6_addr.s6_addr + 12, ret_network, ret_address);
	ret_network->family = ret_address->family = 6;
	memcpy(ret_network->b, v6.sin6_addr.s6_addr, 6);
	memcpy(ret_address->b, v6.sin6_addr.s6_addr, 8);
	return !IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool gate_enter(struct gate *gate, const struct sockaddr_storage *from, uint64_t now, struct place *ret)
{
	struct place place;
	struct prefix address;

	place.counted = classify(from, &place.network, &address);
	if (place.counted && (!spend_token(gate, &address, now) || !enter_network(gate, &place.network)))
		return false;
	gate->half_open++;
	*ret = place;
	return true;
}

void gate_leave(struct gate *gate, const struct place *place)
{
	assert(gate->half_open > 0);
	if (place->counted)
		leave_network(gate, &place->network);
	gate->half_open--;
}
