/* Record heads from a hostile disk: as they are, and with MACs that hold, so that every number behind them is tried. */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "node/store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_secret secret = {{1, 2, 3}};
static const struct record_place place = {7, 8192};

/* Put a MAC that holds over `data`, as the store would. */
static uint64_t mac_of(uint8_t label, const uint8_t *data, size_t len)
{
	uint8_t input[9 + RECORD_HEAD_MAX] = {label, 0, 0, 0, 7, 0, 0, 0x20, 0}, mac[8];

	memcpy(input + 9, data, len);
	crypto_shorthash(mac, input, 9 + len, secret.b);
	return get_be64(mac);
}

static void decode(const uint8_t *head, size_t size)
{
	struct record record;

	if (record_decode(bytes_of(head, size), &secret, &place, &record) != ERR_OK)
		return;
	assert(record.committed && record.head <= size && record.size <= TREE_PIECE);
	assert(record.extent >= record.head && record.extent % RECORD_UNIT == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[RECORD_HEAD_MAX];
	uint16_t len;

	decode(data, size);
	if (size < RECORD_CORE || size > sizeof(head))
		return 0;
	memcpy(head, data, size);
	memcpy(head, "GRNR\1", 5);
	len = get_be16(head + 60);
	if (len >= RECORD_CORE && len <= size)
		put_be64(head + 112, mac_of('b', head + RECORD_CORE, len - RECORD_CORE));
	put_be64(head + 120, mac_of('c', head, 120));
	decode(head, size);
	return 0;
}
