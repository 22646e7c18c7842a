/* Filters from the wire to the store, and what came of them back. */
#include "node/collect.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/session.h"
#include "payments/rules.h"

/* Either verb: what the store was asked to do, and what came of it. */
struct collecting {
	struct request base;
	struct satellite satellite;
	struct collection collection;
	struct filter_parts parts;
	uint32_t size; /* announced, and taken from the budget of memory */
	uint64_t since;
	struct bytes32 *pieces; /* RESTORE: those listed */
	uint32_t piece_count;
	enum refusal refusal;
	enum err err;
	struct store_collected result;
	atomic_bool stopped; /* nobody waits for the answer */
	atomic_uint waiting; /* for the committer, and one more for the job itself */
	atomic_int failure;  /* the first, an enum err */
};

static void log_outcome(const struct collecting *col)
{
	char address[KEY_ADDRESS_TEXT];
	const struct store_collected *r = &col->result;

	address_to_text(&col->satellite.address, address);
	if (r->held)
		log_event(LOG_WARN, "collection_held",
			  "satellite=%s unwanted_bytes=%" PRIu64 " of=%" PRIu64 " command=\"granary-node store agree\"",
			  address, r->unwanted_bytes, r->bytes);
	else
		log_event(LOG_INFO, col->base.verb->name, "satellite=%s pieces=%" PRIu64 " bytes=%" PRIu64, address,
			  r->moved_pieces, r->moved_bytes);
}

static void answer(void *arg)
{
	struct collecting *col = arg;
	struct message message = {.type = MSG_COLLECTED};
	const struct store_collected *r = &col->result;

	request_job_is_back(&col->base);
	if (col->refusal == REFUSAL_NONE && col->err != ERR_OK)
		col->refusal = col->err == ERR_EXPIRED ? REFUSAL_EXPIRED
			       : col->err == ERR_LIMIT ? REFUSAL_BUSY
						       : refusal_from_err(col->err);
	if (col->refusal != REFUSAL_NONE) {
		request_refuse(&col->base, col->refusal, NULL);
		return;
	}
	log_outcome(col);
	metrics_add(col->base.parts->metrics, col->base.verb == &collect_verb ? STAT_TRASHED : STAT_RESTORED,
		    r->moved_pieces);
	message.collected = (struct msg_collected){
		.held = r->held,
		.since = r->held_since,
		.pieces = r->pieces,
		.bytes = r->bytes,
		.unwanted_pieces = r->unwanted_pieces,
		.unwanted_bytes = r->unwanted_bytes,
		.moved_pieces = r->moved_pieces,
		.moved_bytes = r->moved_bytes,
	};
	request_send(&col->base, &message);
	request_end(&col->base);
}

/* From the store's upkeep. */
static void on_collected(void *arg, enum err err, const struct store_collected *result)
{
	struct collecting *col = arg;

	col->err = err;
	col->result = *result;
	request_finish_job(&col->base, answer);
}

/* The answer is not awaited any more: let go of it, unless it is on its way already. */
static void forget(struct collecting *col)
{
	if (store_collect_forget(col->base.parts->store, col)) {
		col->err = ERR_CANCELLED;
		request_finish_job(&col->base, answer);
	}
}

static void collect_stopped(struct request *request)
{
	struct collecting *col = (struct collecting *)request;

	atomic_store(&col->stopped, true);
	forget(col);
}

/* The store was asked, or refused. */
static void asked(struct collecting *col, enum err err)
{
	if (err != ERR_OK) {
		col->err = err;
		request_finish_job(&col->base, answer);
	} else if (atomic_load(&col->stopped)) {
		forget(col);
	}
}

static enum refusal check_filter(const struct collecting *col, const struct filter *filter)
{
	struct bytes32 digest;

	filter_digest(filter, &digest);
	return bytes32_equal(&digest, &col->collection.filter) && filter_shape(filter)->time == col->collection.time
		       ? REFUSAL_NONE
		       : REFUSAL_FILTER;
}

static void work_collect(void *arg)
{
	struct collecting *col = arg;
	struct store *store = col->base.parts->store;
	struct filter *filter = NULL;
	uint16_t satellite;
	enum err err;

	col->refusal = REFUSAL_FILTER;
	if (filter_decode(bytes_of(col->parts.data, col->parts.total), &filter) == ERR_OK)
		col->refusal = check_filter(col, filter);
	filter_parts_clear(&col->parts);
	if (col->refusal != REFUSAL_NONE) {
		filter_free(filter);
		request_finish_job(&col->base, answer);
		return;
	}
	err = store_satellite(store, &col->satellite.address, &satellite);
	if (err == ERR_OK)
		err = store_collect(store, satellite, filter, on_collected, col);
	if (err != ERR_OK)
		filter_free(filter);
	asked(col, err);
}

static void collect_more(struct request *request, const struct message *message)
{
	struct collecting *col = (struct collecting *)request;
	struct bytes part = message->filter.part;

	if (message->type != MSG_FILTER || part.len == 0 || request->jobs > 0) {
		request_refuse(request, REFUSAL_PROTOCOL, "only parts of the filter may follow COLLECT");
		return;
	}
	if (filter_parts_add(&col->parts, col->size, col->parts.have, part) != ERR_OK) {
		request_refuse(request, REFUSAL_FILTER, "more bytes than were announced");
		return;
	}
	request->moved += part.len;
	if (!filter_parts_complete(&col->parts))
		return;
	request->ours = true;
	request_open_job(request, work_collect);
}

