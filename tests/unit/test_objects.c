/*
 * The verbs of clients on a real database: enrolment, buckets, the life of an object, allocations, and every reason for
 * which a segment or an object is not committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/rules.h"
#include "satellite/allocate.h"
#include "satellite/clients.h"
#include "satellite/deleter.h"
#include "satellite/facts.h"
#include "satellite/objects.h"
#include "tests/kit/office.h"
#include "uplink/segment.h"

#define GB UINT64_C(1000000000)

/* Policy 2/3/4/6 and eight nodes with room. */
static int set_up(void **state)
{
	*state = office_new("2/3/4/6", 8);
	return 0;
}

static enum refusal enrol(struct office *office, const struct key *who, const uint8_t code[CLIENTS_CODE])
{
	struct message message = {.type = MSG_ENROL, .enrol = {bytes_of(code, CLIENTS_CODE)}};

	return office_ask(office, who, &message);
}

static void test_grants(void **state)
{
	struct office *office = *state;
	struct key *first = key_generate(), *second = key_generate();
	uint8_t code[CLIENTS_CODE], stale[CLIENTS_CODE];
	struct message list = {.type = MSG_LIST_BUCKETS};
	uint64_t now = clock_wall();

	assert_int_equal(office_ask(office, first, &list), REFUSAL_CLIENT_UNKNOWN);
	assert_int_equal(clients_grant(office->desk->db, now, 60, code), ERR_OK);
	assert_int_equal(enrol(office, first, code), REFUSAL_NONE);
	assert_int_equal(office_ask(office, first, &list), REFUSAL_NONE);
	assert_int_equal(enrol(office, first, code), REFUSAL_NONE);
	assert_int_equal(enrol(office, second, code), REFUSAL_GRANT);
	assert_int_equal(office_ask(office, second, &list), REFUSAL_CLIENT_UNKNOWN);
	code[0] ^= 1;
	assert_int_equal(enrol(office, second, code), REFUSAL_GRANT);
	assert_int_equal(clients_grant(office->desk->db, now - 100, 60, stale), ERR_OK);
	assert_int_equal(enrol(office, second, stale), REFUSAL_GRANT);
	assert_non_null(strstr(office->why, "expired"));
	key_free(first);
	key_free(second);
}

static enum refusal bucket(struct office *office, enum message_type type, const char *name)
{
	struct message message = {.type = (uint16_t)type, .bucket = {bytes_of_text(name)}};

	return office_ask(office, office->client, &message);
}

static void test_bucket_names(void **state)
{
	static const char *const bad[] = {"ab", "Films", "a_b", "-ab", "ab-", ".ab", "a..b", "fil ms", ""};
	struct office *office = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(bucket(office, MSG_MAKE_BUCKET, bad[i]), REFUSAL_NAME);
		assert_non_null(strstr(office->why, "bucket:"));
	}
	assert_int_equal(bucket(office, MSG_MAKE_BUCKET, "a.b-3"), REFUSAL_NONE);
	assert_int_equal(bucket(office, MSG_MAKE_BUCKET, "films"), REFUSAL_EXISTS);
}

static void test_buckets_belong_to_their_client(void **state)
{
	struct office *office = *state;
	struct key *other = office_new_client(office);
	struct message list = {.type = MSG_LIST_BUCKETS}, answer;
	struct message get = {.type = MSG_GET_OBJECT, .get_object = {bytes_of_text("films"), office_path_of("a")}};

	office_store(office, "films", office_path_of("a"), 1000);
	assert_int_equal(office_ask(office, other, &list), REFUSAL_NONE);
	assert_true(office_answer(office, &answer));
	assert_int_equal(answer.buckets.buckets.count, 0);
	get.get_object.path = office_path_of("a");
	assert_int_equal(office_ask(office, other, &get), REFUSAL_NOT_FOUND);
	key_free(other);
}

