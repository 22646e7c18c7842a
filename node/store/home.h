/*
 * What ties a store to its node and its place, so that a node never starts on the wrong disk.
 *
 * SUPER names the node that the store belongs to; DIR/store.id names the store that this node's directory had, and
 * whether that stood on a disk of its own. So an unmounted disk, an empty directory where a store was, and another
 * node's store are each told apart, and said in words, before anything is written. A store that was made before there
 * was this is taken in by the first node that opens it.
 */
#ifndef GRANARY_NODE_STORE_HOME_H
#define GRANARY_NODE_STORE_HOME_H

#include "node/store/engine.h"

/* DIR/store.id. */
struct home {
	struct store_id store;
	struct id node;
	bool own_disk; /* DIR/store was on another device than DIR */
};
#define HOME_TEXT 256
/* Its text, four lines; returns the length. */
size_t home_print(const struct home *home, char out[HOME_TEXT]);
/* ERR_FORMAT unless it is exactly such a text. */
enum err home_parse(struct bytes text, struct home *ret) WARN_UNUSED;

/* SUPER cannot be opened (`err`): say what seems to be the matter. Returns err. */
enum err home_explain(const struct store *store, const char *dir, enum err err, char why[STORE_MESSAGE]);
/* SUPER is open: remember which disk it is on, for store_present. */
void home_note_place(struct store *store);
/* Whether this store is the node's that is to open it (store->options.owner, when there is one); if it is nobody's yet,
 * it is from now on, once SUPER is saved. ERR_DENIED, with words. */
enum err home_admit(struct store *store, const char *dir, char why[STORE_MESSAGE]) WARN_UNUSED;
/* The store is open: write DIR/store.id unless it says so already. A failure costs words of a later start only. */
void home_keep(const struct store *store, const char *dir);

#endif
