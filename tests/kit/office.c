/* The office. */
#include "tests/kit/office.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/clients.h"
#include "satellite/registry.h"
#include "uplink/segment.h"

#define must(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static void open_desk(struct office *office)
{
	char why[DATABASE_MESSAGE] = "";
	enum err err = desk_open(&office->settings, office->key, &office->desk, why);

	if (err != ERR_OK)
		fprintf(stderr, "%s\n", why);
	must(err == ERR_OK);
}

static void enrol(struct office *office, const struct key *key)
{
	struct message message = {.type = MSG_ENROL};
	uint8_t code[CLIENTS_CODE];

	must(clients_grant(office->desk->db, clock_wall(), 60, code) == ERR_OK);
	message.enrol.code = bytes_of(code, sizeof(code));
	must(office_ask(office, key, &message) == REFUSAL_NONE);
}

void office_open(struct office *office, const char *redundancy)
{
	office_open_with(office, redundancy, key_generate(), key_generate());
}

void office_open_with(struct office *office, const char *redundancy, struct key *satellite, struct key *client)
{
	static const struct address no_contract;
	const char *why;

	memset(office, 0, sizeof(*office));
	snprintf(office->dir, sizeof(office->dir), "/tmp/granary-office-XXXXXX");
	must(mkdtemp(office->dir) != NULL);
	office->settings = (struct settings){
		.dir = office->dir,
		.test_network = true,
		.prices = prices_default,
		.held = held_default,
		.online = 3600,
		.allocation_lifetime = 3600,
		.upload_lifetime = 86400,
		.audit_period = 86400,
		.audit_samples = 2,
		.audit_piece_ms = 5000,
		.audit_vetting = 86400,
		.audit_tries = 3,
		.audit_retry = 600,
		.audit_keep = 86400,
		.reputation = reputation_defaults,
		.repair_offline = 4 * 3600,
		.exit_failures = 10,
		.channel = channel_default_limits,
		.listener = listener_default_limits,
		.requests = 16,
		.threads = 2,
	};
	must(redundancy_parse(redundancy, &office->settings.redundancy, &why) == ERR_OK);
	domain_init(&office->settings.domain, SETTINGS_TEST_CHAIN, &no_contract);
	office->key = satellite;
	open_desk(office);
	office->client = client;
	enrol(office, client);
}

static void remove_dir(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	must(system(command) == 0);
}

void office_close(struct office *office)
{
	reply_free(&office->reply);
	desk_close(office->desk);
	key_free(office->key);
	key_free(office->client);
	for (unsigned i = 0; i < office->node_count; i++)
		key_free(office->nodes[i]);
	remove_dir(office->dir);
}

struct office *office_new(const char *redundancy, unsigned nodes)
{
	struct office *office = memory_new(1, sizeof(*office));
	char host[32];

	office_open(office, redundancy);
	for (unsigned i = 0; i < nodes; i++) {
		snprintf(host, sizeof(host), "192.0.%u.1", i);
		office_add_node(office, host, UINT64_C(1000000000));
	}
	office_make_bucket(office, "films");
	return office;
}

int office_tear_down(void **state)
{
	office_close(*state);
	free(*state);
	return 0;
}

void office_reopen(struct office *office)
{
	desk_close(office->desk);
	open_desk(office);
}

static struct caller caller_of(const struct key *who)
{
	return (struct caller){*key_id(who), *key_address(who)};
}

/* Run the verb; whether it answered anything, first of all *ret. */
static bool run(struct office *office, struct desk *desk, const struct key *who, struct message *message,
		struct message *ret)
{
	struct caller caller = caller_of(who);
	const struct verb *verb = verbs_find(message->type);
	struct message decoded;
	bool answered;
	struct work work;
	struct writer w;
	const char *why;

	must(verb != NULL);
	writer_init(&w, office->wire, sizeof(office->wire));
	message->request = 7;
	message_encode(message, &w);
	must(w.err == ERR_OK);
	must(message_decode(writer_bytes(&w), &decoded, &why) == REFUSAL_NONE);
	reply_free(&office->reply);
	reply_init(&office->reply, decoded.request);
	office->at = 0;
	office->why[0] = '\0';
	work = (struct work){.desk = desk, .caller = &caller, .message = &decoded, .reply = &office->reply};
	office->spent = clock_monotonic();
	verbs_run(verb, &work);
	office->spent = clock_monotonic() - office->spent;
	answered = office_answer(office, ret);
	office->at = 0;
	return answered;
}

static enum refusal refusal_of(struct office *office, const struct message *first)
{
	if (first->type != MSG_ERROR)
		return REFUSAL_NONE;
	snprintf(office->why, sizeof(office->why), "%.*s", (int)first->error.text.len, first->error.text.data);
	return (enum refusal)first->error.code;
}

enum refusal office_ask_at(struct office *office, struct desk *desk, const struct key *who, struct message *message)
{
	struct message first;