static void test_bucket_with_objects_stays(void **state)
{
	struct office *office = *state;
	struct message remove = {.type = MSG_REMOVE_OBJECT};
	struct bytes32 upload;

	office_store(office, "films", office_path_of("a"), 1000);
	assert_int_equal(bucket(office, MSG_REMOVE_BUCKET, "films"), REFUSAL_NOT_EMPTY);
	remove.get_object = (struct msg_get_object){bytes_of_text("films"), office_path_of("a")};
	assert_int_equal(office_ask(office, office->client, &remove), REFUSAL_NONE);
	assert_int_equal(office_ask(office, office->client, &remove), REFUSAL_NOT_FOUND);
	upload = office_begin_object(office, "films", office_path_of("b"), 0);
	assert_int_equal(bucket(office, MSG_REMOVE_BUCKET, "films"), REFUSAL_NONE);
	assert_int_equal(bucket(office, MSG_REMOVE_BUCKET, "films"), REFUSAL_NOT_FOUND);
	/* The upload went with it, also for a bucket of that name made later. */
	assert_int_equal(bucket(office, MSG_MAKE_BUCKET, "films"), REFUSAL_NONE);
	assert_int_equal(office_commit_object(office, &upload, 0, 0), REFUSAL_CONFLICT);
}

static enum refusal get(struct office *office, const char *path, struct message *ret)
{
	struct message message = {.type = MSG_GET_OBJECT, .get_object = {bytes_of_text("films"), office_path_of(path)}};
	enum refusal refusal = office_ask(office, office->client, &message);

	if (refusal == REFUSAL_NONE)
		assert_true(office_answer(office, ret));
	return refusal;
}

static void test_visible_when_committed(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	struct message object, next;
	struct bytes32 version, segment;
	uint32_t count;

	version = office_begin_object(office, "films", office_path_of("a"), 0);
	assert_int_equal(get(office, "a", &object), REFUSAL_NOT_FOUND);
	segment = office_begin_segment(office, &version, 0, pieces, &count);
	assert_int_equal(count, 6);
	assert_int_equal(office_commit_segment(office, &segment, 1000, pieces, 4, clock_wall()), REFUSAL_NONE);
	assert_int_equal(get(office, "a", &object), REFUSAL_NOT_FOUND);
	/* Segments are there, but not these. */
	assert_int_equal(office_commit_object(office, &version, 2, 1000), REFUSAL_COMMIT);
	assert_int_equal(office_commit_object(office, &version, 1, 1001), REFUSAL_COMMIT);
	assert_int_equal(office_commit_object(office, &version, 1, 1000), REFUSAL_NONE);
	assert_int_equal(office_commit_object(office, &version, 1, 1000), REFUSAL_NONE);
	assert_int_equal(get(office, "a", &object), REFUSAL_NONE);
	assert_true(bytes32_equal(&object.object.version, &version));
	assert_int_equal(object.object.plain_size, 1000);
	assert_int_equal(object.object.segments, 1);
	assert_int_equal(object.object.success, 4);
	assert_true(bytes_equal(object.object.metadata, bytes_of_text("sealed")));
	assert_false(office_answer(office, &next));
	/* Nothing can be added to it any more. */
	next = (struct message){.type = MSG_BEGIN_SEGMENT, .begin_segment = {version, 1, 64, {{0}}}};
	assert_int_equal(office_ask(office, office->client, &next), REFUSAL_CONFLICT);
}

static void test_replacing(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_GET_SEGMENT}, object;
	struct bytes32 old = office_store(office, "films", office_path_of("a"), 1000);
	struct bytes32 new = office_begin_object(office, "films", office_path_of("a"), 0);

	assert_int_equal(get(office, "a", &object), REFUSAL_NONE);
	assert_true(bytes32_equal(&object.object.version, &old));
	assert_int_equal(office_commit_object(office, &new, 0, 0), REFUSAL_NONE);
	assert_int_equal(get(office, "a", &object), REFUSAL_NONE);
	assert_true(bytes32_equal(&object.object.version, &new));
	message.get_segment.version = old;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_CONFLICT);
}

struct times {
	uint64_t now, idle_since;
};

static enum err expire(struct database *db, void *arg)
{
	const struct times *times = arg;

	return objects_expire(db, times->now, times->idle_since);
}

