/* PUT: queue blocks in the loop, write them in the pool, sign what the store has committed. */
#include "node/put.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/blocks.h"
#include "node/session.h"
#include "node/transfer.h"
#include "payments/rules.h"

struct put {
	struct request base;
	struct transfer transfer;
	uint64_t reserved; /* of the node's budget */
	bool again;	   /* the allocation is used: only the receipt of a stored piece can be had again */
	bool short_block;  /* the last block came: a shorter one than a whole */
	bool ended;	   /* PUT_END came */
	bool step_posted;
	bool working; /* a job is under way */
	struct msg_put_end end;
	uint32_t next_block;
	struct blocks blocks; /* between loop and job */

	/* The job's while one is under way, the loop's in between. */
	bool committed; /* it is durable */
	bool found;	/* `again`: it is here, and `receipt` is filled in */
	enum refusal refusal;
	struct store_upload *upload;
	struct receipt receipt;
};

static void put_step(struct put *put);
static void put_worked(void *arg);

/* Reserve the extent: the first thing that any upload does. */
static enum refusal job_begin(struct put *put)
{
	const struct transfer *t = &put->transfer;
	uint16_t satellite;
	enum err err;

	err = store_satellite(put->base.parts->store, &t->satellite.address, &satellite);
	if (err == ERR_OK)
		err = store_put_begin(put->base.parts->store, satellite, &t->allocation, &t->allocation_signature,
				      &t->hash, &put->upload);
	return refusal_from_err(err);
}

static void committed(void *arg, enum err err)
{
	struct put *put = arg;

	put->committed = err == ERR_OK;
	put->refusal = refusal_from_err(err);
	request_finish_job(&put->base, put_worked);
}

/* Hand the piece to the committer, which ends this job and may have done so when this returns; false: it is not to be
 * committed, and put->refusal says why. */
static bool job_finish(struct put *put)
{
	struct store_upload *upload = put->upload;
	bool ordered = put->transfer.order.amount > 0;
	struct bytes32 root;
	uint64_t size;

	store_put_root(upload, &root, &size);
	if (!bytes32_equal(&root, &put->end.root) || size != put->end.size) {
		put->refusal = REFUSAL_ROOT;
		return false;
	}
	put->receipt = (struct receipt){put->transfer.hash, put->transfer.allocation.piece, root, size, clock_wall()};
	put->upload = NULL;
	store_put_end(upload, ordered ? &put->transfer.order : NULL, &put->transfer.order_signature,
		      put->receipt.storedAt, committed, put);
	return true;
}

static void put_has_room(void *arg);

/* Write as long as blocks come, without waiting for them. */
static enum blocks_next write_blocks(struct put *put)
{
	enum blocks_next next = BLOCKS_NONE;
	struct bytes data;

	while (put->refusal == REFUSAL_NONE) {
		next = blocks_take(&put->blocks, &data);
		if (next != BLOCKS_ONE)
			break;
		put->refusal = refusal_from_err(store_put_block(put->upload, data.data, data.len));
		/* This call comes before the one that ends the job, so the upload is still there then. */
		if (blocks_written(&put->blocks, data))
			request_finish_job(&put->base, put_has_room);
	}
	return next;
}

static void work_write(void *arg)
{
	struct put *put = arg;

	put->refusal = put->upload == NULL ? job_begin(put) : REFUSAL_NONE;
	if (write_blocks(put) == BLOCKS_ENDED && job_finish(put))
		return;
	request_finish_job(&put->base, put_worked);
}

static void work_abort(void *arg)
{
	struct put *put = arg;

	store_put_abort(put->upload);
	put->upload = NULL;
	request_finish_job(&put->base, put_worked);
}

/* Is the piece that this used allocation brought still here? Then its receipt can be had again. */
static enum refusal find_again(struct put *put)
{
	struct store *store = put->base.parts->store;
	struct store_key key = {0, put->transfer.allocation.piece};
	const struct store_piece *piece;
	struct store_reader *reader;
	bool same;
	enum err err;

