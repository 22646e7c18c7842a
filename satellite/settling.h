/*
 * Settlements on a session: SETTLE, then SETTLE_ORDERS in parts.
 *
 * Each part goes to a worker at once, which checks its signatures; when the last part is there and all are checked,
 * one worker counts. What is kept of an order meanwhile is about a hundred bytes.
 */
#ifndef GRANARY_SATELLITE_SETTLING_H
#define GRANARY_SATELLITE_SETTLING_H

#include "satellite/session.h"

/* SETTLE: MALFORMED; at most a few under way on one session, else BUSY. */
void settling_begin(struct session *session, const struct message *message);
/* SETTLE_ORDERS: PROTOCOL without a SETTLE of that request number, TOO_LONG past SETTLE_ORDERS_MAX. */
void settling_add(struct session *session, const struct message *message);
/* Forget those that still wait for parts. */
void settling_drop_all(struct session *session);

#endif
