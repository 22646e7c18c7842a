/* A satellite: objects and segments in lists. Nodes are allocated in their order, beginning with the first. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"
#include "tests/kit/fake_net.h"

#define NOW 1800000000u
#define PART 50 /* allocations in one message */

struct fake_object {
	struct bytes32 version;
	uint8_t path[MESSAGE_PATH_MAX];
	size_t path_len;
	bool visible;
	struct msg_object facts;
	uint8_t metadata[MESSAGE_SIGNED_MAX];
	struct fake_object *prev, *next;
};

struct fake_piece_place {
	bool held;
	struct fake_node *node;
	struct bytes32 root;
	struct bytes32 piece;
};

struct fake_segment {
	struct bytes32 id;
	struct bytes32 version;
	uint32_t number;
	bool committed;
	uint64_t plain_size, piece_size;
	uint8_t wrapped_key[MESSAGE_WRAPPED_KEY];
	uint8_t data[MESSAGE_INLINE_MAX];
	size_t data_len;
	struct fake_piece_place pieces[256];
	struct fake_segment *prev, *next;
};

struct caller {
	struct fake_net *net;
	struct peer *peer;
};

static void blame(struct fake_net *net, const char *flaw)
{
	if (net->flaw == NULL)
		net->flaw = flaw;
}

static void done(struct caller *caller, uint32_t request)
{
	peer_send(caller->peer, &(struct message){.type = MSG_DONE, .request = request});
}

static struct fake_object *find_version(struct fake_net *net, const struct bytes32 *version)
{
	struct fake_object *object;

	DL_FOREACH(net->objects, object) {
		if (bytes32_equal(&object->version, version))
			return object;
	}
	return NULL;
}

static struct fake_object *find_path(struct fake_net *net, struct bytes path)
{
	struct fake_object *object;

	DL_FOREACH(net->objects, object) {
		if (object->visible && bytes_equal(bytes_of(object->path, object->path_len), path))
			return object;
	}
	return NULL;
}

static struct fake_segment *find_segment(struct fake_net *net, const struct bytes32 *version, uint32_t number)
{
	struct fake_segment *segment;

	DL_FOREACH(net->segments, segment) {
		if (segment->committed && bytes32_equal(&segment->version, version) && segment->number == number)
			return segment;
	}
	return NULL;
}

static bool is_excluded(const struct list *excluded, const struct fake_node *node)
{
	struct item_node item;
	struct reader r;

	reader_init(&r, excluded->raw);
	for (uint32_t i = 0; i < excluded->count; i++) {
		list_next(&item_node_fields, &r, &item);
		if (address_equal(&item.node, fake_node_address(node)))
			return true;
	}
	return false;
}

/* One signed allocation, as an item of a list. */
static void write_allocation(struct caller *caller, const struct fake_piece_place *place, uint16_t number,
			     struct allocation *allocation, struct writer *list)
{
	struct item_allocation item = {.number = number, .root = place->root};
	char endpoint[ENDPOINT_TEXT];
	uint8_t wire[MESSAGE_SIGNED_MAX], random[28];
	struct signature signature;
	struct writer w;

	random_bytes(random, sizeof(random));
	allocation->issued = NOW;
	allocation->expires = NOW + 3600;
	serial_make(allocation->expires, random, &allocation->serial);
	allocation->satellite = *key_address(caller->net->key);
	if (id_to_address(channel_remote(peer_channel(caller->peer)), &allocation->client) != ERR_OK)
		abort();
	allocation->node = *fake_node_address(place->node);
	allocation->piece = place->piece;
	typed_sign(&typed_allocation, allocation, &caller->net->domain, caller->net->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_allocation, allocation, &signature, &w);
	endpoint_print(&place->node->endpoint, endpoint);
	item.endpoint = bytes_of_text(endpoint);
	item.allocation = writer_bytes(&w);
	fields_encode(&item_allocation_fields, &item, list);
}

