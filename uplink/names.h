/* The paths of all objects below a folder, for commands that work on each. */
#ifndef GRANARY_UPLINK_NAMES_H
#define GRANARY_UPLINK_NAMES_H

#include "uplink/client.h"

struct names {
	struct client *client;
	char *folder; /* as asked for, without a '/' at the end */
	char **path;  /* below the bucket */
	size_t count;
};

/* Ask and wait. The exit status; on failure, which is printed, there are none. names_clear in any case. */
int names_list(struct client *client, const struct location *location, struct names *ret);
void names_clear(struct names *names);
/* Say that there is nothing below a folder. Fine for a bucket, whose emptiness is no mistake. The exit status. */
int names_none(const struct location *location);

#endif
