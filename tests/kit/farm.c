/* A played satellite and client around a real node. */
#include "tests/kit/farm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "node/stats.h"
#include "payments/serial.h"

#define must(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void trust_the_satellite(struct farm *farm)
{
	struct endpoint endpoint = {*key_id(farm->satellite), {"127.0.0.1", 1}};
	const struct address no_contract = {{0}};
	char why[TRUST_MESSAGE];

	must(trust_open(farm->dir, &farm->parts.trust, why) == ERR_OK);
	must(trust_set(farm->parts.trust, &endpoint, 1) == ERR_OK);
	must(trust_pin(farm->parts.trust, key_address(farm->satellite), 31337, &no_contract) == ERR_OK);
}

void farm_start(struct farm *farm)
{
	const struct hostport at = {"127.0.0.1", 0};
	const struct store_options options = {.allocation = farm->allocation};
	char why[STORE_MESSAGE] = "";

	trust_the_satellite(farm);
	farm->parts.metrics = stats_new();
	farm->parts.takings = takings_new();
	farm->parts.admission = admission_new((uint64_t)64 << 20, 1000000);
	if (store_open(farm->dir, &options, farm->seam, &farm->parts.store, why) != ERR_OK) {
		fprintf(stderr, "store: %s\n", why);
		abort();
	}
	must(admission_rebuild(farm->parts.admission, farm->parts.store, clock_wall()) == ERR_OK);
	farm->parts.disks = pool_new(4, "disk");
	farm->loop = loop_new();
	must(piece_server_start(farm->loop, &at, &farm->parts, 2, &farm->server, why, sizeof(why)) == ERR_OK);
	farm->endpoint = (struct endpoint){*key_id(farm->node), *piece_server_at(farm->server)};
	loop_start(farm->loop, "node");
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void stop_server(void *arg)
{
	struct farm *farm = arg;

	piece_server_stop(farm->server, 5000, stop_loop, farm->loop);
}

void farm_stop(struct farm *farm)
{
	loop_post(farm->loop, stop_server, farm);
	loop_join(farm->loop);
	pool_free(farm->parts.disks);
	store_close(farm->parts.store);
	piece_server_free(farm->server);
	loop_free(farm->loop);
	trust_free(farm->parts.trust);
	admission_free(farm->parts.admission);
	takings_free(farm->parts.takings);
	metrics_free(farm->parts.metrics);
}

void farm_new(struct farm *farm, uint64_t allocation)
{
	const struct address no_contract = {{0}};
	char why[STORE_MESSAGE] = "";

	*farm = (struct farm){.dir = "/tmp/granary-farm-XXXXXX", .allocation = allocation, .seam = &seam_system};
	must(mkdtemp(farm->dir) != NULL);
	farm->node = key_generate();
	farm->satellite = key_generate();
	farm->client = key_generate();
	domain_init(&farm->domain, 31337, &no_contract);
	farm->parts.key = farm->node;
	farm->parts.limits = (struct limits){channel_default_limits, listener_default_limits, 64};
	farm->base = event_base_new();
	must(store_init(farm->dir, allocation, 0, &seam_system, why) == ERR_OK);
	farm_start(farm);
}

void farm_free(struct farm *farm)
{
	char command[128];

	farm_stop(farm);
	event_base_free(farm->base);
	key_free(farm->node);
	key_free(farm->satellite);
	key_free(farm->client);
	snprintf(command, sizeof(command), "rm -rf '%s'", farm->dir);
	must(system(command) == 0);
}

void farm_allocation(struct farm *farm, enum action action, const struct bytes32 *piece, uint64_t limit,
		     struct allocation *ret)
{
	uint64_t now = clock_wall();
	uint8_t serial[28];

	*ret = (struct allocation){
		.satellite = *key_address(farm->satellite),
		.client = *key_address(farm->client),
		.node = *key_address(farm->node),
		.piece = *piece,
		.action = (uint8_t)action,
		.limit = limit,
		.issued = now,
		.expires = now + 3600,
	};
	random_bytes(serial, sizeof(serial));
	serial_make(ret->expires, serial, &ret->serial);
}

struct bytes farm_sign(struct farm *farm, const struct fields *type, const void *object, const struct key *key,
		       uint8_t *out)
{
	struct signature signature;
	struct writer w;

	typed_sign(type, object, &farm->domain, key, &signature);
	writer_init(&w, out, MESSAGE_SIGNED_MAX);
	typed_encode(type, object, &signature, &w);
	return writer_bytes(&w);
}

struct bytes farm_order(struct farm *farm, const struct allocation *allocation, uint64_t amount, uint8_t *out)
{
	struct order order = {.amount = amount};

	typed_hash(&typed_allocation, allocation, &order.allocation);
	return farm_sign(farm, &typed_order, &order, farm->client, out);
}

/* Whoever loses the connection in the middle of a talk learns it from the talk. */
static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	(void)peer;
	(void)err;
	(void)why;
	(void)arg;
}

