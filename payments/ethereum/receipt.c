/* Members that are not needed are not looked at; those that are must be there and of their kind. */
#include "payments/ethereum/receipt.h"

#include "payments/ethereum/quantity.h"

enum err word_from_json(const json_t *json, struct bytes32 *ret)
{
	struct bytes32 word;
	size_t len = 0;

	if (data_parse(json_string_value(json), word.b, sizeof(word.b), &len) != ERR_OK || len != sizeof(word.b))
		return ERR_FORMAT;
	*ret = word;
	return ERR_OK;
}

static bool read_number(const json_t *object, const char *name, uint64_t *ret)
{
	return quantity_parse_u64(json_string_value(json_object_get(object, name)), ret) == ERR_OK;
}

/* Whether the log is our contract's Claimed for this payee. */
static bool read_claimed(const json_t *log, const struct address *contract, const struct address *payee,
			 struct claimed *ret)
{
	const char *at = json_string_value(json_object_get(log, "address"));
	const json_t *list = json_object_get(log, "topics");
	struct bytes32 topics[CLAIMED_TOPICS] = {0};
	struct address emitter;
	uint8_t data[CLAIMED_DATA];
	size_t count = json_array_size(list), len = 0;

	if (at == NULL || address_from_text(at, &emitter) != ERR_OK || !address_equal(&emitter, contract) ||
	    count != CLAIMED_TOPICS)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (word_from_json(json_array_get(list, i), &topics[i]) != ERR_OK)
			return false;
	}
	return data_parse(json_string_value(json_object_get(log, "data")), data, sizeof(data), &len) == ERR_OK &&
	       claimed_parse(topics, count, bytes_of(data, len), ret) == ERR_OK && address_equal(&ret->payee, payee);
}

enum err receipt_parse(const json_t *json, const struct bytes32 *hash, const struct address *contract,
		       const struct address *payee, struct receipt_of_claim *ret)
{
	struct receipt_of_claim receipt = {0};
	struct bytes32 named;
	const json_t *log;
	uint64_t status;
	size_t i;

	if (word_from_json(json_object_get(json, "transactionHash"), &named) != ERR_OK ||
	    !bytes32_equal(&named, hash) || !read_number(json, "status", &status) || status > 1 ||
	    !read_number(json, "blockNumber", &receipt.block) || !read_number(json, "gasUsed", &receipt.gas) ||
	    !read_number(json, "effectiveGasPrice", &receipt.price))
		return ERR_FORMAT;
	receipt.done = status == 1;
	json_array_foreach(json_object_get(json, "logs"), i, log) {
		struct claimed event;

		if (!receipt.claimed && read_claimed(log, contract, payee, &event)) {
			receipt.claimed = true;
			receipt.event = event;
		}
	}
	*ret = receipt;
	return ERR_OK;
}

size_t revert_parse(const json_t *data, uint8_t out[REVERT_MOST])
{
	const json_t *inner = json_object_get(data, "result");
	const char *text = json_string_value(data);
	size_t len = 0;

	if (json_is_object(data))
		text = json_string_value(inner != NULL ? inner : json_object_get(data, "data"));
	return data_parse(text, out, REVERT_MOST, &len) == ERR_OK ? len : 0;
}