uint32_t fake_net_places(const struct fake_net *net, struct fake_place ret[FAKE_NODES], uint64_t *ret_plain_size)
{
	const struct fake_segment *segment, *last = NULL;
	uint32_t count = 0;

	DL_FOREACH(net->segments, segment) {
		if (segment->committed)
			last = segment;
	}
	for (uint16_t i = 0; last != NULL && i < 256 && count < FAKE_NODES; i++) {
		const struct fake_piece_place *place = &last->pieces[i];

		if (place->held)
			ret[count++] =
				(struct fake_place){i, (unsigned)(place->node - net->nodes), place->piece, place->root};
	}
	*ret_plain_size = last == NULL ? 0 : last->plain_size;
	return count;
}

void fake_net_permit(const struct fake_net *net, const struct address *client, const struct fake_place *place,
		     enum action action, struct permit *ret)
{
	const struct fake_node *node = &net->nodes[place->node];
	struct signature signature;
	uint8_t random[28];
	struct writer w;

	*ret = (struct permit){.number = place->number, .root = place->root, .endpoint = node->endpoint};
	ret->allocation = (struct allocation){
		.satellite = *key_address(net->key),
		.client = *client,
		.node = *fake_node_address(node),
		.piece = place->piece,
		.action = action,
		.limit = UINT64_C(1) << 21,
		.issued = NOW,
		.expires = NOW + 3600,
	};
	random_bytes(random, sizeof(random));
	serial_make(ret->allocation.expires, random, &ret->allocation.serial);
	typed_hash(&typed_allocation, &ret->allocation, &ret->hash);
	typed_sign(&typed_allocation, &ret->allocation, &net->domain, net->key, &signature);
	writer_init(&w, ret->wire, sizeof(ret->wire));
	typed_encode(&typed_allocation, &ret->allocation, &signature, &w);
	ret->wire_len = w.len;
}

static void take_begin_object(struct caller *caller, const struct message *message)
{
	struct fake_object *object = memory_new(1, sizeof(*object));
	struct message answer = {.type = MSG_OBJECT_BEGUN, .request = message->request};
	const struct fake_policy *policy = &caller->net->policy;

	random_bytes(&object->version, sizeof(object->version));
	object->path_len = message->begin_object.path.len;
	memcpy(object->path, message->begin_object.path.data, object->path_len);
	DL_APPEND(caller->net->objects, object);
	caller->net->begun++;
	answer.object_begun.version = object->version;
	answer.object_begun.required = policy->required;
	answer.object_begun.repair = policy->repair;
	answer.object_begun.success = policy->success;
	answer.object_begun.total = policy->total;
	peer_send(caller->peer, &answer);
}

/* Name a node for each number, as far as there are any; returns how many. */
static uint16_t choose_nodes(struct fake_net *net, const struct list *excluded, struct fake_segment *segment)
{
	uint16_t number = 0;

	for (unsigned i = 0; i < net->node_count && number < net->policy.total; i++) {
		if (is_excluded(excluded, &net->nodes[i]))
			continue;
		segment->pieces[number].node = &net->nodes[i];
		random_bytes(&segment->pieces[number++].piece, sizeof(struct bytes32));
	}
	return number;
}

/* One part of SEGMENT_BEGUN: the allocations `from` to `to`. */
static void send_allocations(struct caller *caller, const struct message *message, const struct fake_segment *segment,
			     uint16_t from, uint16_t to)
{
	struct message answer = {.type = MSG_SEGMENT_BEGUN, .request = message->request};
	uint8_t *list = memory_new(1, MESSAGE_MAX);
	struct writer w;

	writer_init(&w, list, MESSAGE_MAX);
	for (uint16_t i = from; i < to; i++) {
		struct allocation allocation = {.action = ACTION_PUT, .limit = message->begin_segment.piece_size};

		write_allocation(caller, &segment->pieces[i], i, &allocation, &w);
	}
	answer.segment_begun.segment = segment->id;
	answer.segment_begun.pieces = list_of(&w, to - from);
	answer.segment_begun.last = segment->pieces[to].node == NULL;
	peer_send(caller->peer, &answer);
	free(list);
}