static void test_expiry(void **state)
{
	struct office *office = *state;
	struct message begin = {.type = MSG_BEGIN_OBJECT}, object;
	struct bytes32 version;
	struct facts facts;
	struct times times;
	uint64_t now = clock_wall();
	bool any;

	begin.begin_object = (struct msg_begin_object){bytes_of_text("films"), office_path_of("a"), clock_wall() - 1};
	assert_int_equal(office_ask(office, office->client, &begin), REFUSAL_RANGE);
	begin.begin_object.expires = UINT64_MAX;
	assert_int_equal(office_ask(office, office->client, &begin), REFUSAL_RANGE);
	version = office_begin_object(office, "films", office_path_of("a"), clock_wall() + 1000);
	assert_int_equal(office_commit_object(office, &version, 0, 0), REFUSAL_NONE);
	assert_int_equal(get(office, "a", &object), REFUSAL_NONE);
	/* Uploads that do not go on are dropped, and so is what has expired. */
	office_begin_object(office, "films", office_path_of("idle"), 0);
	assert_int_equal(objects_any_expired(office->desk->db, now, now, &any), ERR_OK);
	assert_false(any);
	assert_int_equal(objects_any_expired(office->desk->db, now + 2000, now + 2000, &any), ERR_OK);
	assert_true(any);
	times = (struct times){now, now + 2000};
	assert_int_equal(database_transaction(office->desk->db, expire, &times), ERR_OK);
	assert_int_equal(facts_collect(office->desk, now, &facts), ERR_OK);
	assert_int_equal(facts.objects, 1);
	assert_int_equal(facts.uploads, 0);
	times = (struct times){now + 2000, now + 2000};
	assert_int_equal(database_transaction(office->desk->db, expire, &times), ERR_OK);
	assert_int_equal(get(office, "a", &object), REFUSAL_NOT_FOUND);
}

/* A satellite that was down when objects expired pays, and charges, for nothing later. */
static void test_expired_late(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	uint64_t now = clock_wall(), expires = now + 1000;
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), expires), segment;
	uint32_t count;

	segment = office_begin_segment(office, &version, 0, pieces, &count);
	assert_int_equal(pieces[0].allocation.pieceExpires, expires);
	assert_int_equal(office_commit_segment(office, &segment, 1000, pieces, 4, now), REFUSAL_NONE);
	assert_int_equal(office_commit_object(office, &version, 1, 1000), REFUSAL_NONE);
	office_set_clock(office, now + 3 * 86400);
	assert_int_equal(deleter_expire(office->desk), ERR_OK);
	assert_int_equal(office_number(office, "SELECT removed FROM objects"), expires);
	while (deleter_take_apart(office->desk) == ERR_OK)
		;
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM ended"), 4);
	assert_int_equal(office_number(office, "SELECT MIN(ended) FROM ended"), expires);
	assert_int_equal(office_number(office, "SELECT MAX(ended) FROM ended"), expires);
	assert_int_equal(office_number(office, "SELECT MIN(ends) FROM deletions WHERE again = 0"), expires);
	assert_int_equal(office_number(office, "SELECT SUM(ended) - SUM(begun) FROM storage"), 0);
	assert_int_equal(office_number(office, "SELECT MAX(hour) FROM client_storage"), expires / 3600);
	office_set_clock(office, now);
}

static void test_abort(void **state)
{
	struct office *office = *state;
	struct message abort = {.type = MSG_ABORT_OBJECT};
	struct bytes32 committed = office_store(office, "films", office_path_of("a"), 1000);

	abort.abort_object.version = office_begin_object(office, "films", office_path_of("b"), 0);
	assert_int_equal(office_ask(office, office->client, &abort), REFUSAL_NONE);
	assert_int_equal(office_ask(office, office->client, &abort), REFUSAL_NONE);
	assert_int_equal(office_commit_object(office, &abort.abort_object.version, 0, 0), REFUSAL_CONFLICT);
	abort.abort_object.version = committed;
	assert_int_equal(office_ask(office, office->client, &abort), REFUSAL_CONFLICT);
	memset(&abort.abort_object.version, 0, sizeof(struct bytes32));
	assert_int_equal(office_ask(office, office->client, &abort), REFUSAL_NOT_FOUND);
}

