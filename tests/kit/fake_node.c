/* A node: pieces in a hash table, transfers in a list per channel. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uthash.h>
#include <utlist.h>

#include "audit/proof.h"
#include "common/memory.h"
#include "payments/rules.h"
#include "tests/kit/fake_net.h"

struct fake_piece {
	struct bytes32 id;
	uint8_t *data;
	struct tree tree;
	UT_hash_handle hh;
};

struct moving {
	uint32_t request;
	bool put;
	struct allocation allocation;
	struct bytes32 hash;
	uint64_t ordered;
	uint64_t moved;
	struct fake_piece *piece; /* PUT: in the making; GET: the node's */
	uint32_t next, end;	  /* GET: blocks */
	bool stalled;
	struct moving *prev, *next_moving;
};

struct fake_channel {
	struct fake_node *node;
	struct peer *peer;
	struct moving *moving;
	struct fake_channel *prev, *next;
};

const struct address *fake_node_address(const struct fake_node *node)
{
	return key_address(node->key);
}

static void blame(struct fake_node *node, const char *flaw)
{
	if (node->net->flaw == NULL)
		node->net->flaw = flaw;
}

static void piece_free(struct fake_piece *piece)
{
	if (piece == NULL)
		return;
	free(piece->data);
	free(piece);
}

static void end_moving(struct fake_channel *of, struct moving *moving)
{
	DL_DELETE2(of->moving, moving, prev, next_moving);
	if (!moving->put)
		of->node->ordered += moving->ordered;
	if (moving->put)
		piece_free(moving->piece);
	free(moving);
}

static struct moving *find_moving(struct fake_channel *of, uint32_t request)
{
	struct moving *moving;

	DL_FOREACH2(of->moving, moving, next_moving)
	{
		if (moving->request == request)
			return moving;
	}
	return NULL;
}

/* Begin a transfer if its allocation is in order. */
static struct moving *begin(struct fake_channel *of, const struct message *message, struct bytes wire,
			    const struct bytes32 *piece)
{
	struct moving *moving = memory_new(1, sizeof(*moving));
	struct signature signature;

	if (typed_decode(&typed_allocation, wire, &moving->allocation, &signature) != ERR_OK ||
	    !bytes32_equal(&moving->allocation.piece, piece) ||
	    !address_equal(&moving->allocation.node, key_address(of->node->key)))
		blame(of->node, "an allocation that is not for this piece and node");
	typed_hash(&typed_allocation, &moving->allocation, &moving->hash);
	moving->request = message->request;
	DL_APPEND2(of->moving, moving, prev, next_moving);
	return moving;
}

/* Refuse a request, when that is how the node behaves. */
static bool refuses(struct fake_channel *of, const struct fake_manner *manner, unsigned count, uint32_t request)
{
	if (manner->how == FAKE_NONSENSE)
		peer_refuse(of->peer, request, REFUSAL_NONE, "");
	else if (manner->how == FAKE_REFUSE && (manner->at == 0 || manner->at == count))
		peer_refuse(of->peer, request, REFUSAL_BUSY, NULL);
	else
		return false;
	return true;
}

static void take_put(struct fake_channel *of, const struct message *message)
{
	struct moving *moving;

	of->node->puts++;
	if (refuses(of, &of->node->put, of->node->puts, message->request))
		return;
	moving = begin(of, message, message->put.allocation, &message->put.piece);
	moving->put = true;
	moving->piece = memory_new(1, sizeof(*moving->piece));
	moving->piece->id = message->put.piece;
	if (!of->node->net->discard)
		moving->piece->data = memory_new(1, TREE_PIECE);
	tree_init(&moving->piece->tree);
}

/* True when this block is where the node goes wrong. */
static bool misbehaves(struct fake_channel *of, const struct fake_manner *manner, uint32_t block, struct moving *moving)
{
	if (block < manner->at)
		return false;
	if (manner->how == FAKE_VANISH)
		channel_abort(peer_channel(of->peer));
	if (manner->how == FAKE_STALL) {
		moving->stalled = true;
		channel_pause(peer_channel(of->peer));
	}
	return manner->how == FAKE_VANISH || manner->how == FAKE_STALL;
}