static enum refusal check_collection(const struct parts *parts, const struct msg_collect *message,
				     const struct satellite *satellite, struct collection *ret)
{
	struct signature signature;
	uint64_t now = clock_wall();

	if (!satellite->pinned)
		return REFUSAL_BUSY;
	if (typed_decode(&typed_collection, message->collection, ret, &signature) != ERR_OK)
		return REFUSAL_MALFORMED;
	if (!address_equal(&ret->satellite, &satellite->address))
		return REFUSAL_SATELLITE;
	if (!address_equal(&ret->node, key_address(parts->key)))
		return REFUSAL_NODE;
	if (ret->time > now && ret->time - now > RULES_SKEW)
		return REFUSAL_EARLY;
	if (message->size <= FILTER_HEAD || message->size > FILTER_MOST)
		return REFUSAL_RANGE;
	return typed_verify(&typed_collection, ret, &satellite->domain, &signature, &satellite->address);
}

static enum refusal find_satellite(struct session *session, struct satellite *ret, const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;

	if (trust_find_id(parts->trust, session_peer_id(session), ret) == ERR_OK)
		return REFUSAL_NONE;
	*ret_words = "only a satellite that this node trusts may collect and restore";
	return REFUSAL_DENIED;
}

static struct request *collect_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				     const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;
	struct collection collection;
	struct satellite satellite;
	struct collecting *col;

	*ret_refusal = find_satellite(session, &satellite, ret_words);
	if (*ret_refusal == REFUSAL_NONE)
		*ret_refusal = check_collection(parts, &message->collect, &satellite, &collection);
	if (*ret_refusal == REFUSAL_NONE && !admission_take(parts->admission, message->collect.size))
		*ret_refusal = REFUSAL_BUSY;
	if (*ret_refusal != REFUSAL_NONE)
		return NULL;
	col = memory_new(1, sizeof(*col));
	col->satellite = satellite;
	col->collection = collection;
	col->size = message->collect.size;
	request_init(&col->base, &collect_verb, session, message);
	return &col->base;
}

static void free_collecting(struct request *request)
{
	struct collecting *col = (struct collecting *)request;

	admission_give(col->base.parts->admission, col->size);
	filter_parts_clear(&col->parts);
	free(col->pieces);
	free(col);
}

/* A listed piece is out of the trash, or could not be moved. */
static void one_is_back(void *arg, enum err err)
{
	struct collecting *col = arg;
	int none = ERR_OK;

	if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_EXISTS)
		atomic_compare_exchange_strong(&col->failure, &none, (int)err);
	if (atomic_fetch_sub(&col->waiting, 1) == 1) {
		col->err = (enum err)atomic_load(&col->failure);
		request_finish_job(&col->base, answer);
	}
}

static void restore_listed(struct collecting *col, uint16_t satellite)
{
	struct store *store = col->base.parts->store;
	enum err err = ERR_OK;

	atomic_store(&col->waiting, 1);
	for (uint32_t i = 0; i < col->piece_count && (err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_EXISTS);
	     i++) {
		const struct store_key key = {satellite, col->pieces[i]};
		uint64_t size = 0;

		atomic_fetch_add(&col->waiting, 1);
		err = store_restore(store, &key, &size, one_is_back, col);
		if (err != ERR_OK) {
			atomic_fetch_sub(&col->waiting, 1); /* not the last: the job's own is still there */
			continue;
		}
		col->result.moved_pieces++;
		col->result.moved_bytes += size;
	}
	one_is_back(col, err);
}

static void work_restore(void *arg)
{
	struct collecting *col = arg;
	struct store *store = col->base.parts->store;
	uint16_t satellite;
	enum err err = store_satellite(store, &col->satellite.address, &satellite);

	if (err == ERR_OK && col->piece_count > 0) {
		restore_listed(col, satellite);
		return;
	}
	if (err == ERR_OK)
		err = store_restore_since(store, satellite, col->since, on_collected, col);
	asked(col, err);
}

static struct request *restore_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				     const char **ret_words)
{
	const struct list *pieces = &message->restore.pieces;
	struct satellite satellite;
	struct collecting *col;

	*ret_refusal = find_satellite(session, &satellite, ret_words);
	if (*ret_refusal != REFUSAL_NONE)
		return NULL;
	col = memory_new(1, sizeof(*col));
	col->satellite = satellite;
	col->since = message->restore.since;
	if (pieces->count > 0)
		col->pieces = memory_copy(pieces->raw.data, pieces->raw.len);
	col->piece_count = pieces->count;
	request_init(&col->base, &restore_verb, session, message);
	col->base.ours = true;
	request_open_job(&col->base, work_restore);
	return &col->base;
}

const struct verb collect_verb = {MSG_COLLECT,	"collect", STAT_COLLECTS,   collect_begin,
				  collect_more, NULL,	   collect_stopped, free_collecting};
const struct verb restore_verb = {MSG_RESTORE, "restore", STAT_RESTORES,   restore_begin,
				  NULL,	       NULL,	  collect_stopped, free_collecting};