static void take_begin_segment(struct caller *caller, const struct message *message)
{
	const struct msg_begin_segment *begin = &message->begin_segment;
	struct fake_net *net = caller->net;
	struct fake_segment *segment = memory_new(1, sizeof(*segment));
	uint16_t count;

	if (find_version(net, &begin->version) == NULL)
		blame(net, "a segment of no object");
	random_bytes(&segment->id, sizeof(segment->id));
	segment->version = begin->version;
	segment->number = begin->number;
	segment->piece_size = begin->piece_size;
	DL_APPEND(net->segments, segment);
	count = choose_nodes(net, &begin->excluded, segment);
	if (count < net->policy.success)
		peer_refuse(caller->peer, message->request, REFUSAL_NOT_ENOUGH_NODES, NULL);
	for (uint16_t from = 0; from < count && count >= net->policy.success; from += PART)
		send_allocations(caller, message, segment, from, from + PART < count ? from + PART : count);
}

static void take_receipt(struct fake_net *net, struct fake_segment *segment, const struct item_receipt *item)
{
	struct fake_piece_place *place = &segment->pieces[item->number % 256];
	struct receipt receipt;
	struct signature signature;

	if (typed_decode(&typed_receipt, item->receipt, &receipt, &signature) != ERR_OK || place->node == NULL ||
	    place->held || !bytes32_equal(&receipt.piece, &place->piece) || receipt.size != segment->piece_size ||
	    typed_verify(&typed_receipt, &receipt, &net->domain, &signature, fake_node_address(place->node)) !=
		    REFUSAL_NONE)
		blame(net, "a receipt that makes no piece");
	place->held = true;
	place->root = receipt.root;
}

static void take_commit_segment(struct caller *caller, const struct message *message)
{
	const struct msg_commit_segment *commit = &message->commit_segment;
	struct fake_segment *segment;
	struct item_receipt item;
	struct reader r;

	DL_FOREACH(caller->net->segments, segment) {
		if (bytes32_equal(&segment->id, &commit->segment))
			break;
	}
	if (segment == NULL || segment->committed || commit->receipts.count < caller->net->policy.success) {
		blame(caller->net, "a commit of no segment");
		return;
	}
	segment->plain_size = commit->plain_size;
	segment->piece_size = commit->piece_size;
	memcpy(segment->wrapped_key, commit->wrapped_key.data, commit->wrapped_key.len);
	reader_init(&r, commit->receipts.raw);
	for (uint32_t i = 0; i < commit->receipts.count; i++) {
		list_next(&item_receipt_fields, &r, &item);
		take_receipt(caller->net, segment, &item);
	}
	segment->committed = true;
	done(caller, message->request);
}

static void take_inline(struct caller *caller, const struct message *message)
{
	const struct msg_inline_segment *from = &message->inline_segment;
	struct fake_segment *segment = memory_new(1, sizeof(*segment));

	segment->version = from->version;
	segment->number = from->number;
	segment->plain_size = from->plain_size;
	memcpy(segment->wrapped_key, from->wrapped_key.data, from->wrapped_key.len);
	segment->data_len = from->data.len;
	memcpy(segment->data, from->data.data, from->data.len);
	segment->committed = true;
	DL_APPEND(caller->net->segments, segment);
	done(caller, message->request);
}

