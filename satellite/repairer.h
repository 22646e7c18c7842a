/*
 * The repairer: takes segments from the queue, makes what is missing from what is left, and stores it on other nodes.
 *
 * The satellite is its own client: it signs allocations for reading (GET_REPAIR, paid as egress for repair) and for
 * storing (PUT_REPAIR) to its own key, and moves the data through uplink/rebuild.h, which proves what it reads and
 * never decrypts. What was stored takes its place in one transaction, against whatever happened to the segment
 * meanwhile. Several threads, and processes, share the queue; bandwidth is budgeted for all of them together.
 */
#ifndef GRANARY_SATELLITE_REPAIRER_H
#define GRANARY_SATELLITE_REPAIRER_H

#include "satellite/patrol.h"

/* For patrol_start: repairs as long as there is something to repair. */
patrol_round repairer_walk;

#endif
