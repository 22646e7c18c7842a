/* The states are: asked (nothing sent yet), sending, ended (PUT_END sent, receipt awaited). */
#include "uplink/piece_put.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/tree.h"
#include "common/memory.h"

#define PUT_MAGIC 0x50505554u
#define TICK_SECONDS (PIECE_STALL_SECONDS / 2)

struct piece_put {
	uint32_t magic;
	struct uplink *uplink;
	const struct permit *permit;
	uint64_t size; /* of the piece */
	const struct piece_source *source;
	void *arg;
	struct link_user link;
	uint32_t request;
	struct credit credit;
	struct tree tree;
	bool ended;
	bool pumping;
	struct event *tick;
	unsigned idle_ticks; /* since there was progress, or since the source kept us waiting */
};

static const struct id *node_of(const struct piece_put *put)
{
	return &put->permit->endpoint.id;
}

static void put_free(struct piece_put *put)
{
	event_free(put->tick);
	link_release(&put->link);
	put->magic = 0;
	free(put);
}

static void finish(struct piece_put *put, const struct piece_receipt *result)
{
	put->source->done(put->arg, result);
	put_free(put);
}

static void fail(struct piece_put *put, enum trace_level level, enum err err, const char *why)
{
	struct piece_receipt result = {.err = err, .why = why};

	trace_event(put->uplink->trace, node_of(put), level, "put of piece %u: %s", put->permit->number, why);
	finish(put, &result);
}

/* What the node holds must be what we sent. */
static void take_receipt(struct piece_put *put, struct bytes wire)
{
	struct receipt receipt;
	struct signature signature;
	struct piece_receipt result = {.err = ERR_OK, .receipt = wire};
	struct bytes32 root;
	const struct receipt_facts facts = {
		.domain = &put->uplink->domain,
		.allocation = &put->permit->allocation,
		.allocation_hash = &put->permit->hash,
		.root = &root,
		.size = put->tree.size,
	};
	enum refusal flaw;

	tree_final(&put->tree, &root);
	if (!put->ended) {
		fail(put, TRACE_CHEAT, ERR_PROTOCOL, "receipt before the end");
		return;
	}
	if (typed_decode(&typed_receipt, wire, &receipt, &signature) != ERR_OK) {
		fail(put, TRACE_CHEAT, ERR_FORMAT, "malformed receipt");
		return;
	}
	flaw = rules_check_receipt(&receipt, &signature, &facts);
	if (flaw != REFUSAL_NONE) {
		fail(put, TRACE_CHEAT, refusal_to_err(flaw), "receipt for something else");
		return;
	}
	trace_event(put->uplink->trace, node_of(put), TRACE_EVENT, "put of piece %u: receipt for %llu bytes",
		    put->permit->number, (unsigned long long)put->tree.size);
	trace_add(put->uplink->trace, node_of(put), TRACE_PIECES_PUT, 1);
	finish(put, &result);
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct piece_put *put = arg;
	char text[200];

	assert(put->magic == PUT_MAGIC);
	if (message == NULL) {
		fail(put, TRACE_FAILURE, err, err_text(err));
		return;
	}
	peer_forget(peer, put->request);
	if (message->type == MSG_RECEIPT) {
		take_receipt(put, message->receipt.receipt);
	} else if (message->type == MSG_ERROR) {
		err = trace_refusal(&message->error, text, sizeof(text));
		fail(put, TRACE_FAILURE, err, text);
	} else {
		fail(put, TRACE_CHEAT, ERR_PROTOCOL, "unexpected answer");
	}
}

static void send_order(struct piece_put *put)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_ORDER, .request = put->request};
	size_t len;

	len = credit_extend(&put->credit, put->tree.size, put->size, wire);
	if (len == 0)
		return;
	message.order.order = bytes_of(wire, len);
	peer_send(link_peer(&put->link), &message);
}

static void send_block(struct piece_put *put, const struct piece_block *block)
{
	struct message message = {.type = MSG_DATA, .request = put->request};

	message.data.block = put->tree.count;
	message.data.payload = block->data;
	peer_send(link_peer(&put->link), &message);
	if (tree_add_hash(&put->tree, block->hash, block->data.len) != ERR_OK)
		abort(); /* a source that breaks its contract */
	trace_add(put->uplink->trace, node_of(put), TRACE_BYTES_SENT, block->data.len);
	put->idle_ticks = 0;
}

static void send_end(struct piece_put *put)
{
	struct message message = {.type = MSG_PUT_END, .request = put->request};

	message.put_end.size = put->tree.size;
	tree_final(&put->tree, &message.put_end.root);
	peer_send(link_peer(&put->link), &message);
	put->ended = true;
	put->idle_ticks = 0;
}

/* Send what the source has, as far as the channel takes it. */
static void pump(void *arg)
{
	struct piece_put *put = arg;
	struct piece_block block;

	assert(put->magic == PUT_MAGIC);
	if (put->pumping)
		return; /* the source woke us from inside its own answer */
	put->pumping = true;
	while (!put->ended && link_can_send(&put->link)) {
		enum piece_next next = put->source->next(put->arg, put->tree.count, &block);

		if (next == PIECE_WAIT) {
			put->idle_ticks = 0;
			break;
		}
		if (next == PIECE_END) {
			send_end(put);
			break;
		}
		send_order(put);
		send_block(put, &block);
	}
	put->pumping = false;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct piece_put *put = arg;

	(void)fd;
	(void)what;
	assert(put->magic == PUT_MAGIC);
	pump(put); /* notices a source that keeps us waiting */
	if (put->idle_ticks++ < PIECE_STALL_SECONDS / TICK_SECONDS)
		return;
	peer_forget(link_peer(&put->link), put->request);
	peer_send(link_peer(&put->link), &(struct message){.type = MSG_CANCEL, .request = put->request});
	fail(put, TRACE_FAILURE, ERR_TIMEOUT, put->ended ? "no receipt" : "too slow");
}

struct piece_put *piece_put_start(struct uplink *uplink, const struct permit *permit, uint64_t size,
				  const struct piece_source *source, void *arg)
{
	struct piece_put *put = memory_new(1, sizeof(*put));
	struct message message = {.type = MSG_PUT};
	const struct timeval interval = {.tv_sec = TICK_SECONDS};

	put->magic = PUT_MAGIC;
	put->uplink = uplink;
	put->permit = permit;
	put->size = size;
	put->source = source;
	put->arg = arg;
	put->credit = (struct credit){.permit = permit, .domain = &uplink->domain, .key = uplink->key};
	tree_init(&put->tree);
	put->tick = event_new(loop_base(uplink->loop), -1, EV_PERSIST, on_tick, put);
	event_add(put->tick, &interval);
	put->link = (struct link_user){.drained = pump, .arg = put};
	trace_contact(uplink->trace, node_of(put));
	dialer_acquire(uplink->dialer, &permit->endpoint, &put->link);
	message.put.piece = permit->allocation.piece;
	message.put.allocation = bytes_of(permit->wire, permit->wire_len);
	put->request = peer_ask(link_peer(&put->link), &message, 0, on_answer, put);
	pump(put);
	return put;
}

void piece_put_wake(struct piece_put *put)
{
	pump(put);
}

void piece_put_cancel(struct piece_put *put)
{
	struct message message = {.type = MSG_CANCEL, .request = put->request};

	assert(put->magic == PUT_MAGIC && !put->pumping);
	trace_event(put->uplink->trace, node_of(put), TRACE_EVENT, "put of piece %u: cancelled", put->permit->number);
	peer_forget(link_peer(&put->link), put->request);
	peer_send(link_peer(&put->link), &message);
	put_free(put);
}
