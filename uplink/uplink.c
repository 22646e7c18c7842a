/* Made in the order in which things need each other, freed in the other. */
#include "uplink/uplink.h"

#include <stdlib.h>
#include <unistd.h>

#include "audit/tree.h"
#include "common/memory.h"
#include "uplink/metadata.h"

#define SPARE_BLOCKS 256

static unsigned threads(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors < 1 ? 1 : (unsigned)processors;
}

struct uplink *uplink_new(const struct key *key, trace_report *report, void *arg)
{
	struct uplink *uplink = memory_new(1, sizeof(*uplink));

	uplink->loop = loop_new();
	uplink->pool = pool_new(threads(), "uplink-work");
	uplink->files = pool_new(1, "uplink-file");
	uplink->key = key;
	uplink->client = *key_address(key);
	uplink->hello.version = MESSAGE_VERSION;
	uplink->dialer = dialer_new(uplink->loop, key, &uplink->hello);
	uplink->trace = trace_new(report, arg);
	uplink->blocks = buffers_new(TREE_BLOCK, SPARE_BLOCKS);
	return uplink;
}

struct uplink *uplink_open(const struct access *access, trace_report *report, void *arg)
{
	struct uplink *uplink = uplink_new(access->key, report, arg);

	uplink->access = access;
	if (id_to_address(&access->satellite.id, &uplink->satellite) != ERR_OK)
		abort(); /* access_parse checked it */
	domain_init(&uplink->domain, access->chain_id, &access->contract);
	uplink->metadata = metadata_new(uplink, &access->satellite, true);
	return uplink;
}

void uplink_free(struct uplink *uplink)
{
	if (uplink == NULL)
		return;
	metadata_free(uplink->metadata);
	dialer_free(uplink->dialer);
	pool_free(uplink->pool);
	pool_free(uplink->files);
	loop_free(uplink->loop);
	buffers_free(uplink->blocks);
	trace_free(uplink->trace);
	free(uplink);
}
