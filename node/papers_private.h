/* What the files of node/papers.h share. */
#ifndef GRANARY_NODE_PAPERS_PRIVATE_H
#define GRANARY_NODE_PAPERS_PRIVATE_H

#include "node/papers.h"

struct papers {
	struct database *db;
};

#endif
