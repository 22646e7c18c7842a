/* Checking receipts and committing segments. */
#include "satellite/commit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "satellite/allocate.h"
#include "satellite/customers.h"
#include "satellite/objects.h"
#include "uplink/segment.h"

/* COMMIT_SEGMENT under way. */
struct commit {
	struct work *work;
	struct object object;
	struct segment segment;
	struct offer offers[REDUNDANCY_TOTAL];
	bool used[REDUNDANCY_TOTAL]; /* offers with a receipt */
	size_t offer_count;
	struct stored_piece pieces[REDUNDANCY_TOTAL];
	size_t count;
	bool done; /* this very segment is committed already */
};

static enum err check_sizes(struct commit *commit)
{
	const struct msg_commit_segment *m = &commit->work->message->commit_segment;
	struct segment_layout layout;

	if (m->wrapped_key.len != MESSAGE_WRAPPED_KEY)
		return work_refuse(commit->work, REFUSAL_MALFORMED, "wrapped_key: not %d bytes", MESSAGE_WRAPPED_KEY);
	if (segment_plan(m->plain_size, commit->object.redundancy.required, &layout) != ERR_OK)
		return work_refuse(commit->work, REFUSAL_COMMIT, "plain_size: %" PRIu64 " is not 1 to %" PRIu64,
				   m->plain_size, segment_plain_max(commit->object.redundancy.required));
	if (m->piece_size != layout.piece_size)
		return work_refuse(commit->work, REFUSAL_COMMIT,
				   "piece_size: %" PRIu64 " is not %" PRIu64 ", which plain_size implies",
				   m->piece_size, layout.piece_size);
	if (m->piece_size > commit->segment.piece_size)
		return work_refuse(commit->work, REFUSAL_COMMIT,
				   "piece_size: %" PRIu64 " is more than the %" PRIu64 " allocated", m->piece_size,
				   commit->segment.piece_size);
	return ERR_OK;
}

/* The segment and its object must be this caller's, and begun. *done: it was committed with the same key before. */
static enum err find_segment(struct database *db, void *arg)
{
	struct commit *commit = arg;
	struct work *work = commit->work;
	const struct msg_commit_segment *m = &work->message->commit_segment;
	enum err err = segments_get(db, &m->segment, &commit->segment);

	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "segment: no such segment");
	if (err == ERR_OK)
		err = objects_require(work, &commit->segment.version, OBJECT_BEGUN, &commit->object);
	if (err != ERR_OK)
		return err;
	if (commit->segment.state == SEGMENT_BEGUN)
		return segments_offers(db, &m->segment, commit->offers, REDUNDANCY_TOTAL, &commit->offer_count);
	commit->done = bytes_equal(bytes_of(commit->segment.wrapped_key, MESSAGE_WRAPPED_KEY), m->wrapped_key) &&
		       commit->segment.plain_size == m->plain_size;
	if (!commit->done)
		return work_refuse(work, REFUSAL_CONFLICT, "segment: committed already, with another key or size");
	return ERR_OK;
}

static struct offer *find_offer(struct commit *commit, uint16_t number)
{
	for (size_t i = 0; i < commit->offer_count; i++)
		if (commit->offers[i].number == number)
			return &commit->offers[i];
	return NULL;
}

static enum err check_receipt(struct commit *commit, const struct item_receipt *item)
{
	struct work *work = commit->work;
	const struct offer *offer = find_offer(commit, item->number);
	uint64_t size = work->message->commit_segment.piece_size;
	struct allocation allocation;
	struct signature signature;
	struct receipt receipt;
	struct bytes32 hash;
	struct receipt_facts facts = {&work->desk->settings->domain, &allocation, &hash, &receipt.root, size};
	enum refusal refusal;

	if (offer == NULL)
		return work_refuse(work, REFUSAL_COMMIT, "receipts: piece %u was not allocated", item->number);
	if (commit->used[offer - commit->offers])
		return work_refuse(work, REFUSAL_COMMIT, "receipts: piece %u is there twice", item->number);
	if (typed_decode(&typed_receipt, item->receipt, &receipt, &signature) != ERR_OK)
		return work_refuse(work, REFUSAL_COMMIT, "receipts: piece %u: not a signed Receipt", item->number);
	allocate_from_offer(work->desk, &commit->segment, offer, &work->caller->address, commit->object.expires,
			    &allocation);
	typed_hash(&typed_allocation, &allocation, &hash);
	refusal = rules_check_receipt(&receipt, &signature, &facts);
	if (refusal != REFUSAL_NONE)
		return work_refuse(work, REFUSAL_COMMIT, "receipts: piece %u: %s", item->number, refusal_text(refusal));
	/* It will be paid from that time on. */
	if (receipt.storedAt + RULES_SKEW < commit->segment.issued || receipt.storedAt > clock_wall() + RULES_SKEW)
		return work_refuse(work, REFUSAL_COMMIT, "receipts: piece %u: storedAt is not within the upload",
				   item->number);
	commit->used[offer - commit->offers] = true;
	commit->pieces[commit->count++] = (struct stored_piece){
		item->number, offer->node, offer->piece, receipt.root, size, receipt.storedAt, hash, signature};
	return ERR_OK;
}

static enum err check_receipts(struct commit *commit)
{
	const struct list *receipts = &commit->work->message->commit_segment.receipts;
	struct reader r;
	enum err err = ERR_OK;

