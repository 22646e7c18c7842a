/*
 * Three things go on at once: the source is read into the next segment's plaintext, older segments are sent, and
 * those that were sent are committed. `segments` lists them oldest first; a segment leaves it when committed.
 */
#include "uplink/object_put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/metadata.h"
#include "uplink/segment_put.h"

#define PUT_MAGIC 0x4f505554u
#define SENDING_MAX 4	/* segments on their way at once */
#define SEGMENTS_MAX 16 /* the same and those that wait for their commit */
#define INLINE_MAX 4096
/* Bytes of plaintext held at most (two segments in any case: one that is sent and one that is read). */
#define PLAIN_MAX (128ul << 20)
/* Bytes of coded stripes held at most, beyond one whole segment (which has 220 MiB at 110 pieces); a quarter of a
 * segment suffices. So the next one begins when a good part of the last one is out, and slow lines are not shared by
 * more uploads than nodes have patience for. */
#define CODED_BEYOND (8ul << 20)
#define WHY_MAX 1600

struct object_put {
	uint32_t magic;
	struct uplink *uplink;
	struct object_name name;
	struct object_put_request request;
	object_put_done *done;
	void *arg;
	struct metadata_call *call; /* BEGIN_OBJECT, INLINE_SEGMENT, COMMIT_OBJECT or ABORT_OBJECT */
	struct bytes32 version;
	struct transfer *transfer;  /* from OBJECT_BEGUN on */
	struct stripes_plain plain; /* the segment being read */
	bool reading;		    /* a read is under way in the file thread */
	bool ended;		    /* the source is */
	struct segment_put *segments[SEGMENTS_MAX];
	uint32_t count;
	struct segment_put *newest; /* the one of which we do not know whether it is the last */
	uint32_t numbered;	    /* segments begun */
	uint64_t begun;		    /* bytes in them */
	uint64_t committed;	    /* bytes in segments that are safe */
	bool committing;	    /* too late to cancel */
	bool failed;
	bool finishing;
	enum err outcome;
	char why[WHY_MAX];
	/* what the read under way said */
	size_t read_len;
	enum err read_err;
	const char *read_why;
};

static void read_more(struct object_put *put);
static void advance(struct object_put *put);

static void put_free(struct object_put *put)
{
	for (uint32_t i = 0; i < SEGMENT_STRIPES && put->transfer != NULL; i++)
		buffers_give(put->transfer->plain, put->plain.stripe[i]);
	transfer_release(put->transfer);
	object_name_clear(&put->name);
	put->magic = 0;
	free(put);
}

static void finish(void *arg)
{
	struct object_put *put = arg;

	assert(put->magic == PUT_MAGIC && put->count == 0);
	put->done(put->arg, put->outcome, put->why);
	put_free(put);
}

/* When nothing is under way any more, the owner is told: from the loop, for cancelling is a call of the owner's. */
static void finish_when_idle(struct object_put *put)
{
	if (put->reading || put->call != NULL || put->finishing)
		return;
	put->finishing = true;
	loop_post(put->uplink->loop, finish, put);
}

static bool on_aborted(const struct message *message, enum err err, const char *why, void *arg)
{
	struct object_put *put = arg;

	/* The satellite drops an object that is never committed in any case. */
	(void)message;
	(void)err;
	(void)why;
	put->call = NULL;
	finish_when_idle(put);
	return false;
}

/* Stop everything; the first reason counts. */
static void fail(struct object_put *put, enum err err, const char *why)
{
	struct message message = {.type = MSG_ABORT_OBJECT};

	if (put->failed)
		return;
	put->failed = true;
	put->outcome = err;
	snprintf(put->why, sizeof(put->why), "%s", why);
	while (put->count > 0)
		segment_put_cancel(put->segments[--put->count]);
	put->newest = NULL;
	metadata_cancel(put->call);
	put->call = NULL;
	if (put->reading && put->request.source.stop != NULL)
		put->request.source.stop(put->request.source.arg);
	if (put->transfer != NULL) {
		message.abort_object.version = put->version;
		put->call = metadata_ask(put->uplink->metadata, &message, MSG_DONE, on_aborted, put);
	}
	finish_when_idle(put);
}

/* Whether there is memory for one more coded stripe: a segment may take what older ones will not need; the slowest
 * piece of the oldest gets its next stripe in any case, so something always moves. */
static bool may_encode(void *arg, struct segment_put *segment, uint32_t stripe)
{
	const struct object_put *put = arg;
	size_t size = buffers_size(put->transfer->coded), whole = SEGMENT_STRIPES * size;
	size_t most = whole + (whole / 4 < CODED_BEYOND ? whole / 4 : CODED_BEYOND);
	size_t taken = buffers_used(put->transfer->coded) * size;
	bool oldest = true;

	for (uint32_t i = 0; i < put->count && put->segments[i] != segment; i++) {
		const struct stripes *older = segment_put_stripes(put->segments[i]);

		if (older == NULL)
			continue;
		oldest = false;
		taken += (stripes_needed(older) - stripes_held(older)) * size;
	}
	if (taken + size <= most)
		return true;
	return oldest && stripe == stripes_lowest(segment_put_stripes(segment));
}

