/*
 * The satellites that this node works for.
 *
 * A person names them, by endpoint; nothing else makes a satellite trusted. What its signatures are bound to (chain id
 * and payout contract) the satellite says in HELLO at the first check-in; the node keeps that for good in
 * DIR/domains.json and refuses a later change: a satellite that could move its domain could disown what it signed.
 * Until it is pinned, no transfer of that satellite is possible. Safe from any thread; what is asked for is copied.
 */
#ifndef GRANARY_NODE_TRUST_H
#define GRANARY_NODE_TRUST_H

#include "common/endpoint.h"
#include "payments/typed.h"

#define TRUST_MESSAGE 512

struct trust;

struct satellite {
	struct endpoint endpoint;
	struct address address;
	bool pinned; /* domain is known */
	struct domain domain;
};

/* Read DIR/domains.json, when there is one; trusts nobody yet. `why` gets a sentence on failure: ERR_FORMAT, ERR_IO. */
enum err trust_open(const char *dir, struct trust **ret, char why[TRUST_MESSAGE]) WARN_UNUSED;
void trust_free(struct trust *trust);

/* Trust these satellites and no others, from now on. ERR_EXISTS when one id is named twice: nothing changes. */
enum err trust_set(struct trust *trust, const struct endpoint *endpoints, size_t count) WARN_UNUSED;

/* ERR_NOT_FOUND when it is not trusted. */
enum err trust_find(struct trust *trust, const struct address *address, struct satellite *ret) WARN_UNUSED;
enum err trust_find_id(struct trust *trust, const struct id *id, struct satellite *ret) WARN_UNUSED;
/* All of them, in the order in which they were named. The caller frees *ret. */
size_t trust_list(struct trust *trust, struct satellite **ret);

/* What the satellite said of its domain. Kept durably when it is the first time; ERR_OK when it said the same before,
 * ERR_CONFLICT when it said otherwise, ERR_RANGE for chain id 0, ERR_NOT_FOUND when it is not trusted, ERR_IO. */
enum err trust_pin(struct trust *trust, const struct address *address, uint64_t chain_id,
		   const struct address *contract) WARN_UNUSED;

/* All satellites are pinned and of test networks (chain 31337, which a real one refuses to be on), and there is at
 * least one. */
bool trust_is_test(struct trust *trust);

#endif