static void test_upload_allocations(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0);
	uint64_t now = clock_wall();
	uint32_t count;

	office_begin_segment(office, &version, 3, pieces, &count);
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < count; i++) {
		const struct allocation *a = &pieces[i].allocation;
		struct transfer_facts facts = {.domain = &office->settings.domain,
					       .satellite = key_address(office->key),
					       .node = &a->node,
					       .peer = key_address(office->client),
					       .piece = &a->piece,
					       .put = true,
					       .now = now};

		assert_int_equal(pieces[i].number, i);
		assert_int_equal(rules_check_allocation(a, &pieces[i].signature, &facts), REFUSAL_NONE);
		assert_int_equal(a->limit, 2097152);
		assert_non_null(office_node_key(office, &a->node));
		for (uint32_t j = 0; j < i; j++) {
			assert_false(address_equal(&a->node, &pieces[j].allocation.node));
			assert_false(bytes32_equal(&a->piece, &pieces[j].allocation.piece));
			assert_false(bytes32_equal(&a->serial, &pieces[j].allocation.serial));
		}
	}
}

static void test_excluded_nodes(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_BEGIN_SEGMENT}, first;
	struct office_piece pieces[OFFICE_PIECES];
	uint8_t items[256];
	struct writer w;
	uint32_t count;

	message.begin_segment.version = office_begin_object(office, "films", office_path_of("a"), 0);
	message.begin_segment.piece_size = 64;
	writer_init(&w, items, sizeof(items));
	for (int i = 0; i < 4; i++)
		fields_encode(&item_node_fields, &(struct item_node){*key_address(office->nodes[i])}, &w);
	/* Four are left, which is `success`. */
	message.begin_segment.excluded = list_of(&w, 4);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	count = office_pieces(office, &first, pieces);
	assert_int_equal(count, 4);
	for (uint32_t i = 0; i < count; i++)
		for (int j = 0; j < 4; j++)
			assert_false(address_equal(&pieces[i].allocation.node, key_address(office->nodes[j])));
	fields_encode(&item_node_fields, &(struct item_node){*key_address(office->nodes[4])}, &w);
	message.begin_segment.excluded = list_of(&w, 5);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_ENOUGH_NODES);
	message.begin_segment.excluded = (struct list){{NULL, 0}, 0};
	message.begin_segment.piece_size = 2097153;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_RANGE);
	message.begin_segment.piece_size = 0;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_RANGE);
	message.begin_segment.piece_size = 64;
	message.begin_segment.number = SEGMENTS_NUMBER_MAX;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_RANGE);
}

/* One receipt as it may go wrong. */
struct bent {
	const char *what;
	void (*bend)(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored);
};

static void bend_size(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)pieces, (void)stored;
	*size += 64;
}

static void bend_stored_early(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)pieces, (void)size;
	*stored -= 1000;
}

static void bend_stored_late(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)pieces, (void)size;
	*stored = UINT64_MAX;
}

static void bend_number(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)size, (void)stored;
	pieces[0].number = 99;
}

static void bend_swap(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)size, (void)stored;
	pieces[0].number = 1;
}

static void bend_node(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)size, (void)stored;
	pieces[0].allocation.node = pieces[1].allocation.node;
}

static void bend_piece(struct office *office, struct office_piece *pieces, uint64_t *size, uint64_t *stored)
{
	(void)office, (void)size, (void)stored;
	pieces[0].allocation.piece.b[0] ^= 1;
}

