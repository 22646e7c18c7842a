/* Waiting for callbacks with a semaphore. */
#include "tests/kit/pieces.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/random.h"

struct answer {
	sem_t come;
	enum err err;
};

static void answered(void *arg, enum err err)
{
	struct answer *answer = arg;

	answer->err = err;
	sem_post(&answer->come);
}

static enum err wait_for(struct answer *answer)
{
	/* A signal interrupts it; libFuzzer sends itself an alarm now and then. */
	while (sem_wait(&answer->come) != 0)
		;
	sem_destroy(&answer->come);
	return answer->err;
}

struct store_key pieces_key(uint32_t number)
{
	struct store_key key = {.satellite = 0};

	hash_once("test.piece", &number, sizeof(number), &key.piece);
	return key;
}

void pieces_fill(uint32_t number, uint32_t version, void *out, size_t len)
{
	uint64_t word = ((uint64_t)number << 32 | version) * 0x9e3779b97f4a7c15ull + 1;
	uint8_t *at = out;

	/* An odd stride: no two words of a piece are alike, so no two blocks are. */
	for (size_t i = 0; i < len; i += 8, word += 0xd1342543de82ef95ull)
		memcpy(at + i, &word, len - i < 8 ? len - i : 8);
}

struct allocation pieces_allocation(uint32_t number, uint64_t limit)
{
	struct allocation allocation = {
		.action = ACTION_PUT,
		.limit = limit,
		.issued = 1000,
		.expires = 2000 + number,
		.piece = pieces_key(number).piece,
	};

	put_be32(allocation.serial.b, number);
	return allocation;
}

/* Begin, and give all blocks. */
static enum err upload(struct store *store, const struct allocation *allocation, const uint8_t *content, size_t len,
		       struct store_upload **ret)
{
	struct signature signature = {{1}};
	struct store_upload *begun;
	struct bytes32 hash;
	enum err err;

	typed_hash(&typed_allocation, allocation, &hash);
	err = store_put_begin(store, 0, allocation, &signature, &hash, &begun);
	if (err != ERR_OK)
		return err;
	for (size_t at = 0; err == ERR_OK && at < len; at += TREE_BLOCK)
		err = store_put_block(begun, content + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK);
	if (err == ERR_OK)
		*ret = begun;
	else
		store_put_abort(begun);
	return err;
}

static enum err put(struct store *store, const struct allocation *allocation, uint32_t number, uint32_t version,
		    size_t len)
{
	struct order order = {.amount = len};
	struct signature signature = {{2}};
	uint8_t *content = memory_new(1, len + 1);
	struct store_upload *under_way;
	struct answer answer;
	enum err err;

	pieces_fill(number, version, content, len);
	err = upload(store, allocation, content, len, &under_way);
	free(content);
	if (err != ERR_OK)
		return err;
	typed_hash(&typed_allocation, allocation, &order.allocation);
	sem_init(&answer.come, 0, 0);
	store_put_end(under_way, &order, &signature, 1500 + version, answered, &answer);
	return wait_for(&answer);
}

enum err pieces_put(struct store *store, uint32_t number, uint32_t version, size_t len, uint64_t limit)
{
	struct allocation allocation = pieces_allocation(number, limit == 0 ? len : limit);

	return put(store, &allocation, number, version, len);
}

enum err pieces_put_until(struct store *store, uint32_t number, uint32_t version, size_t len, uint64_t expires)
{
	struct allocation allocation = pieces_allocation(number, len);

	allocation.pieceExpires = expires;
	return put(store, &allocation, number, version, len);
}

enum err pieces_hold(struct store *store, uint32_t number, size_t len, uint64_t limit, struct store_upload **ret)
{
	struct allocation allocation = pieces_allocation(number, limit);
	uint8_t *content = memory_new(1, len + 1);
	enum err err;

	pieces_fill(number, 99, content, len);
	err = upload(store, &allocation, content, len, ret);
	free(content);
	return err;
}

enum err pieces_abort(struct store *store, uint32_t number, size_t len, uint64_t limit)
{
	struct store_upload *under_way;
	enum err err = pieces_hold(store, number, len, limit, &under_way);

	if (err == ERR_OK)
		store_put_abort(under_way);
	return err;
}

static enum err compare(struct store_reader *reader, uint32_t number, uint32_t version, size_t len)
{
	const struct store_piece *piece = store_reader_piece(reader);
	uint8_t *expected = memory_new(1, len + 1), *read = memory_new(tree_blocks(piece->size), TREE_BLOCK);
	struct bytes32 root;
	enum err err;
	size_t got;

	pieces_fill(number, version, expected, len);
	err = store_reader_blocks(reader, 0, tree_blocks(piece->size), read, &got);
	tree_root(piece->blocks, piece->size, &root);
	if (err == ERR_OK && (piece->size != len || got != len || memcmp(read, expected, len) != 0 ||
			      !bytes32_equal(&root, &piece->root)))
		err = ERR_CONFLICT;
	free(expected);
	free(read);
	return err;
}

enum err pieces_check(struct store *store, uint32_t number, uint32_t version, size_t len)
{
	struct store_key key = pieces_key(number);
	struct store_reader *reader;
	enum err err = store_get(store, &key, &reader);

	if (err != ERR_OK)
		return err;
	err = compare(reader, number, version, len);
	store_reader_free(reader);
	return err;
}

/* The answer that comes later, when `err` says that one will. */
static enum err answer_of(enum err err, struct answer *answer)
{
	if (err == ERR_OK)
		return wait_for(answer);
	sem_destroy(&answer->come);
	return err;
}

enum err pieces_delete(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct answer answer;

	sem_init(&answer.come, 0, 0);
	return answer_of(store_delete(store, &key, NULL, answered, &answer), &answer);
}

enum err pieces_trash(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct answer answer;

	sem_init(&answer.come, 0, 0);
	return answer_of(store_trash(store, &key, answered, &answer), &answer);
}

enum err pieces_restore(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct answer answer;

	sem_init(&answer.come, 0, 0);
	return answer_of(store_restore(store, &key, NULL, answered, &answer), &answer);
}

enum err pieces_transfer(struct store *store, uint32_t number, uint64_t amount)
{
	struct store_transfer transfer = {.at = 1600, .allocation = pieces_allocation(number, 1 << 20)};
	struct answer answer;

	transfer.allocation.action = ACTION_GET;
	transfer.order.amount = amount;
	typed_hash(&typed_allocation, &transfer.allocation, &transfer.order.allocation);
	sem_init(&answer.come, 0, 0);
	store_transfer_add(store, &transfer, answered, &answer);
	return wait_for(&answer);
}