static void take_commit_object(struct caller *caller, const struct message *message)
{
	const struct msg_commit_object *commit = &message->commit_object;
	struct fake_object *object = find_version(caller->net, &commit->version), *old;
	uint64_t size = 0;

	for (uint32_t i = 0; i < commit->segments; i++) {
		struct fake_segment *segment = find_segment(caller->net, &commit->version, i);

		size += segment == NULL ? 0 : segment->plain_size;
	}
	if (object == NULL || object->visible || size != commit->plain_size) {
		blame(caller->net, "a commit of no object, or of segments that do not make it");
		return;
	}
	if (caller->net->refuse_commits > 0) {
		caller->net->refuse_commits--;
		peer_refuse(caller->peer, message->request, REFUSAL_CONFLICT, NULL);
		return;
	}
	old = find_path(caller->net, bytes_of(object->path, object->path_len));
	if (old != NULL)
		old->visible = false;
	object->visible = true;
	object->facts.version = object->version;
	object->facts.plain_size = commit->plain_size;
	object->facts.segments = commit->segments;
	object->facts.created = NOW;
	object->facts.required = caller->net->policy.required;
	object->facts.repair = caller->net->policy.repair;
	object->facts.success = caller->net->policy.success;
	object->facts.total = caller->net->policy.total;
	memcpy(object->metadata, commit->metadata.data, commit->metadata.len);
	object->facts.metadata = bytes_of(object->metadata, commit->metadata.len);
	caller->net->committed++;
	done(caller, message->request);
}

static void take_abort_object(struct caller *caller, const struct message *message)
{
	struct fake_object *object = find_version(caller->net, &message->abort_object.version);

	if (object == NULL || object->visible)
		blame(caller->net, "an abort of no object");
	caller->net->aborted++;
	done(caller, message->request);
}

static void take_get_object(struct caller *caller, const struct message *message)
{
	struct fake_object *object = find_path(caller->net, message->get_object.path);
	struct message answer = {.type = MSG_OBJECT, .request = message->request};

	if (object == NULL) {
		peer_refuse(caller->peer, message->request, REFUSAL_NOT_FOUND, "no such object");
		return;
	}
	answer.object = object->facts;
	peer_send(caller->peer, &answer);
}

static uint32_t list_pieces(struct caller *caller, const struct fake_segment *segment,
			    const struct msg_get_segment *get, struct writer *w)
{
	uint16_t wanted = get->count > 0 ? get->count : (uint16_t)(caller->net->policy.required + 2);
	uint32_t count = 0;

	for (uint16_t i = 0; i < caller->net->policy.total && count < wanted; i++) {
		uint16_t number = (uint16_t)((get->first + i) % caller->net->policy.total);
		const struct fake_piece_place *place = &segment->pieces[number];
		struct allocation allocation = {.action = ACTION_GET, .limit = get->limit};

		if (!place->held || is_excluded(&get->excluded, place->node))
			continue;
		write_allocation(caller, place, number, &allocation, w);
		count++;
	}
	return count;
}

static void take_get_segment(struct caller *caller, const struct message *message)
{
	const struct msg_get_segment *get = &message->get_segment;
	struct fake_segment *segment = find_segment(caller->net, &get->version, get->number);
	struct message answer = {.type = MSG_SEGMENT, .request = message->request};
	uint8_t *list;
	struct writer w;
	uint32_t count;

	if (segment == NULL) {
		peer_refuse(caller->peer, message->request, REFUSAL_NOT_FOUND, "no such segment");
		return;
	}
	list = memory_new(1, MESSAGE_MAX);
	writer_init(&w, list, MESSAGE_MAX);
	count = segment->data_len > 0 ? 0 : list_pieces(caller, segment, get, &w);
	answer.segment.plain_size = segment->plain_size;
	answer.segment.piece_size = segment->piece_size;
	answer.segment.wrapped_key = bytes_of(segment->wrapped_key, sizeof(segment->wrapped_key));
	answer.segment.data = bytes_of(segment->data, segment->data_len);
	answer.segment.pieces = list_of(&w, count);
	answer.segment.last = 1;
	peer_send(caller->peer, &answer);
	free(list);
}

