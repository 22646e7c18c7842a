/*
 * The nodes that new pieces can go to, as a worker last read them from the database.
 *
 * A copy that is at most a second old: reading thousands of rows for every segment would cost more than signing its
 * allocations. Only a hint; whoever finds too few nodes in it reads it again before giving up.
 */
#ifndef GRANARY_SATELLITE_ROSTER_H
#define GRANARY_SATELLITE_ROSTER_H

#include "audit/select.h"
#include "common/endpoint.h"

struct desk;
struct roster;

struct roster *roster_new(void);
void roster_free(struct roster *roster);

/* Read the online nodes again when the copy is older than a second, or when `now` is set. */
enum err roster_refresh(struct desk *desk, bool now) WARN_UNUSED;
/* The candidates, the set to choose from, and where each can be dialled: `id@host:port`. Valid until the next
 * refresh. */
const struct candidate *roster_candidates(const struct roster *roster, uint32_t *ret_count);
struct select_set *roster_set(const struct roster *roster);
/* This one was given so many bytes; the next refresh finds them in the database. */
void roster_take_room(struct roster *roster, uint32_t index, uint64_t bytes);
const char *roster_endpoint(const struct roster *roster, uint32_t index);

#endif
