/*
 * Who is there: every node is looked at again and again, so that being away counts against it, and time heals.
 *
 * A look takes the node's last check-in and dial-back for what they say: online, or not. Looks are spread evenly over
 * time, so that a node which is away half of the time is found so in half of them, however often it knocks. As long as
 * the satellite itself was not there, or has just come back, it blames nobody.
 */
#ifndef GRANARY_SATELLITE_PRESENCE_H
#define GRANARY_SATELLITE_PRESENCE_H

#include "satellite/patrol.h"

/* Look at the node whose look is due, if any is. ERR_NOT_FOUND. `blame`: being away may count. */
enum err presence_look(struct desk *desk, uint64_t now, bool blame) WARN_UNUSED;

/* For patrol_start. */
patrol_round presence_walk;

#endif
