/*
 * What JSON-RPC answers about a transaction and about a call that failed, read without trust. Pure.
 */
#ifndef GRANARY_PAYMENTS_ETHEREUM_RECEIPT_H
#define GRANARY_PAYMENTS_ETHEREUM_RECEIPT_H

#include <jansson.h>

#include "payments/ethereum/distributor.h"

#define REVERT_MOST 1024 /* bytes of a reason that are looked at */

struct receipt_of_claim {
	bool done;	/* false: it was reverted */
	uint64_t block; /* number */
	uint64_t gas;	/* used */
	uint64_t price; /* wei per gas, paid */
	bool claimed;	/* `contract` emitted Claimed for `payee` */
	struct claimed event;
};

/* From the result of eth_getTransactionReceipt. ERR_FORMAT unless it is that of transaction `hash`, whole. */
enum err receipt_parse(const json_t *json, const struct bytes32 *hash, const struct address *contract,
		       const struct address *payee, struct receipt_of_claim *ret) WARN_UNUSED;

/* The bytes with which a call was reverted, from the "data" of JSON-RPC's error: text, or an object with it in "result"
 * or "data", as servers differ. How many; 0 for none, or more than REVERT_MOST. */
size_t revert_parse(const json_t *data, uint8_t out[REVERT_MOST]);

/* Text of exactly 32 bytes. ERR_FORMAT. */
enum err word_from_json(const json_t *json, struct bytes32 *ret) WARN_UNUSED;

#endif