static void take_report(struct caller *caller, const struct message *message)
{
	const struct list *list = &message->report.transfers;
	struct allocation allocation;
	struct signature signature;
	struct item_transfer item;
	struct reader r;

	reader_init(&r, list->raw);
	for (uint32_t i = 0; i < list->count; i++) {
		list_next(&item_transfer_fields, &r, &item);
		if (typed_decode(&typed_allocation, item.allocation, &allocation, &signature) != ERR_OK ||
		    item.outcome == 0 || item.bytes > allocation.limit) {
			blame(caller->net, "a report of nonsense");
			return;
		}
		for (unsigned n = 0; n < caller->net->node_count; n++)
			if (address_equal(fake_node_address(&caller->net->nodes[n]), &allocation.node))
				caller->net->nodes[n].reported[item.outcome]++;
	}
}

static const struct {
	uint16_t type;
	void (*take)(struct caller *caller, const struct message *message);
} verbs[] = {
	{MSG_BEGIN_OBJECT, take_begin_object},	   {MSG_BEGIN_SEGMENT, take_begin_segment},
	{MSG_COMMIT_SEGMENT, take_commit_segment}, {MSG_INLINE_SEGMENT, take_inline},
	{MSG_COMMIT_OBJECT, take_commit_object},   {MSG_ABORT_OBJECT, take_abort_object},
	{MSG_GET_OBJECT, take_get_object},	   {MSG_GET_SEGMENT, take_get_segment},
	{MSG_REPORT, take_report},
};

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct caller *caller = arg;

	caller->peer = peer;
	if (caller->net->nonsense) {
		peer_refuse(peer, message->request, REFUSAL_NONE, "");
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].type == message->type) {
			verbs[i].take(caller, message);
			return;
		}
	}
	blame(caller->net, "a message that no satellite takes");
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct caller *caller = arg;

	(void)peer;
	(void)err;
	(void)why;
	caller->net->peers--;
	free(caller);
}

static const struct peer_events events = {.request = on_request, .closed = on_closed};
static const struct msg_hello hello = {.version = MESSAGE_VERSION, .chain_id = 31337};

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct fake_net *net = arg;
	struct caller *caller;
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (connection < 0)
		return;
	caller = memory_new(1, sizeof(*caller));
	caller->net = net;
	net->peers++;
	caller->peer = peer_accept(loop_base(net->loop), net->key, connection, &channel_default_limits, &hello, &events,
				   caller);
}

struct fake_net *fake_net_new(unsigned nodes, const struct fake_policy *policy)
{
	struct fake_net *net = memory_new(1, sizeof(*net));
	const struct address nobody = {{0}};

	net->loop = loop_new();
	net->key = key_generate();
	domain_init(&net->domain, hello.chain_id, &nobody);
	net->policy = *policy;
	net->node_count = nodes;
	net->fd = fake_listen(&net->endpoint, net->key);
	for (unsigned i = 0; i < nodes; i++) {
		net->nodes[i].net = net;
		net->nodes[i].key = key_generate();
		net->nodes[i].fd = fake_listen(&net->nodes[i].endpoint, net->nodes[i].key);
		fake_node_attach(&net->nodes[i]);
	}
	net->accept = event_new(loop_base(net->loop), net->fd, EV_READ | EV_PERSIST, on_accept, net);
	event_add(net->accept, NULL);
	return net;
}

void fake_net_start(struct fake_net *net)
{
	loop_start(net->loop, "fake-net");
}

void fake_net_stop(struct fake_net *net)
{
	loop_stop(net->loop);
	loop_join(net->loop);
	for (unsigned i = 0; i < net->node_count; i++)
		fake_node_resume(&net->nodes[i]);
}

void fake_net_free(struct fake_net *net)
{
	struct fake_object *object, *next_object;
	struct fake_segment *segment, *next_segment;

	while (net->peers > 0)
		event_base_loop(loop_base(net->loop), EVLOOP_ONCE);
	DL_FOREACH_SAFE(net->objects, object, next_object)
		free(object);
	DL_FOREACH_SAFE(net->segments, segment, next_segment)
		free(segment);
	for (unsigned i = 0; i < net->node_count; i++)
		fake_node_clear(&net->nodes[i]);
	event_free(net->accept);
	close(net->fd);
	loop_free(net->loop);
	key_free(net->key);
	free(net);
}
