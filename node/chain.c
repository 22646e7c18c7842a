/* One function a method (Ethereum's execution API); all that differs between them is what they make of the result. */
#include "node/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/ethereum/quantity.h"
#include "payments/ethereum/transaction.h"
#include "payments/u256.h"

#define TIMEOUT_MS 30000
#define CODE_MOST (2 * 1024 * 1024) /* hex digits of a contract's code that are believed; a chain allows 49,152 */
#define METHOD_NOT_FOUND (-32601)
#define PRIORITY_FALLBACK 1000000000 /* 1 gwei, where the server has no proposal */

struct chain {
	struct rpc *rpc;
	char message[CHAIN_MESSAGE];
};

enum err chain_open(const char *url, struct chain **ret, char why[RPC_MESSAGE])
{
	struct rpc *rpc = NULL;
	enum err err = rpc_open(url, TIMEOUT_MS, &rpc, why);

	if (err != ERR_OK)
		return err;
	*ret = memory_new(1, sizeof(**ret));
	(*ret)->rpc = rpc;
	return ERR_OK;
}

void chain_close(struct chain *chain)
{
	if (chain == NULL)
		return;
	rpc_close(chain->rpc);
	free(chain);
}

const char *chain_message(const struct chain *chain)
{
	return chain->message;
}

/* rpc_call, its sentence taken over. */
static enum err ask(struct chain *chain, const char *method, json_t *params, json_t **ret)
{
	enum err err = rpc_call(chain->rpc, method, params, ret);

	if (err != ERR_OK)
		snprintf(chain->message, sizeof(chain->message), "%s", rpc_message(chain->rpc));
	return err;
}

/* An answer that is not of the kind that was asked for. */
static enum err nonsense(struct chain *chain, const char *method)
{
	snprintf(chain->message, sizeof(chain->message), "%s: %s: the answer makes no sense", rpc_server(chain->rpc),
		 method);
	return ERR_PROTOCOL;
}

static json_t *json_address(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

static json_t *json_bytes(struct bytes bytes)
{
	char *text = memory_new(2 * bytes.len + 3, 1);
	json_t *json = json_string(data_print(bytes, text));

	free(text);
	return json;
}

/* Ask for a number of 64 bits. */
static enum err ask_number(struct chain *chain, const char *method, json_t *params, uint64_t *ret)
{
	json_t *result = NULL;
	enum err err = ask(chain, method, params, &result);

	if (err == ERR_OK && quantity_parse_u64(json_string_value(result), ret) != ERR_OK)
		err = nonsense(chain, method);
	json_decref(result);
	return err;
}

enum err chain_id(struct chain *chain, uint64_t *ret)
{
	return ask_number(chain, "eth_chainId", json_array(), ret);
}

enum err chain_has_code(struct chain *chain, const struct address *at, bool *ret)
{
	json_t *result = NULL;
	enum err err = ask(chain, "eth_getCode", json_pack("[o, s]", json_address(at), "latest"), &result);
	const char *text = json_string_value(result);

	if (err == ERR_OK && (text == NULL || strncmp(text, "0x", 2) != 0 || json_string_length(result) > CODE_MOST))
		err = nonsense(chain, "eth_getCode");
	else if (err == ERR_OK)
		*ret = text[2] != '\0';
	json_decref(result);
	return err;
}

enum err chain_balance(struct chain *chain, const struct address *of, uint128 *ret)
{
	json_t *result = NULL;
	enum err err = ask(chain, "eth_getBalance", json_pack("[o, s]", json_address(of), "latest"), &result);
	enum err parsed = quantity_parse_u128(json_string_value(result), ret);

	/* Test chains hand out more than 128 bits hold: enough is enough. */
	if (err == ERR_OK && parsed == ERR_OVERFLOW)
		*ret = ~(uint128)0;
	else if (err == ERR_OK && parsed != ERR_OK)
		err = nonsense(chain, "eth_getBalance");
	json_decref(result);
	return err;
}

static enum err ask_nonce(struct chain *chain, const struct address *of, const char *block, uint64_t *ret)
{
	return ask_number(chain, "eth_getTransactionCount", json_pack("[o, s]", json_address(of), block), ret);
}

enum err chain_nonces(struct chain *chain, const struct address *of, uint64_t *ret_done, uint64_t *ret_all)
{
	enum err err = ask_nonce(chain, of, "latest", ret_done);

	return err == ERR_OK ? ask_nonce(chain, of, "pending", ret_all) : err;
}

enum err chain_fees(struct chain *chain, struct chain_fees *ret)
{
	json_t *block = NULL;
	enum err err = ask(chain, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0), &block);
	const json_t *base = json_object_get(block, "baseFeePerGas");

	if (err == ERR_OK && json_is_object(block) && base == NULL) {
		snprintf(chain->message, sizeof(chain->message), "%s: that chain has no base fee (EIP-1559)",
			 rpc_server(chain->rpc));
		err = ERR_UNSUPPORTED;
	} else if (err == ERR_OK && quantity_parse_u64(json_string_value(base), &ret->base) != ERR_OK) {
		err = nonsense(chain, "eth_getBlockByNumber");
	}
	json_decref(block);
	if (err != ERR_OK)
		return err;
	err = ask_number(chain, "eth_maxPriorityFeePerGas", json_array(), &ret->priority);
	if (err == ERR_REMOTE && rpc_error_code(chain->rpc) == METHOD_NOT_FOUND) {
		ret->priority = PRIORITY_FALLBACK;
		err = ERR_OK;
	}
	return err;
}

