/*
 * GET: read in the pool, send from the loop, as far as orders and the channel allow.
 *
 * The store's log is told of the first order as soon as it is there, and of the last before GET_END, which waits until
 * that entry is written: an order that was acknowledged survives the end of the process. When it cannot be written, the
 * client still gets what it asked for, but in place of GET_END the reason.
 */
#include "node/get.h"

#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "common/clock.h"
#include "common/memory.h"
#include "node/session.h"
#include "node/transfer.h"

/* Blocks read and not yet sent. */
struct batch {
	const uint8_t *data; /* in the reader, or in the room */
	uint8_t *room;	     /* for GET_BLOCKS blocks, made at first use */
	uint32_t block;
	uint32_t count;
	uint32_t sent;
};

struct get {
	struct request base;
	struct transfer transfer;
	uint64_t reserved;	 /* of the node's budget */
	uint64_t offset, length; /* the range asked for */
	struct batch batches[2];
	unsigned sending; /* the batch that goes out now; the other one is read meanwhile */
	unsigned filling; /* the batch of the job under way, or of the last one */
	uint32_t next;	  /* block to be sent; valid once opened */
	bool opened;	  /* the piece was found, and the range is within it */
	bool step_posted;
	bool working;		/* a job is under way */
	bool logged;		/* the log was told that the allocation is used, … */
	uint64_t logged_amount; /* … and of so much ordered */
	bool logging;		/* an entry is on its way to the log */
	enum err log_err;	/* what became of the last one */

	/* The job's while one is under way, the loop's in between. */
	struct store_reader *reader;
	uint32_t read; /* block to be read */
	uint32_t end;  /* one past the last */
	enum refusal refusal;
};

static void get_worked(void *arg);
static void advance(struct get *get);

static const struct store_piece *piece_of(const struct get *get)
{
	return store_reader_piece(get->reader);
}

/* Bytes of the blocks that cover the range. */
static uint64_t covered(const struct get *get)
{
	uint64_t size = piece_of(get)->size, end = (uint64_t)get->end * TREE_BLOCK;

	return (end < size ? end : size) - (uint64_t)get->read * TREE_BLOCK;
}

/* Whether all blocks of the range can be paid for: each is sent when there is an order for some of it. */
static bool is_payable(const struct get *get)
{
	uint64_t last = tree_block_size(piece_of(get)->size, get->end - 1), all = covered(get);

	return all == 0 || all - last < get->transfer.allocation.limit;
}

/* Find the piece, and hold the range against it and against what can ever be ordered. */
static enum refusal job_open(struct get *get)
{
	struct store *store = get->base.parts->store;
	struct store_key key = {0, get->transfer.allocation.piece};
	uint64_t size, last;
	enum err err;

	err = store_satellite(store, &get->transfer.satellite.address, &key.satellite);
	if (err == ERR_OK)
		err = store_get(store, &key, &get->reader);
	if (err != ERR_OK)
		return refusal_from_err(err);
	size = piece_of(get)->size;
	if (get->offset > size || get->length > size - get->offset || (get->length == 0 && size > 0))
		return REFUSAL_RANGE;
	last = get->length > 0 ? get->offset + get->length - 1 : 0;
	get->read = (uint32_t)(get->offset / TREE_BLOCK);
	get->end = (uint32_t)(last / TREE_BLOCK) + 1;
	return is_payable(get) ? REFUSAL_NONE : REFUSAL_RANGE;
}

static enum refusal job_read(struct get *get, struct batch *batch)
{
	uint32_t left = get->end - get->read;
	enum err err;
	size_t len;

	batch->block = get->read;
	batch->count = left < GET_BLOCKS ? left : GET_BLOCKS;
	batch->sent = 0;
	get->read += batch->count;
	err = store_reader_view(get->reader, batch->block, batch->count, &batch->data, &len);
	if (err == ERR_UNSUPPORTED) {
		if (batch->room == NULL)
			batch->room = memory_new(batch->count, TREE_BLOCK);
		batch->data = batch->room;
		err = store_reader_blocks(get->reader, batch->block, batch->count, batch->room, &len);
	}
	return refusal_from_err(err);
}