/* COMMIT_SEGMENT of four receipts of which the first is bent. */
static enum refusal commit_bent(struct office *office, const struct bytes32 *segment, struct office_piece *pieces,
				const struct bent *bent)
{
	static const uint8_t wrapped[MESSAGE_WRAPPED_KEY];
	struct message message = {.type = MSG_COMMIT_SEGMENT};
	uint8_t items[4096];
	struct writer list;

	writer_init(&list, items, sizeof(items));
	for (uint32_t i = 0; i < 4; i++) {
		struct office_piece copy[2] = {pieces[i], pieces[(i + 1) % 4]};
		uint64_t size = 576, stored = clock_wall();
		struct item_receipt item;
		uint8_t wire[512];
		struct writer w;

		if (i == 0 && bent->bend != NULL)
			bent->bend(office, copy, &size, &stored);
		writer_init(&w, wire, sizeof(wire));
		office_sign_receipt(office, &copy[0], size, stored, &w);
		if (i == 0 && bent->bend == NULL)
			wire[w.len - 65] ^= 1; /* r of the signature */
		item = (struct item_receipt){copy[0].number, writer_bytes(&w)};
		fields_encode(&item_receipt_fields, &item, &list);
	}
	message.commit_segment =
		(struct msg_commit_segment){*segment, 1000, 576, bytes_of(wrapped, sizeof(wrapped)), list_of(&list, 4)};
	return office_ask(office, office->client, &message);
}

static void test_bad_receipts(void **state)
{
	static const struct bent all[] = {
		{"size", bend_size},	 {"early", bend_stored_early}, {"late", bend_stored_late},
		{"number", bend_number}, {"swapped", bend_swap},       {"node", bend_node},
		{"piece", bend_piece},	 {"signature", NULL},
	};
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0), segment;
	uint32_t count;

	segment = office_begin_segment(office, &version, 0, pieces, &count);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum refusal refusal = commit_bent(office, &segment, pieces, &all[i]);

		if (refusal != REFUSAL_COMMIT)
			print_message("%s: %s %s\n", all[i].what, refusal_name(refusal), office->why);
		assert_int_equal(refusal, REFUSAL_COMMIT);
		assert_non_null(strstr(office->why, "receipts: piece"));
	}
	/* Too few, and one twice. */
	assert_int_equal(office_commit_segment(office, &segment, 1000, pieces, 3, clock_wall()), REFUSAL_COMMIT);
	pieces[4] = pieces[3];
	assert_int_equal(office_commit_segment(office, &segment, 1000, pieces, 5, clock_wall()), REFUSAL_COMMIT);
	assert_non_null(strstr(office->why, "twice"));
	/* All that changed nothing. */
	assert_int_equal(office_commit_segment(office, &segment, 1000, pieces, 4, clock_wall()), REFUSAL_NONE);
}

static void test_sizes_must_fit(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0);
	struct message message = {.type = MSG_COMMIT_SEGMENT};
	static const uint8_t wrapped[MESSAGE_WRAPPED_KEY];
	struct msg_commit_segment *m = &message.commit_segment;
	uint32_t count;

	m->segment = office_begin_segment(office, &version, 0, pieces, &count);
	m->wrapped_key = bytes_of(wrapped, sizeof(wrapped));
	m->plain_size = 1000;
	m->piece_size = 640;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_COMMIT);
	assert_non_null(strstr(office->why, "piece_size"));
	m->plain_size = segment_plain_max(2) + 1;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_COMMIT);
	assert_non_null(strstr(office->why, "plain_size"));
	m->wrapped_key.len--;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_MALFORMED);
	m->segment.b[0] ^= 1;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_FOUND);
}

static void test_segment_committed_once(void **state)
{
	struct office *office = *state;
	struct office_piece first[OFFICE_PIECES], second[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0), a, b;
	struct message message = {.type = MSG_BEGIN_SEGMENT, .begin_segment = {version, 0, 64, {{0}}}};
	struct key *other = office_new_client(office);
	uint32_t count;

	a = office_begin_segment(office, &version, 0, first, &count);
	b = office_begin_segment(office, &version, 0, second, &count);
	assert_int_equal(office_commit_segment(office, &a, 1000, first, 5, clock_wall()), REFUSAL_NONE);
	assert_int_equal(office_commit_segment(office, &a, 1000, first, 5, clock_wall()), REFUSAL_NONE);
	assert_int_equal(office_commit_segment(office, &a, 1001, first, 5, clock_wall()), REFUSAL_CONFLICT);
	assert_int_equal(office_commit_segment(office, &b, 1000, second, 4, clock_wall()), REFUSAL_CONFLICT);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_CONFLICT);
	assert_int_equal(office_ask(office, other, &message), REFUSAL_NOT_FOUND);
	key_free(other);
}