static void take_data(struct fake_channel *of, struct moving *moving, const struct message *message)
{
	struct fake_piece *piece = moving->piece;
	const struct msg_data *data = &message->data;

	if (moving->stalled || misbehaves(of, &of->node->put, data->block, moving))
		return;
	if (data->block != piece->tree.count || piece->tree.size + data->payload.len > moving->allocation.limit) {
		blame(of->node, "a block out of order or past the limit");
		return;
	}
	if (piece->data != NULL)
		memcpy(piece->data + piece->tree.size, data->payload.data, data->payload.len);
	if (tree_add(&piece->tree, data->payload.data, data->payload.len) != ERR_OK)
		blame(of->node, "a block after a short one");
	if (piece->tree.size > moving->ordered + RULES_SLACK)
		blame(of->node, "data that was not ordered");
}

static void take_put_end(struct fake_channel *of, struct moving *moving, const struct message *message)
{
	struct fake_piece *piece = moving->piece, *old;
	struct receipt receipt = {.allocation = moving->hash, .piece = piece->id, .storedAt = 1};
	struct message answer = {.type = MSG_RECEIPT, .request = message->request};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	if (moving->stalled)
		return;
	tree_final(&piece->tree, &receipt.root);
	receipt.size = piece->tree.size;
	if (!bytes32_equal(&receipt.root, &message->put_end.root) || receipt.size != message->put_end.size)
		blame(of->node, "a root or size that is not that of the data");
	if (moving->ordered < receipt.size)
		blame(of->node, "orders for less than was sent");
	if (of->node->put.how == FAKE_WRONG_RECEIPT)
		receipt.root.b[0] ^= 1;
	typed_sign(&typed_receipt, &receipt, &of->node->net->domain, of->node->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_receipt, &receipt, &signature, &w);
	answer.receipt.receipt = writer_bytes(&w);
	peer_send(of->peer, &answer);
	HASH_FIND(hh, of->node->pieces, &piece->id, sizeof(piece->id), old);
	if (old == NULL && piece->data != NULL) {
		HASH_ADD(hh, of->node->pieces, id, sizeof(piece->id), piece);
		moving->piece = NULL;
	}
	end_moving(of, moving);
}

static void send_block(struct fake_channel *of, struct moving *moving, size_t len)
{
	struct fake_piece *piece = moving->piece;
	struct message message = {.type = MSG_DATA, .request = moving->request};
	struct bytes32 path[PROOF_PATH];
	uint8_t block[TREE_BLOCK];
	uint32_t count;

	memcpy(block, piece->data + (size_t)moving->next * TREE_BLOCK, len);
	if (of->node->get.how == FAKE_WRONG_BYTES && moving->next >= of->node->get.at)
		block[len / 2] ^= 0x10;
	count = proof_path(piece->tree.blocks, piece->tree.size, moving->next, path);
	message.data.block = moving->next;
	message.data.siblings = bytes_of(path, count * sizeof(path[0]));
	message.data.payload = bytes_of(block, len);
	peer_send(of->peer, &message);
	of->node->sent += len;
}

/* Send what is ordered, and one block more. */
static void serve(struct fake_channel *of, struct moving *moving)
{
	struct message end = {.type = MSG_GET_END, .request = moving->request};

	while (moving->next < moving->end) {
		size_t len = tree_block_size(moving->piece->tree.size, moving->next);

		if (moving->stalled || moving->moved + len > moving->ordered + RULES_SLACK)
			return;
		if (misbehaves(of, &of->node->get, moving->next, moving))
			return;
		if (of->node->get.how == FAKE_SHORT && moving->next >= of->node->get.at)
			break;
		send_block(of, moving, len);
		moving->moved += len;
		moving->next++;
	}
	if (of->node->get.how != FAKE_SHORT && moving->ordered < moving->moved)
		return; /* the slack is owed too */
	end.get_end.bytes = moving->moved;
	peer_send(of->peer, &end);
	end_moving(of, moving);
}

static void take_get(struct fake_channel *of, const struct message *message)
{
	const struct msg_get *get = &message->get;
	struct fake_piece *piece;
	struct moving *moving;

	of->node->gets++;
	HASH_FIND(hh, of->node->pieces, &get->piece, sizeof(get->piece), piece);
	if (refuses(of, &of->node->get, of->node->gets, message->request))
		return;
	if (piece == NULL) {
		peer_refuse(of->peer, message->request, REFUSAL_NOT_FOUND, NULL);
		return;
	}
	moving = begin(of, message, get->allocation, &get->piece);
	moving->piece = piece;
	moving->next = (uint32_t)(get->offset / TREE_BLOCK);
	moving->end = (uint32_t)((get->offset + get->length - 1) / TREE_BLOCK) + 1;
	if (get->length == 0 || get->offset + get->length > piece->tree.size)
		blame(of->node, "a range outside the piece");
	else
		serve(of, moving);
}