static void on_dropped(void *arg)
{
	struct object_put *put = arg;

	for (uint32_t i = 0; i < put->count; i++)
		segment_put_retry(put->segments[i]);
}

static void on_sent(void *arg)
{
	on_dropped(arg);
	read_more(arg);
}

static void on_segment_done(void *arg, struct segment_put *segment, enum err err, const char *why)
{
	struct object_put *put = arg;
	uint32_t at = 0;

	assert(put->magic == PUT_MAGIC);
	while (put->segments[at] != segment)
		at++;
	put->count--;
	memmove(&put->segments[at], &put->segments[at + 1], (put->count - at) * sizeof(put->segments[0]));
	if (err != ERR_OK) {
		fail(put, err, why);
		return;
	}
	put->committed += segment_put_progress(segment);
	read_more(put);
	advance(put);
}

static const struct segment_put_events segment_events = {
	.may_encode = may_encode,
	.dropped = on_dropped,
	.sent = on_sent,
	.done = on_segment_done,
};

/* What was read becomes a segment on its way. */
static void start_segment(struct object_put *put)
{
	struct stripes_plain plain = put->plain;

	memset(&put->plain, 0, sizeof(put->plain));
	put->begun += plain.size;
	put->newest = segment_put_start(put->transfer, put->numbered++, &plain, &segment_events, put);
	put->segments[put->count++] = put->newest;
}

static bool on_inline_done(const struct message *message, enum err err, const char *why, void *arg)
{
	struct object_put *put = arg;

	(void)message;
	put->call = NULL;
	if (err != ERR_OK) {
		fail(put, err, why);
		return false;
	}
	put->committed = put->begun;
	advance(put);
	return false;
}

/* The few bytes at the end go to the satellite, encrypted as one unit. */
static void send_inline(struct object_put *put)
{
	struct message message = {.type = MSG_INLINE_SEGMENT};
	size_t len = put->plain.size;
	struct crypto_place place = transfer_place(put->transfer, put->numbered++, true, len);
	struct secret *key = secret_generate();
	uint8_t unit[INLINE_MAX + CRYPTO_TAG], wrapped[CRYPTO_WRAPPED];

	if (len > 0)
		memcpy(unit, put->plain.stripe[0], len);
	crypto_seal_unit(key, 0, unit, len + CRYPTO_TAG, len);
	crypto_wrap_key(put->transfer->name.key, &place, key, wrapped);
	secret_free(key);
	put->begun += len;
	message.inline_segment.version = put->version;
	message.inline_segment.number = place.number;
	message.inline_segment.plain_size = len;
	message.inline_segment.wrapped_key = bytes_of(wrapped, sizeof(wrapped));
	message.inline_segment.data = bytes_of(unit, len + CRYPTO_TAG);
	put->call = metadata_ask(put->uplink->metadata, &message, MSG_DONE, on_inline_done, put);
}

static bool on_object_committed(const struct message *message, enum err err, const char *why, void *arg)
{
	struct object_put *put = arg;

	(void)message;
	put->call = NULL;
	if (err != ERR_OK)
		fail(put, err, why);
	else
		finish_when_idle(put);
	return false;
}

/* When all segments are safe, make the object visible. */
static void advance(struct object_put *put)
{
	struct message message = {.type = MSG_COMMIT_OBJECT};
	const struct crypto_metadata metadata = {
		.version = put->version,
		.plain_size = put->begun,
		.modified = put->request.modified,
		.type = bytes_of_text(put->request.type),
	};
	uint8_t sealed[CRYPTO_METADATA_MAX];
	struct writer w;
	enum err err;

	if (!put->ended || put->count > 0 || put->call != NULL || put->failed)
		return;
	writer_init(&w, sealed, sizeof(sealed));
	err = crypto_seal_metadata(put->transfer->name.key, &put->transfer->place, &metadata, &w);
	if (err != ERR_OK) {
		fail(put, err, "the content type is not allowed");
		return;
	}
	message.commit_object.version = put->version;
	message.commit_object.segments = put->numbered;
	message.commit_object.plain_size = put->begun;
	message.commit_object.metadata = writer_bytes(&w);
	put->committing = true;
	put->call = metadata_ask(put->uplink->metadata, &message, MSG_DONE, on_object_committed, put);
}

static void set_newest_last(struct object_put *put, bool last)
{
	struct segment_put *newest = put->newest;

	put->newest = NULL;
	if (newest != NULL)
		segment_put_set_last(newest, last);
}

