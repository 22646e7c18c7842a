/*
 * What a node needs to check its pay, told to it: the prices that the satellite has published, the node's statements.
 * And what the node says to it: the prices that it asks. (Usage: satellite/usages.h.)
 */
#ifndef GRANARY_SATELLITE_PAPERS_H
#define GRANARY_SATELLITE_PAPERS_H

#include "satellite/desk.h"

/* ASK_PRICES: PRICES in parts. */
enum err papers_tell_prices(struct work *work) WARN_UNUSED;
/* ASK_STATEMENTS: one STATEMENT for each closed month, at most a year of them at once. */
enum err papers_tell_statements(struct work *work) WARN_UNUSED;
/* OFFER_PRICE: DONE, also for one that is kept already. Refused: MALFORMED, NODE, PRICE, SIGNATURE, HIGH_S; CONFLICT
 * when another begins on the same day. */
enum err papers_take_offer(struct work *work) WARN_UNUSED;

#endif
