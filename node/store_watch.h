/*
 * What happens to the store while nobody asks: the store logs nothing by itself, so this looks once a second and does.
 *
 * Belongs to the daemon's loop.
 */
#ifndef GRANARY_NODE_STORE_WATCH_H
#define GRANARY_NODE_STORE_WATCH_H

#include "common/loop.h"
#include "node/store/store.h"

struct store_watch;

struct store_watch *store_watch_start(struct loop *loop, struct store *store);
void store_watch_stop(struct store_watch *watch);

#endif
