/*
 * The commands on the piece store: `granary-node store …`.
 *
 * While a daemon runs in DIR they ask it over HTTP; else they lock DIR, so that none can start, and open the store
 * themselves. Whatever they tell is the same JSON either way.
 */
#ifndef GRANARY_NODE_STORE_COMMANDS_H
#define GRANARY_NODE_STORE_COMMANDS_H

#include "common/options.h"

int store_commands_stats(struct options *options);

#endif
