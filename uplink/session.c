/* Made in the order in which things need each other, freed in the other. */
#include "uplink/session.h"

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

struct session *session_new(const struct key *key, trace_report *report, void *arg)
{
	struct session *session = memory_new(1, sizeof(*session));

	session->loop = loop_new();
	session->pool = pool_new(threads(), "uplink-work");
	session->files = pool_new(1, "uplink-file");
	session->key = key;
	session->client = *key_address(key);
	session->hello.version = MESSAGE_VERSION;
	session->dialer = dialer_new(session->loop, key, &session->hello);
	session->trace = trace_new(report, arg);
	session->blocks = buffers_new(TREE_BLOCK, SPARE_BLOCKS);
	return session;
}

struct session *session_open(const struct access *access, trace_report *report, void *arg)
{
	struct session *session = session_new(access->key, report, arg);

	session->access = access;
	if (id_to_address(&access->satellite.id, &session->satellite) != ERR_OK)
		abort(); /* access_parse checked it */
	domain_init(&session->domain, access->chain_id, &access->contract);
	session->metadata = metadata_new(session, &access->satellite, true);
	return session;
}

void session_free(struct session *session)
{
	if (session == NULL)
		return;
	metadata_free(session->metadata);
	dialer_free(session->dialer);
	pool_free(session->pool);
	pool_free(session->files);
	loop_free(session->loop);
	buffers_free(session->blocks);
	trace_free(session->trace);
	free(session);
}