static void test_inline_segment(void **state)
{
	static const uint8_t wrapped[MESSAGE_WRAPPED_KEY] = {1}, data[116] = {2};
	struct office *office = *state;
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0);
	struct message message = {.type = MSG_INLINE_SEGMENT}, answer;
	struct msg_inline_segment *m = &message.inline_segment;

	*m = (struct msg_inline_segment){version, 0, 100, bytes_of(wrapped, sizeof(wrapped)), bytes_of(data, 116)};
	m->plain_size = 99;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_MALFORMED);
	m->plain_size = 100;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	m->data = bytes_of(data + 1, 115);
	m->plain_size = 99;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_CONFLICT);
	assert_int_equal(office_commit_object(office, &version, 1, 100), REFUSAL_NONE);
	message = (struct message){.type = MSG_GET_SEGMENT, .get_segment = {.version = version}};
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_true(office_answer(office, &answer));
	assert_int_equal(answer.segment.pieces.count, 0);
	assert_int_equal(answer.segment.last, 1);
	assert_true(bytes_equal(answer.segment.data, bytes_of(data, 116)));
	assert_true(bytes_equal(answer.segment.wrapped_key, bytes_of(wrapped, sizeof(wrapped))));
}

static void test_download_allocations(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_GET_SEGMENT}, first;
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_store(office, "films", office_path_of("a"), 1000);
	uint32_t count;

	/* Four pieces are stored; required and a few is four. */
	message.get_segment.version = version;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	count = office_pieces(office, &first, pieces);
	assert_int_equal(count, 4);
	assert_int_equal(first.segment.plain_size, 1000);
	assert_int_equal(first.segment.piece_size, 576);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(pieces[i].allocation.action, ACTION_GET);
		assert_int_equal(pieces[i].allocation.limit, 576);
		assert_int_equal(pieces[i].root.b[5], pieces[i].number + 1);
	}
	message.get_segment.first = 2;
	message.get_segment.count = 1;
	message.get_segment.limit = 64;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_int_equal(office_pieces(office, &first, pieces), 1);
	assert_int_equal(pieces[0].number, 2);
	assert_int_equal(pieces[0].allocation.limit, 64);
	message.get_segment.number = 1;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_FOUND);
	message.get_segment.version.b[0] ^= 1;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_FOUND);
}

/* Numbers of the pieces that are offered, as text. */
static char *order(const struct found_piece *found, uint32_t count, uint16_t first, uint16_t required, uint32_t most)
{
	static char text[64];
	uint32_t indices[16];
	uint32_t taken = allocate_order_pieces(found, count, first, 10, required, most, indices);

	text[0] = '\0';
	for (uint32_t i = 0; i < taken; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u ", found[indices[i]].number);
	return text;
}

static void test_order_of_pieces(void **state)
{
	struct found_piece found[5] = {{.number = 0, .online = true},
				       {.number = 2, .online = false},
				       {.number = 3, .online = true},
				       {.number = 7, .online = true},
				       {.number = 9, .online = true}};

	(void)state;
	assert_string_equal(order(found, 5, 0, 4, 9), "0 3 7 9 ");
	assert_string_equal(order(found, 5, 3, 4, 9), "3 7 9 0 ");
	assert_string_equal(order(found, 5, 8, 4, 2), "9 0 ");
	assert_string_equal(order(found, 5, 13, 4, 1), "3 ");
	/* Too few online: the others last. */
	assert_string_equal(order(found, 5, 2, 5, 9), "3 7 9 0 2 ");
	assert_string_equal(order(found, 0, 2, 5, 9), "");
}

/* Whom the dial-back does not find is offered last, and gets no new pieces. */
static void test_unreachable_nodes(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_GET_SEGMENT}, first;
	struct office_piece pieces[OFFICE_PIECES];
	struct address gone;
	uint32_t count;

	message.get_segment.version = office_store(office, "films", office_path_of("a"), 1000);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_int_equal(office_pieces(office, &first, pieces), 4);
	gone = pieces[0].allocation.node;
	office_lose_node(office, &gone);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	count = office_pieces(office, &first, pieces);
	assert_int_equal(count, 3);
	for (uint32_t i = 0; i < count; i++)
		assert_false(address_equal(&pieces[i].allocation.node, &gone));
	office_lose_node(office, &pieces[0].allocation.node);
	office_lose_node(office, &pieces[1].allocation.node);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	count = office_pieces(office, &first, pieces);
	assert_int_equal(count, 4);
	assert_false(address_equal(&pieces[0].allocation.node, &gone));
}

