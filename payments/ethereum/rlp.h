/*
 * RLP, in which Ethereum writes its transactions: strings of bytes, and lists of these and of lists. Pure.
 *
 * Written through a writer, read through a reader, whose first failure sticks. Every value has one encoding only: a
 * length or an integer that could be written shorter is refused (Ethereum's Yellow Paper, appendix B).
 */
#ifndef GRANARY_PAYMENTS_ETHEREUM_RLP_H
#define GRANARY_PAYMENTS_ETHEREUM_RLP_H

#include "common/bytes.h"

void rlp_write_bytes(struct writer *w, struct bytes string);
/* Big-endian without leading zeros; 0 is the empty string. */
void rlp_write_u64(struct writer *w, uint64_t value);
void rlp_write_u128(struct writer *w, uint128 value);
/* A list whose items' encodings are `items`. */
void rlp_write_list(struct writer *w, struct bytes items);

/* The content of the next string, or of the next list; empty after a failure. ERR_FORMAT for the other of the two, for
 * what is cut off and for what has a shorter encoding. */
struct bytes rlp_read_bytes(struct reader *r);
struct bytes rlp_read_list(struct reader *r);
/* The next string as an integer; the reader's error is ERR_FORMAT for leading zeros, ERR_OVERFLOW for more bytes. */
uint64_t rlp_read_u64(struct reader *r);
uint128 rlp_read_u128(struct reader *r);

#endif
