/* Blocks go: channel → copy → pool (proof) → sink. The get lives until its last block has come back from the pool. */
#include "uplink/piece_get.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "common/memory.h"

#define GET_MAGIC 0x50474554u
#define STALL_SECONDS 20
#define TICK_SECONDS 10

struct piece_get {
	uint32_t magic;
	struct uplink *uplink;
	const struct permit *permit;
	const struct piece_sink *sink; /* NULL once cancelled or done */
	void *arg;
	struct bytes32 root; /* the permit may go before the last check comes back */
	struct piece_range range;
	uint32_t window;
	uint32_t arrived; /* blocks */
	uint32_t proved;
	uint32_t checking; /* blocks in the pool */
	uint32_t request;
	struct link_user link;
	struct credit credit;
	struct event *tick;
	unsigned idle_ticks;
};

/* A block on its way through the pool. */
struct check {
	struct piece_get *get;
	uint32_t block;
	uint8_t *data;
	size_t len;
	uint8_t siblings[MESSAGE_SIBLINGS];
	size_t siblings_len;
	enum err err;
};

static const struct id *node_of(const struct piece_get *get)
{
	return &get->permit->endpoint.id;
}

/* Nothing more from the node. Fine when it was done before. */
static void hang_up(struct piece_get *get)
{
	if (get->link.link == NULL)
		return;
	peer_forget(link_peer(&get->link), get->request);
	link_release(&get->link);
}

/* Nothing more to the sink either; freed when the last check is back. */
static void detach(struct piece_get *get)
{
	hang_up(get);
	event_free(get->tick);
	get->tick = NULL;
	get->sink = NULL;
}

static void free_when_idle(struct piece_get *get)
{
	if (get->sink != NULL || get->checking > 0)
		return;
	get->magic = 0;
	free(get);
}

static void finish(struct piece_get *get, enum err err, const char *why)
{
	const struct piece_sink *sink = get->sink;

	detach(get);
	sink->done(get->arg, err, why);
}

static void fail(struct piece_get *get, enum trace_level level, enum err err, const char *why)
{
	trace_event(get->uplink->trace, node_of(get), level, "get of piece %u: %s", get->permit->number, why);
	finish(get, err, why);
}

static void send_cancel(struct piece_get *get)
{
	if (get->link.link == NULL)
		return;
	peer_send(link_peer(&get->link), &(struct message){.type = MSG_CANCEL, .request = get->request});
}

static uint64_t range_bytes(const struct piece_get *get, uint32_t blocks)
{
	uint64_t start = (uint64_t)get->range.first * TREE_BLOCK, end = start + (uint64_t)blocks * TREE_BLOCK;

	return (end < get->range.piece_size ? end : get->range.piece_size) - start;
}

/* Order as far as the window and the rules go, after `moved` blocks. */
static void extend_order(struct piece_get *get, uint32_t moved)
{
	struct message message = {.type = MSG_ORDER, .request = get->request};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	uint32_t window = get->window < get->range.count ? get->window : get->range.count;
	size_t len;

	len = credit_extend(&get->credit, range_bytes(get, moved), range_bytes(get, window), wire);
	if (len == 0)
		return;
	message.order.order = bytes_of(wire, len);
	peer_send(link_peer(&get->link), &message);
}

static void send_order(void *arg)
{
	struct piece_get *get = arg;

	/* Before HELLO there is nothing to send it on; `drained` of the link brings us back. */
	if (get->link.link != NULL && peer_hello(link_peer(&get->link)) != NULL)
		extend_order(get, get->proved);
}

static void check_block(void *arg)
{
	struct check *check = arg;
	const struct piece_get *get = check->get;

	check->err =
		proof_check_block(&get->root, get->range.piece_size, check->block, bytes_of(check->data, check->len),
				  bytes_of(check->siblings, check->siblings_len));
}

/* The sink may cancel the get from inside its call. */
static void pass_on(struct piece_get *get, struct check *check)
{
	struct uplink *uplink = get->uplink;
	uint8_t *data = check->data;

	check->data = NULL;
	get->proved++;
	get->idle_ticks = 0;
	trace_add(uplink->trace, node_of(get), TRACE_BYTES_RECEIVED, check->len);
	get->sink->block(get->arg, check->block, data, check->len);
	if (get->sink == NULL)
		return;
	if (get->proved < get->range.count) {
		send_order(get);
		return;
	}
	trace_add(uplink->trace, node_of(get), TRACE_PIECES_GOT, 1);
	finish(get, ERR_OK, "");
}

static void on_checked(void *arg)
{
	struct check *check = arg;
	struct piece_get *get = check->get;
	char text[80];

	assert(get->magic == GET_MAGIC);
	if (get->sink != NULL && check->err != ERR_OK) {
		snprintf(text, sizeof(text), "sent wrong bytes in block %u", check->block);
		send_cancel(get);
		fail(get, TRACE_CHEAT, ERR_CORRUPT, text);
	} else if (get->sink != NULL) {
		pass_on(get, check);
	}
	buffers_give(get->uplink->blocks, check->data);
	free(check);
	get->checking--;
	free_when_idle(get);
}

