/* What the piece store says of itself, as JSON: for the HTTP interface and for commands while no daemon runs. */
#ifndef GRANARY_NODE_STORE_FACTS_H
#define GRANARY_NODE_STORE_FACTS_H

#include <jansson.h>

#include "node/store/store.h"

/* Bytes that records take, live and dead. */
uint64_t store_facts_used(const struct store_space *space);
/* `space` of GET /api/v1/status. The caller owns what these return. */
json_t *store_facts_space(const struct store_space *space);
/* `damage` of both: pieces that the disk damaged. */
json_t *store_facts_damage(struct store *store);
/* What a walk over all files found. */
json_t *store_facts_checked(const struct store_checked *checked);
/* The collections that wait for the operator. */
json_t *store_facts_held(struct store *store);
/* He agrees to what is held of that satellite. ERR_NOT_FOUND when nothing is; ERR_READ_ONLY. */
enum err store_facts_agree(struct store *store, const struct address *satellite) WARN_UNUSED;
/* GET /api/v1/store: doc/formats.md, section 8. */
json_t *store_facts_json(struct store *store);

#endif
