/*
 * DELETE: a trusted satellite's signed list of pieces that nobody pays for any more.
 *
 * Answered by DELETED once every piece of the list that was here is gone durably. Asking again is harmless.
 */
#ifndef GRANARY_NODE_DELETE_H
#define GRANARY_NODE_DELETE_H

#include "node/request.h"

extern const struct verb delete_verb;

#endif
