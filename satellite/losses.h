/*
 * LOSS: what a node found damaged on its own disk, and says so before an audit does.
 *
 * The signed Loss is kept with its list of pieces, to be shown to others. Each of its pieces that is this node's and
 * was not known to be lost stops earning at the time that the Loss says, is audited no more, and is offered to no
 * client; repair finds it by the same mark (pieces.lost). The report weighs on the node's reputation, but little as
 * long as it reports few (audit/reputation.h). Pieces that are not this node's, or gone already, change nothing.
 */
#ifndef GRANARY_SATELLITE_LOSSES_H
#define GRANARY_SATELLITE_LOSSES_H

#include "satellite/desk.h"

enum err losses_report(struct work *work) WARN_UNUSED;

#endif