/* Between two check-ins a node is given no more than it said it had. */
static void test_room_is_taken(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_BEGIN_SEGMENT};
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version;
	uint64_t before;
	uint32_t count;

	office_close(office);
	office_open(office, "2/3/4/6");
	for (int i = 0; i < 6; i++)
		office_add_node(office, "192.0.2.1", office->settings.node_reserve + (5 << 20));
	office_make_bucket(office, "films");
	version = office_begin_object(office, "films", office_path_of("a"), 0);
	before = office_number(office, "SELECT SUM(available) FROM nodes");
	for (uint32_t i = 0; i < 2; i++) {
		(void)office_begin_segment(office, &version, i, pieces, &count);
		assert_int_equal(count, 6);
	}
	assert_int_equal(before - office_number(office, "SELECT SUM(available) FROM nodes"), 12 * 2097152);
	message.begin_segment.version = version;
	message.begin_segment.number = 2;
	message.begin_segment.piece_size = 2097152;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_ENOUGH_NODES);
	message.begin_segment.piece_size = 1 << 20;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
}

static void test_networks_are_distinct(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_BEGIN_SEGMENT};

	office_close(office);
	office_open(office, "2/3/4/6");
	office->settings.test_network = false;
	for (int i = 0; i < 3; i++)
		office_add_node(office, "198.51.100.7", GB);
	office_add_node(office, "203.0.113.1", GB);
	office_add_node(office, "192.0.2.1", GB);
	office_make_bucket(office, "films");
	message.begin_segment.version = office_begin_object(office, "films", office_path_of("a"), 0);
	message.begin_segment.piece_size = 64;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NOT_ENOUGH_NODES);
	assert_non_null(strstr(office->why, "3 nodes fit, 4 are needed"));
	office->settings.test_network = true;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
}

static void test_removed_object_is_taken_apart(void **state)
{
	struct office *office = *state;
	struct message remove = {.type = MSG_REMOVE_OBJECT};
	struct facts facts;

	office_store(office, "films", office_path_of("a"), 1000);
	assert_int_equal(facts_collect(office->desk, clock_wall(), &facts), ERR_OK);
	assert_int_equal(facts.pieces, 4);
	assert_int_equal(facts.stored_bytes, 4 * 576);
	assert_int_equal(facts.deletions, 2); /* offers that became no piece */
	remove.get_object = (struct msg_get_object){bytes_of_text("films"), office_path_of("a")};
	assert_int_equal(office_ask(office, office->client, &remove), REFUSAL_NONE);
	assert_int_equal(deleter_take_apart(office->desk), ERR_OK);
	assert_int_equal(deleter_take_apart(office->desk), ERR_NOT_FOUND);
	assert_int_equal(facts_collect(office->desk, clock_wall(), &facts), ERR_OK);
	assert_int_equal(facts.objects, 0);
	assert_int_equal(facts.pieces, 0);
	assert_int_equal(facts.deletions, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_grants),
		TEST(test_bucket_names),
		TEST(test_buckets_belong_to_their_client),
		TEST(test_bucket_with_objects_stays),
		TEST(test_visible_when_committed),
		TEST(test_replacing),
		TEST(test_expiry),
		TEST(test_expired_late),
		TEST(test_abort),
		TEST(test_upload_allocations),
		TEST(test_excluded_nodes),
		TEST(test_bad_receipts),
		TEST(test_sizes_must_fit),
		TEST(test_segment_committed_once),
		TEST(test_inline_segment),
		TEST(test_download_allocations),
		TEST(test_order_of_pieces),
		TEST(test_unreachable_nodes),
		TEST(test_room_is_taken),
		TEST(test_networks_are_distinct),
		TEST(test_removed_object_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
