/*
 * What a chain's node may answer, from anyone: the first byte chooses a reader, the rest is its input. What decodes
 * encodes to the same bytes; what is printed fits.
 */
#include <stdlib.h>
#include <string.h>

#include "payments/ethereum/quantity.h"
#include "payments/ethereum/receipt.h"
#include "payments/ethereum/rlp.h"
#include "payments/ethereum/transaction.h"

#define TOPICS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool fact)
{
	if (!fact)
		abort();
}

/* The key's owner aside, nobody can sign again; but the fields must come out as they went in. */
static void try_transaction(struct bytes from)
{
	struct transaction transaction, again;
	uint8_t raw[TRANSACTION_BYTES];
	struct bytes32 digest, same, hash;
	struct address signer;
	struct writer w;
	struct key *key;
	static const uint8_t secret[32] = {[31] = 1};

	if (transaction_decode(from, &transaction, &signer) != ERR_OK)
		return;
	insist(key_from_secret(secret, &key) == ERR_OK);
	writer_init(&w, raw, sizeof(raw));
	insist(transaction_sign(&transaction, key, &w, &hash) == ERR_OK);
	insist(transaction_decode(writer_bytes(&w), &again, &signer) == ERR_OK);
	insist(address_equal(&signer, key_address(key)));
	insist(transaction_digest(&transaction, &digest) == ERR_OK && transaction_digest(&again, &same) == ERR_OK);
	insist(bytes32_equal(&digest, &same));
	key_free(key);
}

/* Items of a list, one encoding each: what is read is written to the same bytes. */
static void try_rlp(struct bytes from)
{
	uint8_t *buffer = malloc(from.len + 16);
	struct reader r;
	struct writer w;

	insist(buffer != NULL);
	reader_init(&r, from);
	writer_init(&w, buffer, from.len + 16);
	while (r.left > 0 && r.err == ERR_OK) {
		struct reader list = r;
		struct bytes content = rlp_read_bytes(&r);

		if (r.err == ERR_OK) {
			rlp_write_bytes(&w, content);
			continue;
		}
		content = rlp_read_list(&list);
		if (list.err != ERR_OK)
			break;
		rlp_write_list(&w, content);
		r = list;
	}
	insist(w.err == ERR_OK && bytes_equal(writer_bytes(&w), bytes_of(from.data, w.len)));
	free(buffer);
}

static void try_text(struct bytes from)
{
	char *text = malloc(from.len + 1), *again = malloc(from.len + 3), number[QUANTITY_TEXT], ether[ETHER_TEXT];
	uint8_t *bytes = malloc(from.len + 1);
	uint64_t value;
	uint128 wide;
	size_t len;

	insist(text != NULL && again != NULL && bytes != NULL);
	if (from.len > 0)
		memcpy(text, from.data, from.len);
	text[from.len] = '\0';
	if (quantity_parse_u64(text, &value) == ERR_OK)
		insist(strcasecmp(quantity_print(value, number), text) == 0);
	if (quantity_parse_u128(text, &wide) == ERR_OK)
		insist(strlen(ether_print(wide, ether)) < sizeof(ether));
	if (data_parse(text, bytes, from.len, &len) == ERR_OK)
		insist(strcasecmp(data_print(bytes_of(bytes, len), again), text) == 0);
	free(text);
	free(again);
	free(bytes);
}

static void try_answer(struct bytes from)
{
	char text[DISTRIBUTOR_REASON];
	struct address address;
	struct bytes32 word;

	insist(strlen(distributor_reason(from, text)) < sizeof(text));
	insist(word_parse(from, &word) == (from.len == 32 ? ERR_OK : ERR_FORMAT));
	if (word_parse_address(from, &address) == ERR_OK)
		insist(from.len == 32);
}

static void try_event(struct bytes from)
{
	struct bytes32 topics[TOPICS] = {0};
	struct claimed claimed;
	size_t count = 0, wanted;
	struct reader r;

	reader_init(&r, from);
	wanted = read_u8(&r) % (TOPICS + 1);
	while (count < wanted && r.left >= 32)
		read_raw(&r, topics[count++].b, 32);
	if (claimed_parse(topics, count, bytes_of(r.at, r.left), &claimed) == ERR_OK)
		insist(count == CLAIMED_TOPICS && r.left == CLAIMED_DATA);
}

/* The receipt that the corpus has, and any other. */
static void try_receipt(struct bytes from)
{
	static const struct address contract = {{0xc0}}, payee = {{0xfa}};
	static const struct bytes32 hash = {{0x11}};
	struct receipt_of_claim receipt;
	uint8_t revert[REVERT_MOST];
	json_t *json = json_loadb((const char *)from.data, from.len, 0, NULL);

	if (receipt_parse(json, &hash, &contract, &payee, &receipt) == ERR_OK && receipt.claimed)
		insist(address_equal(&receipt.event.payee, &payee));
	insist(revert_parse(json, revert) <= sizeof(revert));
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct bytes) = {try_transaction, try_rlp,   try_text,
							try_answer,	 try_event, try_receipt};

	if (size > 0)
		readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](bytes_of(data + 1, size - 1));
	return 0;
}
