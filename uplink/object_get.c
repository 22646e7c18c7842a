/*
 * Segments are cut from the range one after the other and kept in a list, oldest first; only the first of the list
 * may decrypt. Its parts go to a queue for the file thread, which writes one at a time.
 */
#include "uplink/object_get.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/metadata.h"
#include "uplink/segment_get.h"

#define GET_MAGIC 0x4f474554u
#define SEGMENTS_MAX 3		 /* fetched at once */
#define GATHERED_MAX (64u << 20) /* bytes of units gathered at once, about */
#define PARTS_MAX 4		 /* decrypted and not yet written */
#define WHY_MAX 1600

struct object_get {
	uint32_t magic;
	struct uplink *uplink;
	struct object_name name;
	struct object_sink sink;
	object_get_done *done;
	struct object_range range;
	struct metadata_call *call; /* GET_OBJECT */
	struct object_facts facts;
	struct transfer *transfer; /* from OBJECT on */
	uint64_t next;		   /* the first byte that no segment was begun for */
	uint32_t window;	   /* stripes per segment */
	struct segment_get *segments[SEGMENTS_MAX];
	uint32_t count;
	struct gather_part parts[PARTS_MAX]; /* in order; the first is being written when `writing` */
	uint32_t part_count;
	bool writing;
	uint64_t written;
	bool failed;
	bool finishing;
	enum err outcome;
	char why[WHY_MAX];
	/* what the write under way said */
	enum err write_err;
	const char *write_why;
};

static void advance(struct object_get *get);

static void get_free(struct object_get *get)
{
	transfer_release(get->transfer);
	object_name_clear(&get->name);
	get->magic = 0;
	free(get);
}

static void finish(void *arg)
{
	struct object_get *get = arg;

	assert(get->magic == GET_MAGIC && get->count == 0 && get->part_count == 0);
	get->done(get->sink.arg, get->outcome, get->why);
	get_free(get);
}

/* The owner is told from the loop, for cancelling is a call of the owner's. */
static void finish_when_idle(struct object_get *get)
{
	if (get->writing || get->finishing)
		return;
	get->finishing = true;
	loop_post(get->uplink->loop, finish, get);
}

static void drop_parts(struct object_get *get, uint32_t from)
{
	for (uint32_t i = from; i < get->part_count; i++)
		buffers_give(get->transfer->plain, get->parts[i].buffer);
	get->part_count = from;
}

/* Stop everything; the first reason counts. */
static void fail(struct object_get *get, enum err err, const char *why)
{
	if (get->failed || get->finishing)
		return;
	get->failed = true;
	get->outcome = err;
	snprintf(get->why, sizeof(get->why), "%s", why);
	metadata_cancel(get->call);
	get->call = NULL;
	while (get->count > 0)
		segment_get_cancel(get->segments[--get->count]);
	drop_parts(get, get->writing ? 1 : 0);
	if (get->writing && get->sink.stop != NULL)
		get->sink.stop(get->sink.arg);
	finish_when_idle(get);
}

/* In the file thread. */
static void write_part(void *arg)
{
	struct object_get *get = arg;
	const struct gather_part *part = &get->parts[0];

	get->write_err = get->sink.write(get->sink.arg, part->buffer + part->from, part->len, &get->write_why);
}

static void on_written(void *arg);

static void write_next(struct object_get *get)
{
	if (get->writing || get->part_count == 0)
		return;
	get->writing = true;
	pool_submit(get->uplink->files, write_part, get->uplink->loop, on_written, get);
}

static void on_written(void *arg)
{
	struct object_get *get = arg;

	assert(get->magic == GET_MAGIC && get->writing);
	get->writing = false;
	get->written += get->parts[0].len;
	buffers_give(get->transfer->plain, get->parts[0].buffer);
	get->part_count--;
	memmove(&get->parts[0], &get->parts[1], get->part_count * sizeof(get->parts[0]));
	if (get->failed)
		finish_when_idle(get);
	else if (get->write_err != ERR_OK)
		fail(get, get->write_err, get->write_why);
	else
		advance(get);
}

static bool may_decode(void *arg, struct segment_get *segment)
{
	const struct object_get *get = arg;

	/* One may be in the pool while the others wait here. */
	return segment == get->segments[0] && get->part_count < PARTS_MAX - 1;
}

static void on_part(void *arg, const struct gather_part *part)
{
	struct object_get *get = arg;

	assert(get->magic == GET_MAGIC && get->part_count < PARTS_MAX);
	get->parts[get->part_count++] = *part;
	write_next(get);
}

