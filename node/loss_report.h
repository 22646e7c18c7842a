/*
 * Telling a satellite which of its pieces the disk damaged, by a signed Loss, before an audit finds out.
 *
 * The store keeps what was not acknowledged (store_losses), so a report that fails is made again, also after a restart.
 */
#ifndef GRANARY_NODE_LOSS_REPORT_H
#define GRANARY_NODE_LOSS_REPORT_H

#include "node/errand.h"
#include "node/parts.h"

/* Tell all there is to tell, over a connection that is open; *ret_told is how many pieces that were, also on failure.
 * From a thread that may wait. The errors of errand_ask; words go to `why`. */
enum err loss_report_send(const struct parts *parts, const struct satellite *satellite, struct errand *errand,
			  size_t *ret_told, char why[ERRAND_MESSAGE]) WARN_UNUSED;

#endif
