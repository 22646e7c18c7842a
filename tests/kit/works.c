/* An office and a farm. */
#include "tests/kit/works.h"

#include <stdlib.h>

#include "common/memory.h"
#include "common/random.h"
#include "satellite/deleter.h"
#include "tests/kit/hands.h"
#include "uplink/segment.h"

/* The kit is built where there is no cmocka, too. */
static void expect(bool fine)
{
	if (!fine)
		abort();
}

static struct key *copy_key(const struct key *key)
{
	uint8_t secret[32];
	struct key *copy = NULL;

	key_export_secret(key, secret);
	expect(key_from_secret(secret, &copy) == ERR_OK);
	return copy;
}

struct works *works_new(void)
{
	struct works *works = memory_new(1, sizeof(*works));
	struct segment_layout layout;

	hands_set_ahead(0);
	farm_new(&works->farm, UINT64_C(1) << 30);
	office_open_with(&works->office, "1/1/1/1", copy_key(works->farm.satellite), copy_key(works->farm.client));
	office_add_listening_node(&works->office, copy_key(works->farm.node), &works->farm.endpoint.at);
	office_make_bucket(&works->office, "films");
	expect(segment_plan(WORKS_PLAIN, 1, &layout) == ERR_OK);
	works->piece_size = layout.piece_size;
	round_init(&works->round, works->office.desk);
	return works;
}

void works_free(struct works *works)
{
	round_end(&works->round);
	office_close(&works->office);
	farm_free(&works->farm);
	free(works);
	hands_set_ahead(0);
}

struct bytes works_path(int number)
{
	char text[2] = {(char)('a' + number), 0};

	return office_path_of(text);
}

static void commit(struct works *works, const struct bytes32 *segment, struct bytes receipt)
{
	static const uint8_t wrapped[MESSAGE_WRAPPED_KEY];
	struct message message = {.type = MSG_COMMIT_SEGMENT};
	struct item_receipt item = {.number = 0, .receipt = receipt};
	uint8_t items[1024];
	struct writer list;

	writer_init(&list, items, sizeof(items));
	fields_encode(&item_receipt_fields, &item, &list);
	message.commit_segment = (struct msg_commit_segment){*segment, WORKS_PLAIN, works->piece_size,
							     bytes_of(wrapped, sizeof(wrapped)), list_of(&list, 1)};
	expect(office_ask(&works->office, works->office.client, &message) == REFUSAL_NONE);
}

void works_store(struct works *works, int number, bool begun_only)
{
	struct office_piece pieces[OFFICE_PIECES];
	struct bytes32 version = office_begin_object(&works->office, "films", works_path(number), 0), segment;
	struct peer *peer = farm_dial(&works->farm, works->farm.client);
	struct talk talk = {0};
	uint8_t *data = memory_new(1, works->piece_size);
	uint32_t count;

	random_bytes(data, works->piece_size);
	segment = office_begin_segment(&works->office, &version, 0, pieces, &count);
	expect(count == 1);
	farm_put(&works->farm, peer, &pieces[0].allocation, data, works->piece_size, &talk);
	expect(talk.err == ERR_OK);
	expect(talk.code == REFUSAL_NONE);
	if (!begun_only) {
		commit(works, &segment, bytes_of(talk.signed_thing, talk.signed_len));
		expect(office_commit_object(&works->office, &version, 1, WORKS_PLAIN) == REFUSAL_NONE);
	}
	talk_free(&talk);
	peer_finish(peer);
	free(data);
}

void works_remove(struct works *works, int number)
{
	struct message message = {.type = MSG_REMOVE_OBJECT,
				  .get_object = {bytes_of_text("films"), works_path(number)}};

	expect(office_ask(&works->office, works->office.client, &message) == REFUSAL_NONE);
	while (deleter_take_apart(works->office.desk) == ERR_OK)
		;
}

void works_set_ahead(struct works *works, int64_t seconds)
{
	hands_set_ahead(seconds);
	office_check_in(&works->office, 0, &works->farm.endpoint.at);
}

struct store_space works_space(const struct works *works)
{
	struct store_space space;

	store_space(works->farm.parts.store, &space);
	return space;
}
