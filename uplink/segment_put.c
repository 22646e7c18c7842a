/*
 * States: asking for allocations, sending, sent (waiting to know whether it is the last), committing.
 * An attempt is its pieces; a failed attempt leaves nothing but the list of nodes to exclude.
 */
#include "uplink/segment_put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "uplink/metadata.h"
#include "uplink/report.h"

#define SEGMENT_MAGIC 0x53505554u
#define WHY_MAX 1000
#define FAILED_MAX (TRANSFER_EXCLUDED - TRANSFER_AVOIDED)
#define LINGER_MS 1000

struct piece {
	struct segment_put *segment;
	struct permit permit;
	struct piece_put *put; /* NULL when not running */
	uint32_t at;	       /* the stripe it is at */
	bool receipted;
	uint8_t receipt[MESSAGE_SIGNED_MAX];
	size_t receipt_len;
};

struct segment_put {
	uint32_t magic;
	struct transfer *transfer;
	const struct segment_put_events *events;
	void *arg;
	uint32_t number;
	uint64_t plain_size;
	uint64_t piece_size;
	struct stripes *stripes;		/* NULL once sent */
	uint8_t wrapped_key[2][CRYPTO_WRAPPED]; /* for not last, and last; made when the stripes go */
	struct metadata_call *call;
	struct bytes32 segment; /* the attempt's name */
	unsigned attempt;
	struct piece *pieces;
	uint32_t count;
	uint32_t running;
	uint32_t receipted;
	enum { LAST_UNKNOWN, LAST_NO, LAST_YES } last;
	struct item_node failed[FAILED_MAX]; /* nodes, with this segment */
	uint32_t failed_count;
	bool desperate;	      /* too few nodes without those to avoid: give them another chance */
	uint64_t begun;	      /* monotonic nanoseconds: when the pieces of this attempt began */
	struct report *report;
	struct event *linger; /* set while only pieces of data are waited for */
	char why[WHY_MAX];    /* what failed, one after the other */
};

static void begin_attempt(struct segment_put *segment);

/* Cancel what runs of the pieces from number `first` on. */
static void cancel_pieces(struct segment_put *segment, uint32_t first)
{
	for (uint32_t i = 0; i < segment->count; i++) {
		struct piece *piece = &segment->pieces[i];

		if (piece->put == NULL || piece->permit.number < first)
			continue;
		if (segment->receipted >= segment->transfer->policy.success)
			report_add(segment->report, &piece->permit, TRANSFER_SLOW, 0, segment->begun);
		piece_put_cancel(piece->put);
		piece->put = NULL;
		segment->running--;
		stripes_piece_leaves(segment->stripes, piece->at);
	}
}

static void forget_attempt(struct segment_put *segment)
{
	cancel_pieces(segment, 0);
	report_send(segment->report);
	event_del(segment->linger);
	free(segment->pieces);
	segment->pieces = NULL;
	segment->count = 0;
	segment->receipted = 0;
}

/* Without a word to the owner: what is given back here is no news while everything is given up. */
static void segment_free(struct segment_put *segment)
{
	metadata_cancel(segment->call);
	for (uint32_t i = 0; i < segment->count; i++) {
		if (segment->pieces[i].put != NULL)
			piece_put_cancel(segment->pieces[i].put);
	}
	free(segment->pieces);
	report_free(segment->report);
	event_free(segment->linger);
	stripes_free(segment->stripes);
	transfer_release(segment->transfer);
	segment->magic = 0;
	free(segment);
}

static void finish(struct segment_put *segment, enum err err, const char *why)
{
	const struct segment_put_events *events = segment->events;
	char text[WHY_MAX + 400];

	if (err == ERR_OK)
		text[0] = '\0';
	else if (segment->why[0] == '\0')
		snprintf(text, sizeof(text), "segment %u: %s", segment->number, why);
	else
		snprintf(text, sizeof(text), "segment %u: %s; %s", segment->number, why, segment->why);
	events->done(segment->arg, segment, err, text);
	segment_free(segment);
}

/* Remember a node that failed: for the satellite, and for the person who reads why. One that is only busy is avoided,
 * but may be tried again for this segment when there is nobody else. */