static void work_get(void *arg)
{
	struct get *get = arg;

	get->refusal = get->reader == NULL ? job_open(get) : REFUSAL_NONE;
	if (get->refusal == REFUSAL_NONE)
		get->refusal = job_read(get, &get->batches[get->filling]);
}

static bool is_empty(const struct batch *batch)
{
	return batch->sent == batch->count;
}

static bool log_is_behind(const struct get *get)
{
	return !get->logged || get->logged_amount != get->transfer.order.amount;
}

static void set_ours(struct get *get)
{
	get->base.ours = get->working || get->logging;
}

static void on_logged(void *arg)
{
	struct get *get = arg;

	get->logging = false;
	set_ours(get);
	request_job_is_back(&get->base);
	advance(get);
}

/* In the log's thread. */
static void logged(void *arg, enum err err)
{
	struct get *get = arg;

	get->log_err = err;
	request_finish_job(&get->base, on_logged);
}

/* Written at once, the entry survives the end of the process; its sync is not waited for. */
static void write_log(struct get *get)
{
	struct store_transfer entry;

	get->logged = true;
	get->logged_amount = get->transfer.order.amount;
	get->logging = true;
	set_ours(get);
	get->base.jobs++;
	transfer_log_entry(&get->transfer, clock_wall(), &entry);
	store_transfer_add(get->base.parts->store, &entry, logged, get);
}

/* Keep one job under way as long as there are blocks to read and a batch to read them into. */
static void read_ahead(struct get *get)
{
	if (get->working || (get->opened && get->read == get->end))
		return;
	if (is_empty(&get->batches[get->sending]))
		get->filling = get->sending;
	else if (is_empty(&get->batches[!get->sending]))
		get->filling = !get->sending;
	else
		return;
	get->working = true;
	set_ours(get);
	request_job(&get->base, work_get, get_worked);
}

static void send_block(struct get *get, struct batch *batch)
{
	const struct store_piece *piece = piece_of(get);
	struct bytes32 path[PROOF_PATH];
	struct message message = {.type = MSG_DATA};
	uint32_t siblings;

	siblings = proof_path(piece->blocks, piece->size, get->next, path);
	message.data.block = get->next;
	message.data.siblings = bytes_of(path, siblings * sizeof(path[0]));
	message.data.payload =
		bytes_of(batch->data + (size_t)batch->sent * TREE_BLOCK, tree_block_size(piece->size, get->next));
	request_send(&get->base, &message);
	get->transfer.moved += message.data.payload.len;
	get->base.moved += message.data.payload.len;
	metrics_add(get->base.parts->metrics, STAT_BYTES_OUT, message.data.payload.len);
	batch->sent++;
	get->next++;
}

/* The batch with the next block, NULL while it is still being read. */
static struct batch *batch_to_send(struct get *get)
{
	for (int i = 0; i < 2; i++) {
		bool busy = get->working && get->filling == get->sending;

		if (!busy && !is_empty(&get->batches[get->sending]))
			return &get->batches[get->sending];
		get->sending = !get->sending;
	}
	return NULL;
}

static void send_ready(struct get *get)
{
	struct batch *batch = batch_to_send(get);

	while (batch != NULL && !request_is_full(&get->base) &&
	       transfer_may_send(&get->transfer, tree_block_size(piece_of(get)->size, get->next))) {
		send_block(get, batch);
		if (is_empty(batch)) {
			read_ahead(get);
			batch = batch_to_send(get);
		}
	}
}

static void answer_end(struct get *get)
{
	struct message message = {.type = MSG_GET_END};

	message.get_end.bytes = get->transfer.moved;
	request_send(&get->base, &message);
	request_end(&get->base);
}

/* All was sent and all that was ordered for it is in the log: say so. */
static void conclude(struct get *get)
{
	if (get->log_err != ERR_OK)
		request_refuse(&get->base, refusal_from_err(get->log_err), "sent, but the last order cannot be kept");
	else
		answer_end(get);
}

