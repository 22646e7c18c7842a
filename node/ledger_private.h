/* The ledger's database, for the other file that asks it. */
#ifndef GRANARY_NODE_LEDGER_PRIVATE_H
#define GRANARY_NODE_LEDGER_PRIVATE_H

#include "node/ledger.h"

struct database *ledger_database(struct ledger *ledger);

#endif