static void take_order(struct fake_channel *of, struct moving *moving, const struct message *message)
{
	struct order order;
	struct signature signature;

	if (typed_decode(&typed_order, message->order.order, &order, &signature) != ERR_OK ||
	    !bytes32_equal(&order.allocation, &moving->hash) || order.amount < moving->ordered ||
	    order.amount > moving->allocation.limit ||
	    typed_verify(&typed_order, &order, &of->node->net->domain, &signature, &moving->allocation.client) !=
		    REFUSAL_NONE)
		blame(of->node, "an order that breaks the rules");
	moving->ordered = order.amount;
	if (!moving->put)
		serve(of, moving);
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct fake_channel *of = arg;
	struct moving *moving = find_moving(of, message->request);

	of->peer = peer;
	if (message->type == MSG_PUT) {
		take_put(of, message);
	} else if (message->type == MSG_GET) {
		take_get(of, message);
	} else if (message->type == MSG_CANCEL) {
		of->node->cancels++;
		if (moving != NULL)
			end_moving(of, moving);
	} else if (moving == NULL) {
		return; /* of a transfer that is over */
	} else if (message->type == MSG_ORDER) {
		take_order(of, moving, message);
	} else if (message->type == MSG_DATA && moving->put) {
		take_data(of, moving, message);
	} else if (message->type == MSG_PUT_END && moving->put) {
		take_put_end(of, moving, message);
	} else {
		blame(of->node, "a message that no node takes");
	}
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct fake_channel *of = arg;

	(void)peer;
	(void)err;
	(void)why;
	while (of->moving != NULL)
		end_moving(of, of->moving);
	DL_DELETE(of->node->channels, of);
	of->node->net->peers--;
	free(of);
}

static const struct peer_events events = {.request = on_request, .closed = on_closed};
static const struct msg_hello hello = {.version = MESSAGE_VERSION};

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct fake_node *node = arg;

	(void)fd;
	(void)what;
	node->put.how = FAKE_HONEST;
	event_add(node->accept, NULL);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct fake_node *node = arg;
	struct fake_channel *of;
	int connection;

	(void)what;
	if (node->put.how == FAKE_LATE) {
		const struct timeval delay = {.tv_usec = (suseconds_t)node->put.at * 1000};

		event_del(node->accept);
		event_base_once(loop_base(node->net->loop), -1, EV_TIMEOUT, on_late, node, &delay);
		return;
	}
	connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (connection < 0)
		return;
	of = memory_new(1, sizeof(*of));
	of->node = node;
	DL_APPEND(node->channels, of);
	node->net->peers++;
	of->peer = peer_accept(loop_base(node->net->loop), node->key, connection, &channel_default_limits, &hello,
			       &events, of);
}

int fake_listen(struct endpoint *endpoint, const struct key *key)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		abort();
	endpoint->id = *key_id(key);
	snprintf(endpoint->at.host, sizeof(endpoint->at.host), "127.0.0.1");
	endpoint->at.port = ntohs(at.sin_port);
	return fd;
}

void fake_node_attach(struct fake_node *node)
{
	node->accept = event_new(loop_base(node->net->loop), node->fd, EV_READ | EV_PERSIST, on_accept, node);
	event_add(node->accept, NULL);
}

void fake_node_resume(struct fake_node *node)
{
	struct fake_channel *of;

	DL_FOREACH(node->channels, of) {
		if (peer_channel(of->peer) != NULL)
			channel_resume(peer_channel(of->peer));
	}
}

void fake_node_clear(struct fake_node *node)
{
	struct fake_piece *piece, *next;

	HASH_ITER(hh, node->pieces, piece, next) {
		HASH_DEL(node->pieces, piece);
		piece_free(piece);
	}
	if (node->accept != NULL)
		event_free(node->accept);
	close(node->fd);
	key_free(node->key);
}