static void end_source(struct object_put *put)
{
	put->ended = true;
	if (put->plain.size == 0 && put->numbered > 0) {
		set_newest_last(put, true);
	} else if (put->plain.size <= INLINE_MAX) {
		send_inline(put);
	} else {
		start_segment(put);
		set_newest_last(put, true);
	}
	advance(put);
}

/* It was for bytes that did not come. */
static void drop_last_stripe(struct object_put *put)
{
	uint8_t **stripe = &put->plain.stripe[put->plain.size / buffers_size(put->transfer->plain)];

	buffers_give(put->transfer->plain, *stripe);
	*stripe = NULL;
}

static void on_read(void *arg)
{
	struct object_put *put = arg;

	assert(put->magic == PUT_MAGIC);
	put->reading = false;
	if (put->failed) {
		finish_when_idle(put);
		return;
	}
	if (put->read_err != ERR_OK) {
		fail(put, put->read_err, put->read_why);
		return;
	}
	if (put->read_len > 0)
		set_newest_last(put, false);
	if (put->read_len == 0)
		drop_last_stripe(put);
	put->plain.size += put->read_len;
	if (put->read_len < buffers_size(put->transfer->plain)) {
		end_source(put);
		return;
	}
	if (put->plain.size == segment_plain_max(put->transfer->policy.required))
		start_segment(put);
	read_more(put);
}

/* In the file thread: fill the stripe, or meet the end. */
static void read_stripe(void *arg)
{
	struct object_put *put = arg;
	size_t room = buffers_size(put->transfer->plain), len;
	uint8_t *stripe = put->plain.stripe[put->plain.size / room];

	put->read_len = 0;
	put->read_err = ERR_OK;
	while (put->read_len < room) {
		put->read_err = put->request.source.read(put->request.source.arg, stripe + put->read_len,
							 room - put->read_len, &len, &put->read_why);
		if (put->read_err != ERR_OK || len == 0)
			return;
		put->read_len += len;
	}
}

/* There is memory for one more segment of plaintext. */
static bool may_read(const struct object_put *put)
{
	uint64_t segment = segment_plain_max(put->transfer->policy.required);
	uint32_t sending = 0;

	for (uint32_t i = 0; i < put->count; i++)
		sending += segment_put_stripes(put->segments[i]) != NULL;
	if (sending >= SENDING_MAX || put->count >= SEGMENTS_MAX)
		return false;
	return sending < 2 || (sending + 1) * segment <= PLAIN_MAX;
}

static void read_more(struct object_put *put)
{
	size_t room = buffers_size(put->transfer->plain);

	if (put->reading || put->ended || put->failed)
		return;
	if (put->plain.size == 0 && !may_read(put))
		return;
	put->plain.stripe[put->plain.size / room] = buffers_take(put->transfer->plain);
	put->reading = true;
	pool_submit(put->uplink->files, read_stripe, put->uplink->loop, on_read, put);
}

static bool on_begun(const struct message *message, enum err err, const char *why, void *arg)
{
	struct object_put *put = arg;
	const struct msg_object_begun *begun;
	struct policy policy;

	assert(put->magic == PUT_MAGIC);
	put->call = NULL;
	if (message == NULL) {
		fail(put, err, why);
		return false;
	}
	begun = &message->object_begun;
	policy = (struct policy){begun->required, begun->repair, begun->success, begun->total};
	put->version = begun->version;
	err = transfer_new(put->uplink, &policy, &put->name, &begun->version, &put->transfer);
	if (err != ERR_OK) {
		fail(put, err, "satellite: its redundancy policy makes no sense");
		return false;
	}
	read_more(put);
	return false;
}

struct object_put *object_put_start(struct uplink *uplink, struct object_name *name,
				    const struct object_put_request *request, object_put_done *done, void *arg)
{
	struct object_put *put = memory_new(1, sizeof(*put));
	struct message message = {.type = MSG_BEGIN_OBJECT};

	put->magic = PUT_MAGIC;
	put->uplink = uplink;
	put->name = *name;
	name->key = NULL;
	put->request = *request;
	put->done = done;
	put->arg = arg;
	message.begin_object.bucket = bytes_of_text(put->name.bucket);
	message.begin_object.path = bytes_of(put->name.path, put->name.path_len);
	message.begin_object.expires = request->expires;
	put->call = metadata_ask(uplink->metadata, &message, MSG_OBJECT_BEGUN, on_begun, put);
	return put;
}

void object_put_cancel(struct object_put *put)
{
	assert(put->magic == PUT_MAGIC);
	if (!put->committing)
		fail(put, ERR_CANCELLED, "cancelled");
}

uint64_t object_put_progress(const struct object_put *put)
{
	uint64_t bytes = put->committed;

	for (uint32_t i = 0; i < put->count; i++)
		bytes += segment_put_progress(put->segments[i]);
	return bytes;
}
