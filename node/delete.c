/* DELETE: one job hands all tombstones to the committer; the last of them to come back answers. */
#include "node/delete.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/session.h"
#include "payments/rules.h"

struct deleting {
	struct request base;
	struct satellite satellite;
	struct bytes32 *pieces;
	uint32_t piece_count;
	uint64_t bytes; /* of those that were here */
	uint32_t found;
	atomic_uint waiting; /* for the committer, and one more for the job itself */
	atomic_int err;	     /* the first failure, an enum err */
};

static void delete_worked(void *arg)
{
	struct deleting *del = arg;
	struct message message = {.type = MSG_DELETED};
	enum err err = (enum err)atomic_load(&del->err);

	request_job_is_back(&del->base);
	if (err != ERR_OK) {
		request_refuse(&del->base, refusal_from_err(err), NULL);
		return;
	}
	message.deleted.count = del->found;
	message.deleted.bytes = del->bytes;
	request_send(&del->base, &message);
	request_end(&del->base);
}

static void note(struct deleting *del, enum err err)
{
	int none = ERR_OK;

	/* Two requests for one piece can meet in the committer: gone is gone. */
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		atomic_compare_exchange_strong(&del->err, &none, (int)err);
}

static void one_is_back(void *arg, enum err err)
{
	struct deleting *del = arg;

	note(del, err);
	if (atomic_fetch_sub(&del->waiting, 1) == 1)
		request_finish_job(&del->base, delete_worked);
}

static enum err delete_one(struct deleting *del, uint16_t satellite, const struct bytes32 *piece)
{
	const struct store_key key = {satellite, *piece};
	uint64_t size;
	enum err err;

	atomic_fetch_add(&del->waiting, 1);
	err = store_delete(del->base.parts->store, &key, &size, one_is_back, del);
	if (err != ERR_OK) {
		atomic_fetch_sub(&del->waiting, 1); /* not the last: the job's own is still there */
		return err;
	}
	del->found++;
	del->bytes += size;
	return ERR_OK;
}

static void work_delete(void *arg)
{
	struct deleting *del = arg;
	uint16_t satellite;
	enum err err;

	err = store_satellite(del->base.parts->store, &del->satellite.address, &satellite);
	for (uint32_t i = 0; i < del->piece_count && (err == ERR_OK || err == ERR_NOT_FOUND); i++)
		err = delete_one(del, satellite, &del->pieces[i]);
	one_is_back(del, err);
}

static enum refusal check_deletion(const struct parts *parts, const struct msg_delete *message,
				   const struct satellite *satellite)
{
	struct signature signature;
	struct deletion deletion;
	uint64_t now = clock_wall();
	enum refusal refusal;

	if (!satellite->pinned)
		return REFUSAL_BUSY;
	if (typed_decode(&typed_deletion, message->deletion, &deletion, &signature) != ERR_OK)
		return REFUSAL_MALFORMED;
	if (!address_equal(&deletion.satellite, &satellite->address))
		return REFUSAL_SATELLITE;
	if (!address_equal(&deletion.node, key_address(parts->key)))
		return REFUSAL_NODE;
	if (deletion.at > now && deletion.at - now > RULES_SKEW)
		return REFUSAL_EARLY;
	refusal = rules_check_pieces(&message->pieces, &deletion.pieces);
	if (refusal != REFUSAL_NONE)
		return refusal;
	return typed_verify(&typed_deletion, &deletion, &satellite->domain, &signature, &satellite->address);
}

static struct request *delete_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				    const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;
	const struct list *pieces = &message->delete.pieces;
	struct satellite satellite;
	struct deleting *del;

	if (trust_find_id(parts->trust, session_peer_id(session), &satellite) != ERR_OK) {
		*ret_refusal = REFUSAL_DENIED;
		*ret_words = "only a satellite that this node trusts may delete";
		return NULL;
	}
	*ret_refusal = check_deletion(parts, &message->delete, &satellite);
	if (*ret_refusal != REFUSAL_NONE)
		return NULL;
	del = memory_new(1, sizeof(*del));
	del->satellite = satellite;
	del->pieces = memory_copy(pieces->raw.data, pieces->raw.len);
	del->piece_count = pieces->count;
	atomic_store(&del->waiting, 1);
	request_init(&del->base, &delete_verb, session, message);
	del->base.ours = true;
	request_open_job(&del->base, work_delete);
	return &del->base;
}

static void delete_free(struct request *request)
{
	struct deleting *del = (struct deleting *)request;

	free(del->pieces);
	free(del);
}

const struct verb delete_verb = {MSG_DELETE, "delete", STAT_DELETES, delete_begin, NULL, NULL, NULL, delete_free};