	err = store_satellite(store, &put->transfer.satellite.address, &key.satellite);
	if (err == ERR_OK)
		err = store_get(store, &key, &reader);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? REFUSAL_REPLAY : refusal_from_err(err);
	piece = store_reader_piece(reader);
	same = bytes32_equal(&piece->allocation, &put->transfer.hash);
	put->receipt = (struct receipt){put->transfer.hash, key.piece, piece->root, piece->size, piece->stored_at};
	store_reader_free(reader);
	return same ? REFUSAL_NONE : REFUSAL_REPLAY;
}

static void work_find(void *arg)
{
	struct put *put = arg;

	put->refusal = find_again(put);
	put->found = put->refusal == REFUSAL_NONE;
	request_finish_job(&put->base, put_worked);
}

/* No more is read while so much is in memory. */
static void heed_room(struct put *put)
{
	request_pause(&put->base, blocks_is_full(&put->blocks));
}

static void put_has_room(void *arg)
{
	heed_room(arg);
}

static void send_receipt(struct put *put)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_RECEIPT};
	struct signature signature;
	struct writer w;

	typed_sign(&typed_receipt, &put->receipt, &put->transfer.satellite.domain, put->base.parts->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_receipt, &put->receipt, &signature, &w);
	message.receipt.receipt = writer_bytes(&w);
	request_send(&put->base, &message);
	request_end(&put->base);
}

/* A repeated upload gets its receipt when it names what is stored. */
static void answer_again(struct put *put)
{
	if (bytes32_equal(&put->receipt.root, &put->end.root) && put->receipt.size == put->end.size)
		send_receipt(put);
	else
		request_refuse(&put->base, REFUSAL_EXISTS, "stored already with another root");
}

static void start_job(struct put *put, void (*work)(void *put))
{
	put->working = true;
	put->base.ours = true;
	request_open_job(&put->base, work);
}

/* Do what is next, unless a job is under way. */
static void advance(struct put *put)
{
	bool over = put->base.session == NULL;

	if (put->working)
		return;
	if (over && put->upload != NULL)
		start_job(put, work_abort);
	else if (over)
		return;
	else if (put->again && !put->found)
		start_job(put, work_find);
	else if (put->again && put->ended)
		answer_again(put);
	else if (!put->again && (put->upload == NULL || blocks_is_due(&put->blocks)))
		start_job(put, work_write);
}

static void on_step(void *arg)
{
	struct put *put = arg;

	put->step_posted = false;
	request_job_is_back(&put->base);
	advance(put);
}

/* Advance soon: when the loop has handed us all that came in one read, so that a job takes it all. */
static void put_step(struct put *put)
{
	if (put->step_posted || put->working)
		return;
	put->step_posted = true;
	put->base.jobs++;
	request_finish_job(&put->base, on_step);
}

static void put_worked(void *arg)
{
	struct put *put = arg;

	put->working = false;
	put->base.ours = false;
	request_job_is_back(&put->base);
	if (put->refusal != REFUSAL_NONE) {
		request_refuse(&put->base, put->refusal, NULL);
	} else if (put->committed) {
		send_receipt(put);
		return;
	}
	heed_room(put);
	advance(put);
}