struct peer *farm_dial(struct farm *farm, const struct key *key)
{
	static const struct peer_events events = {.closed = on_closed};
	static const struct msg_hello hello = {.version = MESSAGE_VERSION};

	return peer_connect(farm->base, key, &farm->endpoint, &channel_default_limits, &hello, &events, NULL);
}

static void take_signed(struct talk *talk, struct bytes wire)
{
	memcpy(talk->signed_thing, wire.data, wire.len);
	talk->signed_len = wire.len;
	talk->done = true;
}

static void take_data(struct talk *talk, const struct msg_data *data)
{
	if (talk->data == NULL)
		talk->data = memory_new(TREE_BLOCKS, TREE_BLOCK);
	must(data->block < TREE_BLOCKS);
	if (talk->check)
		must(proof_check_block(&talk->root, talk->size, data->block, data->payload, data->siblings) == ERR_OK);
	memcpy(talk->data + (size_t)data->block * TREE_BLOCK, data->payload.data, data->payload.len);
	talk->blocks++;
	talk->bytes += data->payload.len;
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct talk *talk = arg;

	if (message == NULL) {
		talk->err = err;
		talk->peer = NULL;
		talk->done = true;
		return;
	}
	if (message->type == MSG_ERROR) {
		talk->code = message->error.code;
		talk->done = true;
		return;
	}
	if (message->type == MSG_DATA) {
		take_data(talk, &message->data);
	} else if (message->type == MSG_RECEIPT) {
		take_signed(talk, message->receipt.receipt);
	} else if (message->type == MSG_PROVE_END) {
		take_signed(talk, message->prove_end.audit);
	} else if (message->type == MSG_PROOF) {
		must(message->proof.index == talk->proofs++);
		talk->on_proof(&message->proof, talk->on_proof_arg);
	} else if (message->type == MSG_GET_END) {
		talk->end_bytes = message->get_end.bytes;
		talk->done = true;
	} else if (message->type == MSG_COLLECTED) {
		talk->collected = message->collected;
		talk->done = true;
	} else {
		must(message->type == MSG_DELETED);
		talk->deleted = message->deleted;
		talk->done = true;
	}
	if (talk->done)
		peer_forget(peer, message->request);
}

void talk_begin(struct talk *talk, struct farm *farm, struct peer *peer, struct message *opening)
{
	talk->farm = farm;
	talk->peer = peer;
	talk->request = peer_ask(peer, opening, 30000, on_answer, talk);
}

void talk_send(struct talk *talk, struct message *message)
{
	message->request = talk->request;
	if (talk->peer != NULL)
		peer_send(talk->peer, message);
}

void talk_wait(struct talk *talk)
{
	while (!talk->done)
		must(event_base_loop(talk->farm->base, EVLOOP_ONCE) == 0);
}

void talk_free(struct talk *talk)
{
	if (!talk->done && talk->peer != NULL)
		peer_forget(talk->peer, talk->request);
	free(talk->data);
}

void farm_root(const uint8_t *data, size_t len, struct bytes32 *ret)
{
	struct tree tree;

	tree_init(&tree);
	for (size_t at = 0; at < len; at += TREE_BLOCK)
		must(tree_add(&tree, data + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK) == ERR_OK);
	tree_final(&tree, ret);
}

void farm_put(struct farm *farm, struct peer *peer, const struct allocation *allocation, const uint8_t *data,
	      size_t len, struct talk *ret)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_PUT};
	uint64_t ordered = 0, credit = 0;

	message.put.piece = allocation->piece;
	message.put.allocation = farm_sign(farm, &typed_allocation, allocation, farm->satellite, wire);
	talk_begin(ret, farm, peer, &message);
	for (size_t at = 0; at < len && !ret->done; at += TREE_BLOCK) {
		uint64_t next = rules_next_order(ordered, at, len, &credit);

		if (next > ordered) {
			message = (struct message){.type = MSG_ORDER};
			message.order.order = farm_order(farm, allocation, next, wire);
			talk_send(ret, &message);
			ordered = next;
		}
		message = (struct message){.type = MSG_DATA};
		message.data.block = (uint32_t)(at / TREE_BLOCK);
		message.data.payload = bytes_of(data + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK);
		talk_send(ret, &message);
	}
	message = (struct message){.type = MSG_PUT_END};
	message.put_end.size = len;
	farm_root(data, len, &message.put_end.root);
	talk_send(ret, &message);
	talk_wait(ret);
}

void farm_get(struct farm *farm, struct peer *peer, const struct allocation *allocation, uint64_t offset,
	      uint64_t length, struct talk *ret)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_GET};

	message.get.piece = allocation->piece;
	message.get.offset = offset;
	message.get.length = length;
	message.get.allocation = farm_sign(farm, &typed_allocation, allocation, farm->satellite, wire);
	talk_begin(ret, farm, peer, &message);
	message = (struct message){.type = MSG_ORDER};
	message.order.order = farm_order(farm, allocation, allocation->limit, wire);
	talk_send(ret, &message);
	talk_wait(ret);
}