	must(run(office, desk, who, message, &first));
	return refusal_of(office, &first);
}

enum refusal office_tell(struct office *office, const struct key *who, struct message *message)
{
	struct message first;

	if (!run(office, office->desk, who, message, &first))
		return REFUSAL_NONE;
	must(first.type == MSG_ERROR);
	return refusal_of(office, &first);
}

enum refusal office_ask(struct office *office, const struct key *who, struct message *message)
{
	return office_ask_at(office, office->desk, who, message);
}

bool office_answer(struct office *office, struct message *ret)
{
	struct bytes next = reply_next(&office->reply, &office->at);
	const char *why;

	if (next.len == 0)
		return false;
	must(message_decode(next, ret, &why) == REFUSAL_NONE);
	must(ret->request == 7);
	return true;
}

struct key *office_new_client(struct office *office)
{
	struct key *key = key_generate();

	enrol(office, key);
	return key;
}

/* Both halves of a check-in. */
static void check_in(struct office *office, unsigned index, const struct hostport *at, uint64_t available, bool reached)
{
	struct message message = {.type = MSG_CHECK_IN};
	struct caller caller = caller_of(office->nodes[index]);
	char endpoint[HOSTPORT_TEXT];
	struct hostport dial;
	struct reply reply;
	struct work work;

	hostport_print(at, endpoint);
	message.check_in.version = bytes_of_text("test");
	message.check_in.endpoint = bytes_of_text(endpoint);
	message.check_in.available = available;
	reply_init(&reply, 1);
	work = (struct work){.desk = office->desk, .caller = &caller, .message = &message, .reply = &reply};
	must(registry_check_in(&work, &dial) == ERR_OK);
	must(registry_dialled(&work, reached ? at->host : NULL, "") == ERR_OK);
	reply_free(&reply);
}

unsigned office_add_node(struct office *office, const char *host, uint64_t available)
{
	unsigned index = office->node_count++;
	struct hostport at = {.port = (uint16_t)(7000 + index)};

	must(index < OFFICE_NODES);
	snprintf(at.host, sizeof(at.host), "%s", host);
	office->nodes[index] = key_generate();
	check_in(office, index, &at, available, true);
	return index;
}

unsigned office_add_listening_node(struct office *office, struct key *key, const struct hostport *at)
{
	unsigned index = office->node_count++;

	must(index < OFFICE_NODES);
	office->nodes[index] = key;
	check_in(office, index, at, UINT64_C(1) << 40, true);
	return index;
}

void office_check_in(struct office *office, unsigned index, const struct hostport *at)
{
	check_in(office, index, at, UINT64_C(1) << 40, true);
}

void office_lose_node(struct office *office, const struct address *node)
{
	const struct hostport nowhere = {"192.0.2.1", 1};

	for (unsigned i = 0; i < office->node_count; i++)
		if (address_equal(key_address(office->nodes[i]), node))
			check_in(office, i, &nowhere, 0, false);
}

uint32_t office_pieces(struct office *office, struct message *ret_first, struct office_piece ret[OFFICE_PIECES])
{
	struct message part;
	uint32_t count = 0;
	bool last = false;

	office->at = 0;
	while (office_answer(office, &part)) {
		bool begun = part.type == MSG_SEGMENT_BEGUN;
		const struct list *list = begun ? &part.segment_begun.pieces : &part.segment.pieces;
		struct reader r;

		must(begun || part.type == MSG_SEGMENT);
		must(!last);
		if (count == 0)
			*ret_first = part;
		last = begun ? part.segment_begun.last : part.segment.last;
		reader_init(&r, list->raw);
		for (uint32_t i = 0; i < list->count; i++) {
			struct office_piece *piece = &ret[count++];
			struct item_allocation item;

			must(count <= OFFICE_PIECES);
			list_next(&item_allocation_fields, &r, &item);
			piece->number = item.number;
			piece->root = item.root;
			must(typed_decode(&typed_allocation, item.allocation, &piece->allocation, &piece->signature) ==
			     ERR_OK);
		}
	}
	must(last);
	return count;
}

void office_make_bucket(struct office *office, const char *name)
{
	struct message message = {.type = MSG_MAKE_BUCKET, .bucket = {bytes_of_text(name)}};

	must(office_ask(office, office->client, &message) == REFUSAL_NONE);
}

struct bytes32 office_begin_object(struct office *office, const char *bucket, struct bytes path, uint64_t expires)
{
	struct message message = {.type = MSG_BEGIN_OBJECT, .begin_object = {bytes_of_text(bucket), path, expires}};
	struct message answer;

	must(office_ask(office, office->client, &message) == REFUSAL_NONE);
	must(office_answer(office, &answer) && answer.type == MSG_OBJECT_BEGUN);
	return answer.object_begun.version;
}