	if (receipts->count < commit->object.redundancy.success)
		return work_refuse(commit->work, REFUSAL_COMMIT, "receipts: %" PRIu32 ", at least %u are needed",
				   receipts->count, commit->object.redundancy.success);
	reader_init(&r, receipts->raw);
	for (uint32_t i = 0; i < receipts->count && err == ERR_OK; i++) {
		struct item_receipt item;

		list_next(&item_receipt_fields, &r, &item);
		err = check_receipt(commit, &item);
	}
	return err;
}

static enum err store_commit(struct database *db, void *arg)
{
	struct commit *commit = arg;
	const struct msg_commit_segment *m = &commit->work->message->commit_segment;
	enum err err = find_segment(db, commit);

	if (err != ERR_OK || commit->done)
		return err;
	commit->segment.plain_size = m->plain_size;
	commit->segment.piece_size = m->piece_size;
	memcpy(commit->segment.wrapped_key, m->wrapped_key.data, MESSAGE_WRAPPED_KEY);
	err = segments_commit(db, &commit->segment, commit->pieces, commit->count);
	if (err == ERR_EXISTS)
		return work_refuse(commit->work, REFUSAL_CONFLICT, "segment: number %" PRIu32 " is committed already",
				   commit->segment.number);
	if (err == ERR_OK)
		err = customers_add_segment(db, &commit->segment.version, m->piece_size * commit->count);
	return err == ERR_OK ? objects_touch(db, &commit->segment.version) : err;
}

enum err commit_segment(struct work *work)
{
	struct commit *commit = memory_new(1, sizeof(*commit));
	enum err err;

	commit->work = work;
	err = database_view(work->desk->db, find_segment, commit);
	if (err == ERR_OK && !commit->done) {
		err = check_sizes(commit);
		/* Signatures are checked outside the transaction: that is what takes long. */
		if (err == ERR_OK)
			err = check_receipts(commit);
		if (err == ERR_OK)
			err = database_transaction(work->desk->db, store_commit, commit);
	}
	if (err == ERR_OK)
		reply_done(work->reply);
	free(commit);
	return err;
}

static enum err check_inline(struct work *work)
{
	const struct msg_inline_segment *m = &work->message->inline_segment;

	if (m->number >= SEGMENTS_NUMBER_MAX)
		return work_refuse(work, REFUSAL_RANGE, "number: %" PRIu32 " is over %d", m->number,
				   SEGMENTS_NUMBER_MAX - 1);
	if (m->wrapped_key.len != MESSAGE_WRAPPED_KEY)
		return work_refuse(work, REFUSAL_MALFORMED, "wrapped_key: not %d bytes", MESSAGE_WRAPPED_KEY);
	if (m->data.len < SEGMENT_TAG || m->plain_size != m->data.len - SEGMENT_TAG)
		return work_refuse(work, REFUSAL_MALFORMED,
				   "plain_size: not that of the data, which has a tag of %d "
				   "bytes",
				   SEGMENT_TAG);
	return ERR_OK;
}

/* Whether the same inline segment was stored before. */
static enum err find_inline(struct work *work, bool *ret_done)
{
	const struct msg_inline_segment *m = &work->message->inline_segment;
	struct segment *old = memory_new(1, sizeof(*old));
	enum err err = segments_find_committed(work->desk->db, &m->version, m->number, old);

	*ret_done = err == ERR_OK && old->is_inline &&
		    bytes_equal(bytes_of(old->wrapped_key, MESSAGE_WRAPPED_KEY), m->wrapped_key) &&
		    bytes_equal(bytes_of(old->data, old->data_len), m->data);
	free(old);
	if (err == ERR_OK && !*ret_done)
		return work_refuse(work, REFUSAL_CONFLICT, "number: segment %" PRIu32 " is committed already",
				   m->number);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err store_inline(struct database *db, void *arg)
{
	struct work *work = arg;
	const struct msg_inline_segment *m = &work->message->inline_segment;
	struct segment *segment;
	struct object object;
	bool done = false;
	enum err err = objects_require(work, &m->version, OBJECT_BEGUN, &object);

	if (err == ERR_OK)
		err = find_inline(work, &done);
	if (err == ERR_OK && !done)
		err = customers_check_storage(work, m->data.len);
	if (err != ERR_OK || done)
		return err;
	segment = memory_new(1, sizeof(*segment));
	random_bytes(segment->id.b, sizeof(segment->id.b));
	segment->version = m->version;
	segment->number = m->number;
	segment->state = SEGMENT_COMMITTED;
	segment->plain_size = m->plain_size;
	segment->issued = segment->expires = clock_wall();
	memcpy(segment->wrapped_key, m->wrapped_key.data, MESSAGE_WRAPPED_KEY);
	segment->is_inline = true;
	segment->data_len = m->data.len;
	memcpy(segment->data, m->data.data, m->data.len);
	err = segments_insert(db, segment);
	free(segment);
	if (err == ERR_OK)
		err = customers_add_segment(db, &m->version, m->data.len);
	return err == ERR_OK ? objects_touch(db, &m->version) : err;
}

enum err commit_inline_segment(struct work *work)
{
	enum err err = check_inline(work);

	if (err == ERR_OK)
		err = database_transaction(work->desk->db, store_inline, work);
	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}