static void note_failure(struct segment_put *segment, const struct permit *permit, const struct piece_receipt *result)
{
	size_t len = strlen(segment->why);
	char hex[KEY_ID_HEX];

	id_to_hex(&permit->endpoint.id, hex);
	snprintf(segment->why + len, sizeof(segment->why) - len, "%snode %s: %s", len > 0 ? ", " : "", hex,
		 result->why);
	transfer_avoid(segment->transfer, &permit->allocation.node);
	if (result->err != ERR_BUSY && segment->failed_count < FAILED_MAX)
		segment->failed[segment->failed_count++].node = permit->allocation.node;
}

static void commit(struct segment_put *segment);

/* The plaintext is safe: keep only what the commit needs. */
static void end_sending(struct segment_put *segment)
{
	const struct transfer *transfer = segment->transfer;

	cancel_pieces(segment, 0);
	report_send(segment->report);
	event_del(segment->linger);
	for (int last = 0; last < 2; last++) {
		struct crypto_place place = transfer_place(transfer, segment->number, last != 0, segment->plain_size);

		crypto_wrap_key(transfer->name.key, &place, stripes_key(segment->stripes), segment->wrapped_key[last]);
	}
	stripes_free(segment->stripes);
	segment->stripes = NULL;
	segment->events->sent(segment->arg);
	if (segment->last != LAST_UNKNOWN)
		commit(segment);
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_sending(arg);
}

/*
 * Enough pieces are stored, but a range is read from one node only if the piece of data that holds it was stored. So
 * pieces of parity are cancelled, and those of data that are still on their way get half as much time again, and a
 * second.
 */
static void end_or_linger(struct segment_put *segment)
{
	uint64_t ms = (clock_monotonic() - segment->begun) / 2000000 + LINGER_MS;
	const struct timeval interval = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	cancel_pieces(segment, segment->transfer->policy.required);
	if (segment->running == 0)
		end_sending(segment);
	else if (!event_pending(segment->linger, EV_TIMEOUT, NULL))
		event_add(segment->linger, &interval);
}

static void fail_attempt(struct segment_put *segment)
{
	char why[100];

	if (segment->attempt < SEGMENT_PUT_ATTEMPTS) {
		begin_attempt(segment);
		return;
	}
	snprintf(why, sizeof(why), "%u of the %u pieces needed were stored after %u attempts", segment->receipted,
		 segment->transfer->policy.success, segment->attempt);
	finish(segment, ERR_UNREACHABLE, why);
}

static enum piece_next next_block(void *arg, uint32_t index, struct piece_block *ret)
{
	struct piece *piece = arg;

	return stripes_next(piece->segment->stripes, piece->permit.number, &piece->at, index, ret);
}

static void on_piece_done(void *arg, const struct piece_receipt *result)
{
	struct piece *piece = arg;
	struct segment_put *segment = piece->segment;

	assert(segment->magic == SEGMENT_MAGIC);
	piece->put = NULL;
	segment->running--;
	stripes_piece_leaves(segment->stripes, piece->at);
	report_add(segment->report, &piece->permit, result->err == ERR_OK ? TRANSFER_DONE : TRANSFER_FAILED,
		   result->err == ERR_OK ? segment->piece_size : 0, segment->begun);
	if (result->err == ERR_OK) {
		piece->receipted = true;
		piece->receipt_len = result->receipt.len;
		memcpy(piece->receipt, result->receipt.data, result->receipt.len);
		segment->receipted++;
	} else {
		note_failure(segment, &piece->permit, result);
	}
	if (segment->receipted >= segment->transfer->policy.success)
		end_or_linger(segment);
	else if (segment->receipted + segment->running < segment->transfer->policy.success)
		fail_attempt(segment);
	else
		segment->events->dropped(segment->arg);
}

static const struct piece_source segment_source = {.next = next_block, .done = on_piece_done};

static void start_pieces(struct segment_put *segment)
{
	struct transfer *transfer = segment->transfer;

	segment->running = segment->count;
	segment->begun = clock_monotonic();
	for (uint32_t i = 0; i < segment->count; i++)
		stripes_piece_begins(segment->stripes);
	for (uint32_t i = 0; i < segment->count; i++) {
		struct piece *piece = &segment->pieces[i];

		piece->segment = segment;
		piece->put =
			piece_put_start(transfer->uplink, &piece->permit, segment->piece_size, &segment_source, piece);
	}
}

