/*
 * How a command reaches the store of its directory: through the daemon that runs there, over HTTP; or, when none does,
 * by locking DIR, so that none can start, and opening the store itself.
 */
#ifndef GRANARY_NODE_STORE_ACCESS_H
#define GRANARY_NODE_STORE_ACCESS_H

#include <jansson.h>

#include "common/options.h"
#include "node/chores.h"
#include "node/settings.h"

struct store_access {
	const struct options *options;
	struct store *store; /* NULL: through the daemon */
	struct id node;	     /* of the directory */
	char why[SETTINGS_MESSAGE];
};

/* Lock DIR, unless a daemon holds it: *ret_daemon. The lock lasts until the process ends. */
enum err store_access_lock(struct store_access *access, const struct options *options, bool *ret_daemon) WARN_UNUSED;
/* … and open the store when there is no daemon. Words are in access->why on failure. */
enum err store_access_open(struct store_access *access, const struct options *options) WARN_UNUSED;
/* How a command opens the store; *ret points into access. */
void store_access_options(const struct store_access *access, struct store_options *ret);
void store_access_close(struct store_access *access);
/* Ask the daemon. */
enum err store_access_ask(struct store_access *access, const char *method, const char *path, json_t **ret) WARN_UNUSED;

/* Do a chore to its end, here or in the daemon, with a line of progress on a terminal; SIGINT stops it. *ret is its
 * JSON, whatever its end. */
enum err store_access_do(struct store_access *access, const struct chore_options *options, json_t **ret) WARN_UNUSED;

#endif
