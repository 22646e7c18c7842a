/*
 * PROVE: a trusted satellite asks for proofs that pieces are here.
 *
 *	PROVE → one PROOF per piece, in order, as each is ready → PROVE_END with the signed transcript
 *
 * One piece at a time: its leaves are drawn, read and proved by a job in the pool, and the next job starts when the
 * proof is on its way, so that a satellite that does not read is not proved to. What is missing or damaged is said so,
 * under the same signature.
 */
#ifndef GRANARY_NODE_PROVE_H
#define GRANARY_NODE_PROVE_H

#include "node/request.h"

extern const struct verb prove_verb;

#endif