/* Each number and each node once. */
static const char *find_flaw(const struct segment_put *segment, const struct permit *permit)
{
	if (permit->number >= segment->transfer->policy.total)
		return "number";
	for (uint32_t i = 0; i < segment->count; i++) {
		const struct permit *other = &segment->pieces[i].permit;

		if (other->number == permit->number)
			return "number used twice";
		if (id_equal(&other->endpoint.id, &permit->endpoint.id))
			return "node used twice";
	}
	return NULL;
}

/* One more of the allocations of SEGMENT_BEGUN. */
static enum err take_permit(struct segment_put *segment, const struct item_allocation *item, const char **ret_why)
{
	const struct uplink *uplink = segment->transfer->uplink;
	const struct permit_facts facts = {
		.satellite = &uplink->satellite,
		.client = &uplink->client,
		.action = ACTION_PUT,
		.limit = segment->piece_size,
	};
	struct permit permit;
	enum err err;

	err = permit_parse(item, &facts, &permit, ret_why);
	if (err != ERR_OK)
		return err;
	*ret_why = find_flaw(segment, &permit);
	if (*ret_why != NULL)
		return ERR_PROTOCOL;
	segment->pieces[segment->count++].permit = permit;
	return ERR_OK;
}

/* BEGIN_SEGMENT failed. */
static void on_refused(struct segment_put *segment, enum err err, const char *why)
{
	if (err != ERR_FULL || segment->desperate || segment->transfer->avoided_count == 0) {
		finish(segment, err, why);
		return;
	}
	segment->desperate = true;
	segment->attempt--;
	begin_attempt(segment);
}

static bool on_begun(const struct message *message, enum err err, const char *why, void *arg)
{
	struct segment_put *segment = arg;
	const struct msg_segment_begun *begun;
	struct item_allocation item;
	struct reader r;
	char text[100];

	assert(segment->magic == SEGMENT_MAGIC);
	if (message == NULL) {
		segment->call = NULL;
		on_refused(segment, err, why);
		return false;
	}
	begun = &message->segment_begun;
	segment->segment = begun->segment;
	reader_init(&r, begun->pieces.raw);
	for (uint32_t i = 0; i < begun->pieces.count; i++) {
		list_next(&item_allocation_fields, &r, &item);
		err = take_permit(segment, &item, &why);
		if (err != ERR_OK) {
			snprintf(text, sizeof(text), "satellite: bad allocation (%s)", why);
			segment->call = NULL;
			finish(segment, err, text);
			return false;
		}
	}
	if (!begun->last)
		return true;
	segment->call = NULL;
	if (segment->count < segment->transfer->policy.success) {
		finish(segment, ERR_PROTOCOL, "satellite: allocated fewer pieces than its policy needs");
		return false;
	}
	start_pieces(segment);
	return false;
}

static void begin_attempt(struct segment_put *segment)
{
	struct uplink *uplink = segment->transfer->uplink;
	struct message message = {.type = MSG_BEGIN_SEGMENT};
	uint8_t *list = memory_new(TRANSFER_EXCLUDED, sizeof(struct item_node));
	uint32_t excluded = segment->failed_count;
	struct writer w;

	forget_attempt(segment);
	segment->attempt++;
	segment->pieces = memory_new(segment->transfer->policy.total, sizeof(*segment->pieces));
	writer_init(&w, list, TRANSFER_EXCLUDED * sizeof(struct item_node));
	for (uint32_t i = 0; i < segment->failed_count; i++)
		fields_encode(&item_node_fields, &segment->failed[i], &w);
	if (!segment->desperate)
		excluded += transfer_write_avoided(segment->transfer, &w);
	message.begin_segment.version = segment->transfer->place.version;
	message.begin_segment.number = segment->number;
	message.begin_segment.piece_size = segment->piece_size;
	message.begin_segment.excluded = list_of(&w, excluded);
	segment->call = metadata_ask(uplink->metadata, &message, MSG_SEGMENT_BEGUN, on_begun, segment);
	free(list);
}

