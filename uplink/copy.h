/*
 * One file into the network or out of it, with progress, Ctrl-C and one line when it fails.
 *
 * A file that is fetched is written under a temporary name beside its own and renamed when complete and proved.
 */
#ifndef GRANARY_UPLINK_COPY_H
#define GRANARY_UPLINK_COPY_H

#include "uplink/client.h"
#include "uplink/object_get.h"

/* What --expires says, as of now; *ret stays when it is not given. 0, or the exit status, after printing why. */
int copy_expires(const struct client *client, uint64_t *ret);

/* `file` "-" is stdin, or stdout. Returns the exit status: 0 done, 1 failed, 2 usage; failures are printed. */
int copy_up(struct client *client, const char *file, const struct location *to);
int copy_down(struct client *client, const struct location *from, const struct object_range *range, const char *file);

#endif
