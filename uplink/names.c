/* A listing dies with its callback, so its names are copied. */
#include "uplink/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/listing.h"

static void on_listing(void *arg, const struct listing *listing, enum err err, const char *why)
{
	struct names *names = arg;

	names->count = listing == NULL ? 0 : listing->count;
	names->path = memory_new(names->count + 1, sizeof(char *));
	for (size_t i = 0; i < names->count; i++)
		names->path[i] = memory_copy(listing->entries[i].name, strlen(listing->entries[i].name));
	client_finish(names->client, err, why);
}

int names_list(struct client *client, const struct location *location, struct names *ret)
{
	struct listing_request request = {.bucket = location->bucket, .recursive = true};
	size_t len = strlen(location->path);

	*ret = (struct names){.client = client, .folder = memory_copy(location->path, len)};
	if (len > 0 && ret->folder[len - 1] == '/')
		ret->folder[len - 1] = '\0';
	request.folder = ret->folder;
	listing_objects(client->uplink, &request, on_listing, ret);
	if (client_wait(client) == ERR_OK)
		return 0;
	return client_fail(client, "cannot list %s%s/%s", LOCATION_SCHEME, location->bucket, ret->folder);
}

int names_none(const struct location *location)
{
	if (location->path[0] == '\0')
		return 0;
	fprintf(stderr, "granary: %s%s/%s: no such folder\n", LOCATION_SCHEME, location->bucket, location->path);
	return 1;
}

void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->path[i]);
	free(names->path);
	free(names->folder);
}
