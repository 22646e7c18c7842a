/*
 * What all sessions share when they decide whether a transfer may begin: the used allocations, and a budget of memory.
 *
 * An allocation buys one transfer, once. The used ones are kept in memory, and built again at each start from the
 * store's log and its piece records. After an unclean stop a second of that log may be missing, so reads with an
 * allocation from before it are refused as replays. Safe from any thread.
 */
#ifndef GRANARY_NODE_ADMISSION_H
#define GRANARY_NODE_ADMISSION_H

#include "node/store/store.h"
#include "payments/typed.h"

struct admission;

/* bytes: of payload in memory at any time, over all transfers; serial_budget: outstanding allocations per satellite
 * and client. */
struct admission *admission_new(uint64_t bytes, uint32_t serial_budget);
void admission_free(struct admission *admission);

/* Learn what was used before this start, at `now`. Blocks; before the first transfer. ERR_CORRUPT or ERR_IO when some
 * of that cannot be read: all is well, but downloads under allocations of before are refused. */
enum err admission_rebuild(struct admission *admission, struct store *store, uint64_t now) WARN_UNUSED;

/* Take an allocation that passed all other rules: REFUSAL_NONE, or as serials_use. */
enum refusal admission_use(struct admission *admission, const struct allocation *allocation, const struct bytes32 *hash,
			   bool put) WARN_UNUSED;
/* Forget those that are expired. */
void admission_expire(struct admission *admission, uint64_t now);
/* Allocations remembered as used. */
size_t admission_used(struct admission *admission);

/* Take so many bytes of the budget, or nothing when they would pass it: false. */
bool admission_take(struct admission *admission, uint64_t bytes) WARN_UNUSED;
void admission_give(struct admission *admission, uint64_t bytes);
/* Bytes taken now. */
uint64_t admission_taken(const struct admission *admission);

#endif