/* NULL, or what is wrong with a block before its bytes are looked at. */
static const char *find_flaw(const struct piece_get *get, const struct msg_data *data)
{
	if (get->arrived == get->range.count || data->block != get->range.first + get->arrived)
		return "sent a block that was not asked for";
	if (data->payload.len != tree_block_size(get->range.piece_size, data->block))
		return "sent a block of the wrong length";
	if (range_bytes(get, get->arrived + 1) > get->credit.ordered + RULES_SLACK)
		return "sent more than was ordered";
	return NULL;
}

static void take_block(struct piece_get *get, const struct msg_data *data)
{
	const char *flaw = find_flaw(get, data);
	struct check *check;

	if (flaw != NULL) {
		send_cancel(get);
		fail(get, TRACE_CHEAT, ERR_CORRUPT, flaw);
		return;
	}
	check = memory_new(1, sizeof(*check));
	check->get = get;
	check->block = data->block;
	check->data = buffers_take(get->uplink->blocks);
	check->len = data->payload.len;
	memcpy(check->data, data->payload.data, data->payload.len);
	check->siblings_len = data->siblings.len;
	memcpy(check->siblings, data->siblings.data, data->siblings.len);
	get->arrived++;
	get->checking++;
	get->idle_ticks = 0;
	if (get->arrived == get->range.count) {
		extend_order(get, get->arrived); /* the last block may have come on the slack: owe for it too */
		hang_up(get);
	}
	pool_submit(get->uplink->pool, check_block, get->uplink->loop, on_checked, check);
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct piece_get *get = arg;
	char text[200];

	(void)peer;
	assert(get->magic == GET_MAGIC);
	if (message == NULL) {
		fail(get, TRACE_FAILURE, err, err_text(err));
	} else if (message->type == MSG_DATA) {
		take_block(get, &message->data);
	} else if (message->type == MSG_GET_END) {
		fail(get, TRACE_CHEAT, ERR_CORRUPT, "ended before all was sent");
	} else if (message->type == MSG_ERROR) {
		err = trace_refusal(&message->error, text, sizeof(text));
		fail(get, TRACE_FAILURE, err, text);
	} else {
		fail(get, TRACE_CHEAT, ERR_PROTOCOL, "unexpected answer");
	}
	free_when_idle(get);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct piece_get *get = arg;

	(void)fd;
	(void)what;
	assert(get->magic == GET_MAGIC);
	/* What arrived is ours to check and to make room for; only what was ordered and is not here is owed. */
	if (range_bytes(get, get->arrived) >= get->credit.ordered)
		get->idle_ticks = 0;
	else if (get->idle_ticks++ >= STALL_SECONDS / TICK_SECONDS) {
		send_cancel(get);
		fail(get, TRACE_FAILURE, ERR_TIMEOUT, "too slow");
		free_when_idle(get);
	}
}

struct piece_get *piece_get_start(struct uplink *uplink, const struct permit *permit, const struct piece_range *range,
				  uint32_t window, const struct piece_sink *sink, void *arg)
{
	struct piece_get *get = memory_new(1, sizeof(*get));
	struct message message = {.type = MSG_GET};
	const struct timeval interval = {.tv_sec = TICK_SECONDS};

	get->magic = GET_MAGIC;
	get->uplink = uplink;
	get->permit = permit;
	get->root = permit->root;
	get->sink = sink;
	get->arg = arg;
	get->range = *range;
	get->window = window;
	get->credit = (struct credit){.permit = permit, .domain = &uplink->domain, .key = uplink->key};
	get->tick = event_new(loop_base(uplink->loop), -1, EV_PERSIST, on_tick, get);
	event_add(get->tick, &interval);
	get->link = (struct link_user){.drained = send_order, .arg = get};
	trace_contact(uplink->trace, node_of(get));
	dialer_acquire(uplink->dialer, &permit->endpoint, &get->link);
	message.get.piece = permit->allocation.piece;
	message.get.offset = (uint64_t)range->first * TREE_BLOCK;
	message.get.length = range_bytes(get, range->count);
	message.get.allocation = bytes_of(permit->wire, permit->wire_len);
	get->request = peer_ask(link_peer(&get->link), &message, 0, on_answer, get);
	send_order(get);
	return get;
}

void piece_get_set_window(struct piece_get *get, uint32_t window)
{
	if (window <= get->window)
		return;
	get->window = window;
	send_order(get);
}

void piece_get_cancel(struct piece_get *get)
{
	assert(get->magic == GET_MAGIC && get->sink != NULL);
	trace_event(get->uplink->trace, node_of(get), TRACE_EVENT, "get of piece %u: cancelled", get->permit->number);
	send_cancel(get);
	detach(get);
	free_when_idle(get);
}