static struct request *put_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				 const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;
	const struct transfer_request request = {message->put.allocation,
						 key_address(parts->key),
						 session_peer_id(session),
						 &message->put.piece,
						 true,
						 clock_wall()};
	struct put *put = memory_new(1, sizeof(*put));
	enum refusal refusal;
	uint64_t most = (uint64_t)BLOCKS_MOST * TREE_BLOCK;

	refusal = transfer_open(parts->trust, &request, &put->transfer);
	if (refusal == REFUSAL_NONE && pause_until(parts->pause, request.now) > 0) {
		refusal = REFUSAL_BUSY;
		*ret_words = "this node pauses for maintenance";
	}
	if (refusal == REFUSAL_NONE && put->transfer.allocation.limit > TREE_PIECE) {
		refusal = REFUSAL_PIECE_LIMIT;
		*ret_words = "a piece has at most 2 MiB";
	}
	if (refusal == REFUSAL_NONE) {
		put->reserved = put->transfer.allocation.limit < most ? put->transfer.allocation.limit : most;
		refusal = admission_take(parts->admission, put->reserved) ? REFUSAL_NONE : REFUSAL_BUSY;
	}
	if (refusal != REFUSAL_NONE) {
		*ret_refusal = refusal;
		free(put);
		return NULL;
	}
	refusal = admission_use(parts->admission, &put->transfer.allocation, &put->transfer.hash, true);
	put->again = refusal == REFUSAL_REPLAY;
	if (refusal != REFUSAL_NONE && !put->again) {
		*ret_refusal = refusal;
		admission_give(parts->admission, put->reserved);
		free(put);
		return NULL;
	}
	blocks_init(&put->blocks);
	request_init(&put->base, &put_verb, session, message);
	request_is_of(&put->base, &put->transfer.satellite.address, put->transfer.allocation.action);
	put_step(put);
	return &put->base;
}

static void take_block(struct put *put, struct bytes payload)
{
	put->next_block++;
	put->short_block = payload.len < TREE_BLOCK;
	put->base.moved += payload.len;
	metrics_add(put->base.parts->metrics, STAT_BYTES_IN, payload.len);
	if (put->again)
		return;
	blocks_add(&put->blocks, payload);
	heed_room(put);
	put_step(put);
}

static void on_data(struct put *put, const struct msg_data *data)
{
	enum refusal refusal;

	if (data->block != put->next_block || put->short_block || data->siblings.len > 0 || data->payload.len == 0) {
		request_refuse(&put->base, REFUSAL_PROTOCOL, "not the next block of the piece");
		return;
	}
	refusal = transfer_receive(&put->transfer, data->payload.len);
	if (refusal != REFUSAL_NONE)
		request_refuse(&put->base, refusal, NULL);
	else
		take_block(put, data->payload);
}

static void on_order(struct put *put, struct bytes wire)
{
	enum refusal refusal = transfer_order(&put->transfer, wire);

	if (refusal != REFUSAL_NONE)
		request_refuse(&put->base, refusal, NULL);
}

/* A repeated upload may leave out its data: it is here already. */
static void on_end(struct put *put, const struct msg_put_end *end)
{
	if (!put->again && end->size != put->transfer.moved) {
		request_refuse(&put->base, REFUSAL_ROOT, "the size is not that of the data sent");
		return;
	}
	if (!put->again && end->size > put->transfer.order.amount) {
		request_refuse(&put->base, REFUSAL_UNORDERED, "the last order does not cover the piece");
		return;
	}
	put->ended = true;
	put->end = *end;
	blocks_end(&put->blocks);
	put_step(put);
}

static void put_more(struct request *request, const struct message *message)
{
	struct put *put = (struct put *)request;

	if (put->ended)
		request_refuse(request, REFUSAL_PROTOCOL, "the upload was ended");
	else if (message->type == MSG_DATA)
		on_data(put, &message->data);
	else if (message->type == MSG_ORDER)
		on_order(put, message->order.order);
	else if (message->type == MSG_PUT_END)
		on_end(put, &message->put_end);
	else
		request_refuse(request, REFUSAL_PROTOCOL, NULL);
}

static void put_stopped(struct request *request)
{
	put_step((struct put *)request);
}

static void put_free(struct request *request)
{
	struct put *put = (struct put *)request;

	assert(put->upload == NULL && !put->working);
	blocks_clear(&put->blocks);
	admission_give(request->parts->admission, put->reserved);
	free(put);
}

const struct verb put_verb = {MSG_PUT, "put", STAT_PUTS, put_begin, put_more, NULL, put_stopped, put_free};