static void on_segment_done(void *arg, struct segment_get *segment, enum err err, const char *why)
{
	struct object_get *get = arg;
	uint32_t at = 0;

	assert(get->magic == GET_MAGIC);
	while (get->segments[at] != segment)
		at++;
	get->count--;
	memmove(&get->segments[at], &get->segments[at + 1], (get->count - at) * sizeof(get->segments[0]));
	if (err != ERR_OK)
		fail(get, err, why);
	else
		advance(get);
}

static const struct segment_get_events segment_events = {
	.may_decode = may_decode,
	.part = on_part,
	.done = on_segment_done,
};

/* Of [from, to) in a segment, what to ask for in one go. Two stripes that need few units together are asked for one
 * after the other, so that only the nodes with those units are contacted. */
static uint64_t end_of_piece(const struct object_get *get, const struct segment_wanted *wanted)
{
	struct segment_layout layout;
	struct segment_place first, last;
	uint32_t required = get->facts.policy.required;

	if (segment_plan(wanted->plain_size, required, &layout) != ERR_OK ||
	    segment_find(&layout, wanted->from, &first) != ERR_OK ||
	    segment_find(&layout, wanted->to - 1, &last) != ERR_OK)
		abort(); /* our own arithmetic */
	if (last.stripe == first.stripe + 1 && required - first.unit + last.unit + 1 < required)
		return segment_stripe_start(&layout, last.stripe);
	return wanted->to;
}

static void start_segment(struct object_get *get)
{
	uint64_t full = segment_plain_max(get->facts.policy.required);
	uint64_t start = get->next / full * full, left = get->facts.size - start;
	struct segment_wanted wanted = {
		.number = (uint32_t)(get->next / full),
		.plain_size = left < full ? left : full,
		.from = get->next - start,
	};

	wanted.last = wanted.number == get->facts.segments - 1;
	wanted.to = get->range.to - start < wanted.plain_size ? get->range.to - start : wanted.plain_size;
	if (wanted.to > wanted.from)
		wanted.to = end_of_piece(get, &wanted);
	get->next = start + wanted.to;
	get->segments[get->count++] = segment_get_start(get->transfer, &wanted, get->window, &segment_events, get);
}

/* Write what waits, begin segments, let the first decrypt, and see whether all is done. */
static void advance(struct object_get *get)
{
	if (get->failed)
		return;
	write_next(get);
	while (get->count < SEGMENTS_MAX && get->next < get->range.to)
		start_segment(get);
	if (get->count > 0)
		segment_get_retry(get->segments[0]);
	else if (get->part_count == 0)
		finish_when_idle(get);
}

static uint32_t window_for(const struct policy *policy)
{
	uint32_t window = GATHERED_MAX / SEGMENTS_MAX / SEGMENT_UNIT / policy->required;

	return window < 8 ? 8 : window;
}

static bool on_object(const struct message *message, enum err err, const char *why, void *arg)
{
	struct object_get *get = arg;

	assert(get->magic == GET_MAGIC);
	get->call = NULL;
	if (err == ERR_OK)
		err = object_facts_take(get->uplink, &get->name, &message->object, &get->facts, &why);
	if (err == ERR_OK) {
		why = "the satellite's redundancy policy makes no sense";
		err = transfer_new(get->uplink, &get->facts.policy, &get->name, &get->facts.version, &get->transfer);
	}
	if (err == ERR_OK && get->range.from > 0 && get->range.from >= get->facts.size) {
		why = "the range begins past the end";
		err = ERR_RANGE;
	}
	if (err != ERR_OK) {
		fail(get, err, why);
		return false;
	}
	if (get->range.to > get->facts.size)
		get->range.to = get->facts.size;
	get->next = get->range.from;
	get->window = window_for(&get->facts.policy);
	get->sink.begin(get->sink.arg, &get->facts, get->range.to - get->range.from);
	if (get->facts.size == 0)
		start_segment(get); /* even nothing is proved */
	advance(get);
	return false;
}

struct object_get *object_get_start(struct uplink *uplink, struct object_name *name, const struct object_range *range,
				    const struct object_sink *sink, object_get_done *done)
{
	struct object_get *get = memory_new(1, sizeof(*get));
	struct message message = {.type = MSG_GET_OBJECT};

	get->magic = GET_MAGIC;
	get->uplink = uplink;
	get->name = *name;
	name->key = NULL;
	get->range = *range;
	get->sink = *sink;
	get->done = done;
	message.get_object.bucket = bytes_of_text(get->name.bucket);
	message.get_object.path = bytes_of(get->name.path, get->name.path_len);
	get->call = metadata_ask(uplink->metadata, &message, MSG_OBJECT, on_object, get);
	return get;
}

void object_get_cancel(struct object_get *get)
{
	assert(get->magic == GET_MAGIC);
	fail(get, ERR_CANCELLED, "cancelled");
}

uint64_t object_get_progress(const struct object_get *get)
{
	return get->written;
}
