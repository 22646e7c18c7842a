/*
 * Signed things as JSON that any wallet library can check, and back: evidence for people who trust neither side. Pure.
 *
 *	{"typedData": {"types": {"EIP712Domain": […], NAME: […]}, "primaryType": NAME, "domain": {…}, "message": {…}},
 *	 "signature": "0x…", "signer": "0x…"}
 *
 * typedData is what eth_signTypedData_v4 takes. Integers of the message are decimal text, bytes32 hex, addresses
 * EIP-55.
 */
#ifndef GRANARY_PAYMENTS_EVIDENCE_H
#define GRANARY_PAYMENTS_EVIDENCE_H

#include <jansson.h>

#include "payments/typed.h"

/* Any signed thing. */
union evidence_object {
	struct allocation allocation;
	struct order order;
	struct receipt receipt;
	struct settlement settlement;
	struct settled settled;
	struct deletion deletion;
	struct usage usage;
	struct price price;
	struct payee payee;
	struct statement statement;
	struct audit audit;
	struct loss loss;
	struct exit_receipt exit;
	struct collection collection;
};

struct evidence {
	const struct fields *type; /* one of typed_table */
	union evidence_object object;
	struct domain domain;
	struct signature signature;
	struct address signer; /* who is said to have signed */
};

/* The type of that name; NULL when there is none. */
const struct fields *evidence_type(const char *name);

/* From a thing in its wire form (typed_decode), as daemons keep it. The signer is recovered, so the evidence verifies
 * unless ERR_FORMAT or ERR_SIGNATURE says that it cannot. */
enum err evidence_from_wire(const struct fields *type, struct bytes wire, const struct domain *domain,
			    struct evidence *ret) WARN_UNUSED;

/* A new reference, never NULL. */
json_t *evidence_to_json(const struct evidence *evidence);

/* What can be said to a person about JSON that is no evidence: which member, and what is wrong with it. */
#define EVIDENCE_WHY 160
/* ERR_FORMAT, with that in `why`. Unknown members beside the three are passed over (the caller may have put some
 * there); inside typedData there may be none. The signature is not verified here. */
enum err evidence_from_json(const json_t *json, struct evidence *ret, char why[EVIDENCE_WHY]) WARN_UNUSED;

/* REFUSAL_HIGH_S; REFUSAL_SIGNATURE unless `signer` signed it, and, where the thing itself names the party that must
 * (an Allocation its satellite, a Settlement its node), is that one. */
enum refusal evidence_verify(const struct evidence *evidence) WARN_UNUSED;
/* The party that the thing names as its signer; NULL for Order, Receipt, Settled and Audit, which do not. */
const struct address *evidence_party(const struct evidence *evidence);

#endif