/* The server says that the call fails: for which reason? Without data it may be anything, so it says it itself. */
static void explain_revert(struct chain *chain)
{
	char reason[DISTRIBUTOR_REASON];
	uint8_t data[REVERT_MOST];
	size_t len = revert_parse(rpc_error_data(chain->rpc), data);

	if (len > 0)
		snprintf(chain->message, sizeof(chain->message), "the contract refuses: %s",
			 distributor_reason(bytes_of(data, len), reason));
}

static json_t *pack_call(const struct address *from, const struct address *to, struct bytes data)
{
	json_t *call = json_pack("{s:o, s:o}", "to", json_address(to), "data", json_bytes(data));

	if (from != NULL)
		json_object_set_new(call, "from", json_address(from));
	return call;
}

enum err chain_call(struct chain *chain, const struct address *to, struct bytes data, struct bytes32 *ret)
{
	uint8_t returned[CHAIN_RETURNS];
	json_t *result = NULL;
	size_t len = 0;
	enum err err = ask(chain, "eth_call", json_pack("[o, s]", pack_call(NULL, to, data), "latest"), &result);

	if (err == ERR_REMOTE)
		explain_revert(chain);
	else if (err == ERR_OK && (data_parse(json_string_value(result), returned, sizeof(returned), &len) != ERR_OK ||
				   word_parse(bytes_of(returned, len), ret) != ERR_OK))
		err = nonsense(chain, "eth_call");
	json_decref(result);
	return err;
}

enum err chain_estimate(struct chain *chain, const struct address *from, const struct address *to, struct bytes data,
			uint64_t *ret)
{
	json_t *params = json_pack("[o]", pack_call(from, to, data));
	enum err err = ask_number(chain, "eth_estimateGas", params, ret);

	if (err == ERR_REMOTE)
		explain_revert(chain);
	return err;
}

enum err chain_send(struct chain *chain, struct bytes raw, const struct bytes32 *hash)
{
	struct bytes32 named;
	json_t *result = NULL;
	enum err err = ask(chain, "eth_sendRawTransaction", json_pack("[o]", json_bytes(raw)), &result);

	if (err == ERR_OK && (word_from_json(result, &named) != ERR_OK || !bytes32_equal(&named, hash)))
		err = nonsense(chain, "eth_sendRawTransaction");
	json_decref(result);
	return err;
}

enum err chain_receipt(struct chain *chain, const struct bytes32 *hash, const struct address *contract,
		       const struct address *payee, struct receipt_of_claim *ret)
{
	json_t *result = NULL, *params = json_pack("[o]", json_bytes(bytes_of(hash->b, sizeof(hash->b))));
	enum err err = ask(chain, "eth_getTransactionReceipt", params, &result);

	if (err == ERR_OK && json_is_null(result)) {
		snprintf(chain->message, sizeof(chain->message), "the transaction is in no block yet");
		err = ERR_NOT_FOUND;
	} else if (err == ERR_OK && receipt_parse(result, hash, contract, payee, ret) != ERR_OK) {
		err = nonsense(chain, "eth_getTransactionReceipt");
	}
	json_decref(result);
	return err;
}
