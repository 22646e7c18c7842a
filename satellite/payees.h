/*
 * Who is paid for a node: every Payee that a node signed and that may still count.
 *
 * A month goes to the payee in force at its end (payments/price.h), so a payee may change in mid-month, and one that is
 * named for the future waits.
 */
#ifndef GRANARY_SATELLITE_PAYEES_H
#define GRANARY_SATELLITE_PAYEES_H

#include "common/database.h"
#include "payments/typed.h"

#define PAYEES_MOST 32 /* kept of one node: those that begin last */

/* Keep a node's checked Payee, in its wire form; inside a transaction. Those of the node that begin then or later are
 * superseded. One that names whom the node is paid to then anyway is passed over. ERR_CORRUPT when it is none. */
enum err payees_keep(struct database *db, const struct address *node, struct bytes signed_payee) WARN_UNUSED;
/* Who is paid for a node's month that ends at `end`, Unix seconds: its own address unless it named one. */
enum err payees_at(struct database *db, const struct address *node, uint64_t end, struct address *ret) WARN_UNUSED;

#endif
