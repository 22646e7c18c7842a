/*
 * The commands on the piece store: `granary-node store …`.
 *
 * Each works beside the running daemon, or, while there is none, on the store itself (node/store_access.h); only making
 * the index anew wants no daemon.
 */
#ifndef GRANARY_NODE_STORE_COMMANDS_H
#define GRANARY_NODE_STORE_COMMANDS_H

#include "common/options.h"

int store_commands_stats(struct options *options);
int store_commands_check(struct options *options); /* 3 when something is damaged */
int store_commands_restore(struct options *options);
int store_commands_agree(struct options *options);
int store_commands_compact(struct options *options);
int store_commands_rebuild(struct options *options);

#endif
