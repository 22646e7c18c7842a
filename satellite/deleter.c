/* The deleter. */
#include "satellite/deleter.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/keccak.h"
#include "common/log.h"
#include "common/memory.h"
#include "satellite/deletions.h"
#include "satellite/nodelink.h"
#include "satellite/objects.h"
#include "satellite/segments.h"

#define SEGMENTS_AT_ONCE 8 /* taken apart in one transaction */
#define LEASE_SECONDS 300
#define CLAIM_TRIES 8
#define ANSWER_MS 15000
#define PAUSE_MS 1000

struct expiry {
	uint64_t now;
	uint64_t idle_since;
};

static enum err expire(struct database *db, void *arg)
{
	const struct expiry *expiry = arg;

	return objects_expire(db, expiry->now, expiry->idle_since);
}

enum err deleter_expire(struct desk *desk)
{
	struct expiry expiry = {.now = clock_wall()};
	bool any;
	enum err err;

	if (expiry.now > desk->settings->upload_lifetime)
		expiry.idle_since = expiry.now - desk->settings->upload_lifetime;
	/* Here as below, the write lock is taken only when there is something to do. */
	err = objects_any_expired(desk->db, expiry.now, expiry.idle_since, &any);
	return err == ERR_OK && any ? database_transaction(desk->db, expire, &expiry) : err;
}

/* What has expired earns nothing since, however late we hear of it: its nodes need not have kept it. */
static enum err take_apart(struct database *db, void *arg)
{
	struct removed_object object;
	uint64_t ends = clock_wall();
	bool left;
	enum err err;

	(void)arg;
	err = objects_next_removed(db, &object);
	if (err == ERR_OK && object.expires > 0 && object.expires < ends)
		ends = object.expires;
	if (err == ERR_OK)
		err = segments_take_apart(db, &object.version, object.was_visible, ends, SEGMENTS_AT_ONCE, &left);
	if (err == ERR_OK && !left)
		err = objects_forget(db, &object.version);
	return err;
}

enum err deleter_take_apart(struct desk *desk)
{
	struct removed_object object;
	enum err err = objects_next_removed(desk->db, &object);

	return err == ERR_OK ? database_transaction(desk->db, take_apart, NULL) : err;
}

static struct bytes sign_deletion(const struct desk *desk, const struct deletion_batch *batch, struct writer *w)
{
	struct deletion deletion = {.satellite = *key_address(desk->key), .node = batch->node, .at = batch->ends};
	struct signature signature;

	keccak_once(batch->pieces, batch->count * sizeof(batch->pieces[0]), &deletion.pieces);
	typed_sign(&typed_deletion, &deletion, &desk->settings->domain, desk->key, &signature);
	typed_encode(&typed_deletion, &deletion, &signature, w);
	return writer_bytes(w);
}

static enum err tell_node(struct round *round, struct nodelink *link, const struct deletion_batch *batch)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_DELETE}, answer;
	struct writer w;
	enum err err;

	writer_init(&w, wire, sizeof(wire));
	message.delete.deletion = sign_deletion(round->desk, batch, &w);
	/* An item is nothing but the id. */
	message.delete.pieces =
		(struct list){bytes_of(batch->pieces, batch->count * sizeof(batch->pieces[0])), batch->count};
	err = nodelink_ask(link, &message, ANSWER_MS, &answer);
	if (err == ERR_OK && answer.type != MSG_DELETED)
		err = ERR_PROTOCOL;
	return err;
}

/* All batches of one node that are due. *ret_told: the first failure to tell it. */
static enum err send_all(struct round *round, const struct address *node, enum err *ret_told)
{
	struct deletion_batch *batch = memory_new(1, sizeof(*batch));
	struct nodelink *link = NULL;
	uint64_t now = clock_wall(), total = 0;
	char address[KEY_ADDRESS_TEXT];
	enum err err = ERR_OK;

	batch->node = *node;
	*ret_told = nodelink_open(round->desk, round->base, node, &link);
	while (err == ERR_OK && *ret_told == ERR_OK && !patrol_is_stopping(round)) {
		err = deletions_take(round->desk->db, now, batch);
		if (err != ERR_OK || batch->count == 0)
			break;
		*ret_told = tell_node(round, link, batch);
		if (*ret_told == ERR_OK)
			err = deletions_done(round->desk->db, now, batch);
		total += batch->count;
	}
	nodelink_close(link);
	free(batch);
	address_to_text(node, address);
	log_event(LOG_INFO, "deletions_sent", "node=%s pieces=%llu end=%s", address, (unsigned long long)total,
		  err_name(*ret_told));
	return err;
}

/* The node whose deletions have waited longest and that nobody else is telling. */
static enum err claim_node(struct round *round, struct address *ret_node, char work[64])
{
	uint64_t now = clock_wall();
	bool taken = false;
	enum err err = ERR_OK;

	for (uint32_t skip = 0; skip < CLAIM_TRIES && err == ERR_OK && !taken; skip++) {
		char hex[41];

		err = deletions_due(round->desk->db, now, skip, ret_node);
		if (err != ERR_OK)
			break;
		hex_encode(bytes_of(ret_node->b, sizeof(ret_node->b)), hex);
		snprintf(work, 64, "delete %s", hex);
		err = lease_take(round->desk->db, &round->holder, work, now, LEASE_SECONDS, &taken);
	}
	return err != ERR_OK ? err : taken ? ERR_OK : ERR_NOT_FOUND;
}

enum err deleter_send(struct round *round)
{
	struct address node;
	enum err told = ERR_OK, err, given;
	char work[64];

	err = claim_node(round, &node, work);
	if (err != ERR_OK)
		return err;
	err = send_all(round, &node, &told);
	if (err == ERR_OK && told != ERR_OK && told != ERR_CANCELLED)
		err = deletions_failed(round->desk->db, clock_wall(), &node);
	given = lease_give_back(round->desk->db, &round->holder, work);
	return err == ERR_OK ? given : err;
}

static void complain(const struct round *round, enum err err)
{
	char quoted[300];

	log_event(LOG_ERROR, "deleter_failed", "error=%s database=%s", err_name(err),
		  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
}

unsigned deleter_walk(struct round *round)
{
	enum err err = deleter_expire(round->desk);

	while (err == ERR_OK && !patrol_is_stopping(round))
		err = deleter_take_apart(round->desk);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		complain(round, err);
	return PAUSE_MS;
}

unsigned deleter_tell(struct round *round)
{
	enum err err = ERR_OK;

	while (err == ERR_OK && !patrol_is_stopping(round))
		err = deleter_send(round);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		complain(round, err);
	return PAUSE_MS;
}