/* Do what is next. What was ordered is logged also when the client leaves early; the allocation is used then, too, even
 * without an order. */
static void advance(struct get *get)
{
	bool over = get->base.session == NULL, sent;

	if (get->opened && !over)
		send_ready(get);
	sent = get->opened && !get->working && get->next == get->end;
	if (!get->logging && log_is_behind(get) && (over || sent || (!get->logged && get->transfer.order.amount > 0)))
		write_log(get);
	if (over)
		return;
	if (!sent)
		read_ahead(get);
	else if (!get->logging)
		conclude(get);
}

static void get_worked(void *arg)
{
	struct get *get = arg;

	get->working = false;
	set_ours(get);
	request_job_is_back(&get->base);
	if (get->refusal != REFUSAL_NONE)
		request_refuse(&get->base, get->refusal, NULL);
	else if (!get->opened) {
		get->next = get->batches[get->filling].block;
		get->opened = true;
	}
	advance(get);
}

static void on_step(void *arg)
{
	struct get *get = arg;

	get->step_posted = false;
	request_job_is_back(&get->base);
	advance(get);
}

/* Advance soon: when the loop has handed us all that came in one read, so that the first job knows the first order. */
static void step_soon(struct get *get)
{
	if (get->step_posted)
		return;
	get->step_posted = true;
	get->base.jobs++;
	request_finish_job(&get->base, on_step);
}

/* Memory for what the range can need; of the piece's size nothing is known yet. */
static uint64_t read_ahead_bytes(const struct msg_get *get)
{
	uint64_t most = (uint64_t)2 * GET_BLOCKS * TREE_BLOCK;

	return get->length < most - 2 * TREE_BLOCK ? get->length + 2 * TREE_BLOCK : most;
}

static struct request *get_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				 const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;
	const struct transfer_request request = {message->get.allocation,
						 key_address(parts->key),
						 session_peer_id(session),
						 &message->get.piece,
						 false,
						 clock_wall()};
	struct get *get = memory_new(1, sizeof(*get));
	enum refusal refusal;

	get->offset = message->get.offset;
	get->length = message->get.length;
	refusal = transfer_open(parts->trust, &request, &get->transfer);
	if (refusal == REFUSAL_NONE && pause_until(parts->pause, request.now) > 0) {
		refusal = REFUSAL_BUSY;
		*ret_words = "this node pauses for maintenance";
	}
	if (refusal == REFUSAL_NONE && !admission_take(parts->admission, read_ahead_bytes(&message->get)))
		refusal = REFUSAL_BUSY;
	else if (refusal == REFUSAL_NONE)
		get->reserved = read_ahead_bytes(&message->get);
	if (refusal == REFUSAL_NONE)
		refusal = admission_use(parts->admission, &get->transfer.allocation, &get->transfer.hash, false);
	if (refusal != REFUSAL_NONE) {
		*ret_refusal = refusal;
		admission_give(parts->admission, get->reserved);
		free(get);
		return NULL;
	}
	request_init(&get->base, &get_verb, session, message);
	request_is_of(&get->base, &get->transfer.satellite.address, get->transfer.allocation.action);
	step_soon(get);
	return &get->base;
}

static void get_more(struct request *request, const struct message *message)
{
	struct get *get = (struct get *)request;
	enum refusal refusal = REFUSAL_PROTOCOL;

	if (message->type == MSG_ORDER)
		refusal = transfer_order(&get->transfer, message->order.order);
	if (refusal != REFUSAL_NONE)
		request_refuse(request, refusal, NULL);
	else
		step_soon(get);
}

static void get_drained(struct request *request)
{
	advance((struct get *)request);
}

static void get_stopped(struct request *request)
{
	step_soon((struct get *)request);
}

static void get_free(struct request *request)
{
	struct get *get = (struct get *)request;

	store_reader_free(get->reader);
	free(get->batches[0].room);
	free(get->batches[1].room);
	admission_give(request->parts->admission, get->reserved);
	free(get);
}

const struct verb get_verb = {MSG_GET, "get", STAT_GETS, get_begin, get_more, get_drained, get_stopped, get_free};
