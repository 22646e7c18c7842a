/*
 * Prices: what a satellite publishes that it pays, what a node asks, and what a node is paid: of each kind, the lower
 * of the two. Pure.
 *
 * A signed Price holds for whole UTC days, [from, until), so that a signed Usage, which is of one day, has one price.
 * It takes the place of all of its party's that began before. A node without an ask takes what is offered. Surge pay is
 * part of what is published: a satellite that pays 150 % signs prices of 150 %, so a node can check its pay with
 * nothing but signed numbers.
 */
#ifndef GRANARY_PAYMENTS_PRICE_H
#define GRANARY_PAYMENTS_PRICE_H

#include "payments/tally.h"

#define PRICE_DAY 86400
#define PRICE_SURGE_MOST 1000 /* percent */

/* Between the signed form, of plain numbers, and amounts. */
struct prices price_table(const struct price *price);
struct price price_make(const struct address *party, const struct prices *prices, uint64_t from, uint64_t until);

/* A price that came with a signature: REFUSAL_NONE; REFUSAL_PRICE unless from < until and both are whole days;
 * REFUSAL_HIGH_S or REFUSAL_SIGNATURE unless its party signed it. */
enum refusal price_check(const struct price *price, const struct signature *signature,
			 const struct domain *domain) WARN_UNUSED;
/* Whether it may be taken up at `now`: prices are not changed behind anyone's back, so it begins on a day that has not
 * begun yet, or on the current one when no price of its party holds on that (`known`: one does). REFUSAL_NONE or
 * REFUSAL_PRICE. */
enum refusal price_check_new(const struct price *price, bool known, uint64_t now) WARN_UNUSED;

/* The one that holds at `at` among those of one party: the last to have begun by then, the first of these when several
 * began together; NULL when there is none or it is over. An earlier one does not come back. */
const struct price *price_at(const struct price *list, size_t count, uint64_t at);

/* What is paid: of each kind the lower one. ask may be NULL: no ask. */
struct prices prices_paid(const struct prices *offer, const struct prices *ask);
/* Each price times percent / 100, rounded down. ERR_RANGE over PRICE_SURGE_MOST, ERR_OVERFLOW. */
enum err prices_surge(const struct prices *prices, unsigned percent, struct prices *ret) WARN_UNUSED;

/* What clients pay, in the units of struct prices. */
struct charges {
	struct amount storage; /* base units per TB-month of piece bytes */
	struct amount egress;  /* base units per TB ordered */
};
/* A table that pays a node more than a client is charged for the same work would let anyone be both and print money:
 * ERR_RANGE with the name of the first such price, "storage" or "egress", in *ret_name. Nobody but the satellite can
 * order audits and repairs, so these have no charge to compare with. */
enum err prices_check_charges(const struct prices *pays, const struct charges *charges,
			      const char **ret_name) WARN_UNUSED;

/* What a client is charged for what it used in the month that starts at `start`, each rounded down. Sums that do not
 * fit are the most that an amount can be: clients are told of them, nothing is paid by them. */
struct charged {
	struct amount storage;
	struct amount egress;
	struct amount total;
};
struct charged charges_of(const struct charges *charges, struct byte_seconds stored, uint64_t egress, uint64_t start);

/* A payout address: REFUSAL_NODE unless it is of this node, REFUSAL_HIGH_S or REFUSAL_SIGNATURE unless that signed
 * it. */
enum refusal payee_check(const struct payee *payee, const struct signature *signature, const struct domain *domain,
			 const struct address *node) WARN_UNUSED;
/* Who is paid for a month that ends at `end`: the payee named by the latest `from` before that, the last in the list
 * when several begin together; the node itself when there is none. All of a month goes to one payee. */
const struct address *payee_of_month(const struct payee *list, size_t count, const struct address *node, uint64_t end);

#endif
