/*
 * Writing the transfer log: one thread that takes entries from a queue and appends them to the log's segments.
 *
 * Entries come from event loops, which must not touch the disk, and whoever waits for one must not wait for a sync: so
 * neither the caller nor the committer writes them. Once written they are the committer's, to sync when it suits.
 */
#ifndef GRANARY_NODE_STORE_TRANSFER_LOG_H
#define GRANARY_NODE_STORE_TRANSFER_LOG_H

#include "node/store/store.h"

struct transfer_log;

struct transfer_log *transfer_log_start(struct store *store);
/* Write all that was added, then end the thread. */
void transfer_log_stop(struct transfer_log *log);
/* Wait until all that was added before is written. */
void transfer_log_flush(struct transfer_log *log);

#endif
