/*
 * Counting per network and per address.
 *
 * Networks with half-open connections stand in an array, which is as short as there are few of those. Allowances of
 * addresses are kept in a table of fixed size: SETS sets of WAYS places, the set chosen by a keyed hash, so that nobody
 * can pick addresses that push out a certain other one. When a set is full, the address seen longest ago is forgotten,
 * which at worst gives it a fresh allowance.
 */
#include "common/gate.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/bytes.h"
#include "common/memory.h"
#include "common/random.h"

#define SETS 1024
#define WAYS 4
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
};

struct address_use {
	struct prefix prefix; /* family 0: a free place */
	uint64_t tokens;
	uint64_t at; /* milliseconds, when `tokens` was true */
};

struct gate {
	struct listener_limits limits;
	unsigned half_open;
	struct network *networks;
	size_t network_count, network_room;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	struct address_use addresses[SETS][WAYS];
};

struct gate *gate_new(const struct listener_limits *limits)
{
	struct gate *gate = memory_new(1, sizeof(*gate));

	gate->limits = *limits;
	random_bytes(gate->hash_key, sizeof(gate->hash_key));
	return gate;
}

void gate_free(struct gate *gate)
{
	if (gate == NULL)
		return;
	assert(gate->half_open == 0);
	free(gate->networks);
	free(gate);
}

bool gate_is_full(const struct gate *gate)
{
	return gate->limits.half_open != 0 && gate->half_open >= gate->limits.half_open;
}

static bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static struct address_use *set_of(struct gate *gate, const struct prefix *prefix)
{
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const uint8_t *)prefix, sizeof(*prefix), gate->hash_key);
	return gate->addresses[get_be16(hash) % SETS];
}

/* The place of an address, with its allowance as it is now. */
static struct address_use *look_up(struct gate *gate, const struct prefix *prefix, uint64_t now)
{
	const uint64_t most = (uint64_t)gate->limits.address_burst * TOKEN;
	struct address_use *set = set_of(gate, prefix), *oldest = set;

	for (struct address_use *use = set; use < set + WAYS; use++) {
		if (prefix_equal(&use->prefix, prefix)) {
			use->tokens += (now - use->at) * gate->limits.address_minute;
			use->tokens = use->tokens < most ? use->tokens : most;
			use->at = now;
			return use;
		}
		if (use->prefix.family == 0 || (oldest->prefix.family != 0 && use->at < oldest->at))
			oldest = use;
	}
	*oldest = (struct address_use){*prefix, most, now};
	return oldest;
}

/* Take one connection from an address' allowance; false when it is used up. */
static bool spend_token(struct gate *gate, const struct prefix *prefix, uint64_t now)
{
	struct address_use *use;

	if (gate->limits.address_burst == 0)
		return true;
	use = look_up(gate, prefix, now);
	if (use->tokens < TOKEN)
		return false;
	use->tokens -= TOKEN;
	return true;
}

static struct network *find_network(struct gate *gate, const struct prefix *prefix)
{
	for (size_t i = 0; i < gate->network_count; i++) {
		if (prefix_equal(&gate->networks[i].prefix, prefix))
			return &gate->networks[i];
	}
	return NULL;
}

static bool enter_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network = find_network(gate, prefix);

	if (network == NULL) {
		gate->networks = memory_grow(gate->networks, &gate->network_room, gate->network_count + 1,
					     sizeof(gate->networks[0]));
		network = &gate->networks[gate->network_count++];
		*network = (struct network){*prefix, 0};
	}
	if (gate->limits.half_open_network != 0 && network->half_open >= gate->limits.half_open_network)
		return false; /* it has others, so it is not left empty */
	network->half_open++;
	return true;
}

static void leave_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network = find_network(gate, prefix);

	assert(network != NULL && network->half_open > 0);
	if (--network->half_open == 0)
		*network = gate->networks[--gate->network_count];
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