struct bytes32 office_begin_segment(struct office *office, const struct bytes32 *version, uint32_t number,
				    struct office_piece ret[OFFICE_PIECES], uint32_t *ret_count)
{
	struct message message = {.type = MSG_BEGIN_SEGMENT, .begin_segment = {*version, number, 2097152, {{0}}}};
	struct message first;

	must(office_ask(office, office->client, &message) == REFUSAL_NONE);
	*ret_count = office_pieces(office, &first, ret);
	return first.segment_begun.segment;
}

const struct key *office_node_key(const struct office *office, const struct address *node)
{
	for (unsigned i = 0; i < office->node_count; i++)
		if (address_equal(key_address(office->nodes[i]), node))
			return office->nodes[i];
	must(!"a node of this office");
	return NULL;
}

void office_sign_receipt(struct office *office, const struct office_piece *piece, uint64_t size, uint64_t stored,
			 struct writer *w)
{
	struct receipt receipt = {.piece = piece->allocation.piece, .size = size, .storedAt = stored};
	struct signature signature;

	typed_hash(&typed_allocation, &piece->allocation, &receipt.allocation);
	memset(receipt.root.b, piece->number + 1, sizeof(receipt.root.b));
	typed_sign(&typed_receipt, &receipt, &office->settings.domain, office_node_key(office, &piece->allocation.node),
		   &signature);
	typed_encode(&typed_receipt, &receipt, &signature, w);
}

enum refusal office_commit_segment(struct office *office, const struct bytes32 *segment, uint64_t plain_size,
				   const struct office_piece *pieces, uint32_t count, uint64_t stored)
{
	static const uint8_t wrapped[MESSAGE_WRAPPED_KEY] = {9};
	struct message message = {.type = MSG_COMMIT_SEGMENT};
	struct segment_layout layout;
	uint8_t items[32768];
	struct writer list;

	must(segment_plan(plain_size, office->settings.redundancy.required, &layout) == ERR_OK);
	writer_init(&list, items, sizeof(items));
	for (uint32_t i = 0; i < count; i++) {
		uint8_t wire[512];
		struct item_receipt item = {.number = pieces[i].number};
		struct writer w;

		writer_init(&w, wire, sizeof(wire));
		office_sign_receipt(office, &pieces[i], layout.piece_size, stored, &w);
		item.receipt = writer_bytes(&w);
		fields_encode(&item_receipt_fields, &item, &list);
	}
	message.commit_segment = (struct msg_commit_segment){*segment, plain_size, layout.piece_size,
							     bytes_of(wrapped, sizeof(wrapped)), list_of(&list, count)};
	return office_ask(office, office->client, &message);
}

enum refusal office_commit_object(struct office *office, const struct bytes32 *version, uint32_t segments,
				  uint64_t plain_size)
{
	struct message message = {.type = MSG_COMMIT_OBJECT,
				  .commit_object = {*version, segments, plain_size, bytes_of_text("sealed")}};

	return office_ask(office, office->client, &message);
}

struct bytes32 office_store(struct office *office, const char *bucket, struct bytes path, uint64_t plain_size)
{
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(office, bucket, path, 0);
	uint32_t count;
	struct bytes32 segment = office_begin_segment(office, &version, 0, pieces, &count);

	must(office_commit_segment(office, &segment, plain_size, pieces, office->settings.redundancy.success,
				   clock_wall()) == REFUSAL_NONE);
	must(office_commit_object(office, &version, 1, plain_size) == REFUSAL_NONE);
	return version;
}

void office_set_clock(struct office *office, uint64_t at)
{
	char path[96], temporary[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/clock", office->dir);
	snprintf(temporary, sizeof(temporary), "%s/clock.new", office->dir);
	f = fopen(temporary, "w");
	must(f != NULL);
	fprintf(f, "%lld\n", (long long)at - (long long)time(NULL));
	must(fclose(f) == 0 && rename(temporary, path) == 0);
	must(setenv("GRANARY_CLOCK_FILE", path, 1) == 0);
	clock_allow_offset();
}

static enum err execute(struct database *db, void *arg)
{
	return query_run(database_query(db, arg));
}

void office_execute(struct office *office, const char *sql)
{
	must(database_transaction(office->desk->db, execute, (char *)(uintptr_t)sql) == ERR_OK);
}

uint64_t office_number(struct office *office, const char *sql)
{
	struct query *q = database_query(office->desk->db, sql);
	uint64_t number;

	must(query_one(q) == ERR_OK);
	number = query_get_int(q, 0);
	query_reset(q);
	return number;
}

size_t office_path(const char *text, uint8_t out[256])
{
	size_t len = 0;

	while (*text != '\0') {
		size_t part = strcspn(text, "/");

		must(len + 2 + part <= 256);
		put_be16(out + len, (uint16_t)part);
		memcpy(out + len + 2, text, part);
		len += 2 + part;
		text += part + (text[part] == '/');
	}
	return len;
}

struct bytes office_path_of(const char *text)
{
	static uint8_t path[256];

	return bytes_of(path, office_path(text, path));
}
