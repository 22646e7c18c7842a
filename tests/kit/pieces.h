/*
 * Pieces for tests of the store: ids and contents by number, and the store's calls with answers, not callbacks.
 */
#ifndef GRANARY_TESTS_KIT_PIECES_H
#define GRANARY_TESTS_KIT_PIECES_H

#include "node/store/store.h"

/* The key of piece number `number` of satellite 0. */
struct store_key pieces_key(uint32_t number);
/* Its content in version `version`, reproducible. */
void pieces_fill(uint32_t number, uint32_t version, void *out, size_t len);
/* The allocation for putting it. */
struct allocation pieces_allocation(uint32_t number, uint64_t limit);

/* Put it whole and wait for the answer. `limit` 0: exactly `len`. */
enum err pieces_put(struct store *store, uint32_t number, uint32_t version, size_t len, uint64_t limit);
/* Begin an upload, give it `len` bytes, abort it. */
enum err pieces_abort(struct store *store, uint32_t number, size_t len, uint64_t limit);
/* Begin an upload and give it `len` bytes; the caller ends or aborts it. */
enum err pieces_hold(struct store *store, uint32_t number, size_t len, uint64_t limit, struct store_upload **ret);
/* Read it whole and compare: ERR_OK when it is that version and length, ERR_CONFLICT when it is anything else; what
 * the store answered when it could not be read. */
enum err pieces_check(struct store *store, uint32_t number, uint32_t version, size_t len);
enum err pieces_delete(struct store *store, uint32_t number);
enum err pieces_trash(struct store *store, uint32_t number);
enum err pieces_restore(struct store *store, uint32_t number);
/* Put it whole, to expire at that moment, Unix seconds. */
enum err pieces_put_until(struct store *store, uint32_t number, uint32_t version, size_t len, uint64_t expires);
/* Add a transfer of that many bytes for piece `number`, wait until it is written. */
enum err pieces_transfer(struct store *store, uint32_t number, uint64_t amount);

#endif
