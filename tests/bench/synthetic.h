/*
 * Stores of millions of pieces, made in seconds: real segment files with real footers, and holes where the records of
 * small pieces would be. Everything that reads footers only cannot tell the difference.
 */
#ifndef GRANARY_TESTS_BENCH_SYNTHETIC_H
#define GRANARY_TESTS_BENCH_SYNTHETIC_H

#include <stdint.h>

#include "node/store/store.h"

#define SYNTHETIC_SIZE 100 /* bytes of payload of each piece */
#define SYNTHETIC_ALLOCATION (1ull << 40)

/* Make DIR, and a store in it. Ends the process with a message when it cannot. */
void synthetic_make(const char *dir, uint64_t pieces);
/* The key of piece number `number`. */
struct store_key synthetic_key(uint64_t number);

/* Let the page cache forget all files of DIR/store. */
void synthetic_forget(const char *dir);
/* Bytes of the footers of the sealed segments, and seconds for reading just them, one after the other. */
uint64_t synthetic_footers(const char *dir, double *ret_seconds);
/* The same for a whole file below DIR/store. */
uint64_t synthetic_file(const char *dir, const char *name, double *ret_seconds);
void synthetic_remove(const char *dir);

#endif