static bool on_committed(const struct message *message, enum err err, const char *why, void *arg)
{
	struct segment_put *segment = arg;

	(void)message;
	assert(segment->magic == SEGMENT_MAGIC);
	segment->call = NULL;
	segment->why[0] = '\0'; /* pieces that failed are not why this did */
	finish(segment, err, why);
	return false;
}

static void commit(struct segment_put *segment)
{
	struct message message = {.type = MSG_COMMIT_SEGMENT};
	struct item_receipt item;
	uint8_t *list = memory_new(1, MESSAGE_MAX);
	struct writer w;

	writer_init(&w, list, MESSAGE_MAX);
	for (uint32_t i = 0; i < segment->count; i++) {
		const struct piece *piece = &segment->pieces[i];

		if (!piece->receipted)
			continue;
		item.number = piece->permit.number;
		item.receipt = bytes_of(piece->receipt, piece->receipt_len);
		fields_encode(&item_receipt_fields, &item, &w);
	}
	message.commit_segment.segment = segment->segment;
	message.commit_segment.plain_size = segment->plain_size;
	message.commit_segment.piece_size = segment->piece_size;
	message.commit_segment.wrapped_key = bytes_of(segment->wrapped_key[segment->last == LAST_YES], CRYPTO_WRAPPED);
	message.commit_segment.receipts = list_of(&w, segment->receipted);
	segment->call = metadata_ask(segment->transfer->uplink->metadata, &message, MSG_DONE, on_committed, segment);
	free(list);
}

static bool may_encode(void *arg, uint32_t stripe)
{
	struct segment_put *segment = arg;

	return segment->events->may_encode(segment->arg, segment, stripe);
}

static void on_made(void *arg)
{
	struct segment_put *segment = arg;

	for (uint32_t i = 0; i < segment->count; i++) {
		if (segment->pieces[i].put != NULL)
			piece_put_wake(segment->pieces[i].put);
	}
}

static void on_dropped(void *arg)
{
	struct segment_put *segment = arg;

	segment->events->dropped(segment->arg);
}

static const struct stripes_events segment_stripes = {
	.may_encode = may_encode,
	.made = on_made,
	.dropped = on_dropped,
};

struct segment_put *segment_put_start(struct transfer *transfer, uint32_t number, const struct stripes_plain *plain,
				      const struct segment_put_events *events, void *arg)
{
	struct segment_put *segment = memory_new(1, sizeof(*segment));

	segment->magic = SEGMENT_MAGIC;
	segment->transfer = transfer_hold(transfer);
	segment->events = events;
	segment->arg = arg;
	segment->number = number;
	segment->plain_size = plain->size;
	segment->stripes = stripes_new(transfer, plain, &segment_stripes, segment);
	segment->piece_size = stripes_layout(segment->stripes)->piece_size;
	segment->report = report_new(transfer->uplink);
	segment->linger = evtimer_new(loop_base(transfer->uplink->loop), on_linger, segment);
	segment_put_retry(segment);
	return segment;
}

void segment_put_set_last(struct segment_put *segment, bool last)
{
	segment->last = last ? LAST_YES : LAST_NO;
	if (segment->stripes == NULL && segment->call == NULL)
		commit(segment);
}

/* A segment asks for allocations only when there is memory to send something: a node gives up an upload in which
 * nothing comes. */
void segment_put_retry(struct segment_put *segment)
{
	if (segment->attempt == 0 && may_encode(segment, 0))
		begin_attempt(segment);
	else if (segment->attempt > 0 && segment->stripes != NULL)
		stripes_retry(segment->stripes);
}

void segment_put_cancel(struct segment_put *segment)
{
	assert(segment->magic == SEGMENT_MAGIC);
	segment_free(segment);
}

const struct stripes *segment_put_stripes(const struct segment_put *segment)
{
	return segment->stripes;
}

uint64_t segment_put_progress(const struct segment_put *segment)
{
	uint64_t moved = 0, needed;

	if (segment->stripes == NULL)
		return segment->plain_size;
	for (uint32_t i = 0; i < segment->count; i++)
		moved += segment->pieces[i].at;
	needed = (uint64_t)segment->transfer->policy.success * stripes_layout(segment->stripes)->stripes;
	return moved >= needed ? segment->plain_size : segment->plain_size * moved / needed;
}
