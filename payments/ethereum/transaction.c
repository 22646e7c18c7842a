/*
 * raw = 0x02 ‖ rlp([chain id, nonce, priority fee, max fee, gas, to, value, data, access list, y parity, r, s]); the
 * digest is that of the first nine alone (EIP-1559). r and s are integers: leading zeros are left out.
 */
#include "payments/ethereum/transaction.h"

#include <string.h>

#include "common/keccak.h"
#include "payments/ethereum/rlp.h"

#define TYPE_FEE_MARKET 2
#define WORD 32

static void write_fields(struct writer *w, const struct transaction *t)
{
	rlp_write_u64(w, t->chain_id);
	rlp_write_u64(w, t->nonce);
	rlp_write_u64(w, t->priority_fee);
	rlp_write_u64(w, t->max_fee);
	rlp_write_u64(w, t->gas);
	rlp_write_bytes(w, bytes_of(t->to.b, sizeof(t->to.b)));
	rlp_write_u128(w, t->value);
	rlp_write_bytes(w, t->data);
	rlp_write_list(w, bytes_of(NULL, 0));
}

/* The type, and the list of `fields`. */
static void write_typed(struct writer *w, const struct writer *fields)
{
	write_u8(w, TYPE_FEE_MARKET);
	rlp_write_list(w, writer_bytes(fields));
}

static void hash_of(struct bytes bytes, struct bytes32 *ret)
{
	keccak_once(bytes.data, bytes.len, ret);
}

enum err transaction_digest(const struct transaction *transaction, struct bytes32 *ret)
{
	uint8_t inner[TRANSACTION_BYTES], outer[TRANSACTION_BYTES];
	struct writer fields, w;

	if (transaction->data.len > TRANSACTION_DATA)
		return ERR_LIMIT;
	writer_init(&fields, inner, sizeof(inner));
	writer_init(&w, outer, sizeof(outer));
	write_fields(&fields, transaction);
	write_typed(&w, &fields);
	hash_of(writer_bytes(&w), ret);
	return ERR_OK;
}

static void write_scalar(struct writer *w, const uint8_t scalar[WORD])
{
	size_t zeros = 0;

	while (zeros < WORD && scalar[zeros] == 0)
		zeros++;
	rlp_write_bytes(w, bytes_of(scalar + zeros, WORD - zeros));
}

enum err transaction_sign(const struct transaction *transaction, const struct key *key, struct writer *w,
			  struct bytes32 *ret_hash)
{
	uint8_t inner[TRANSACTION_BYTES];
	struct signature signature;
	struct bytes32 digest;
	struct writer fields;
	size_t start = w->len;
	enum err err = transaction_digest(transaction, &digest);

	if (err != ERR_OK)
		return err;
	key_sign(key, &digest, &signature);
	writer_init(&fields, inner, sizeof(inner));
	write_fields(&fields, transaction);
	rlp_write_u64(&fields, signature.b[2 * WORD] - 27u);
	write_scalar(&fields, signature.b);
	write_scalar(&fields, signature.b + WORD);
	write_typed(w, &fields);
	if (w->err != ERR_OK)
		return w->err;
	hash_of(bytes_of(w->start + start, w->len - start), ret_hash);
	return ERR_OK;
}

static void read_scalar(struct reader *r, uint8_t scalar[WORD])
{
	struct bytes string = rlp_read_bytes(r);

	memset(scalar, 0, WORD);
	if (string.len > WORD || (string.len > 0 && string.data[0] == 0))
		reader_fail(r, ERR_FORMAT);
	else if (string.len > 0)
		memcpy(scalar + WORD - string.len, string.data, string.len);
}

static void read_fields(struct reader *r, struct transaction *t)
{
	struct bytes to;

	t->chain_id = rlp_read_u64(r);
	t->nonce = rlp_read_u64(r);
	t->priority_fee = rlp_read_u64(r);
	t->max_fee = rlp_read_u64(r);
	t->gas = rlp_read_u64(r);
	to = rlp_read_bytes(r);
	if (to.len == sizeof(t->to.b))
		memcpy(t->to.b, to.data, to.len);
	else
		reader_fail(r, to.len == 0 ? ERR_UNSUPPORTED : ERR_FORMAT);
	t->value = rlp_read_u128(r);
	t->data = rlp_read_bytes(r);
	if (t->data.len > TRANSACTION_DATA)
		reader_fail(r, ERR_LIMIT);
	if (rlp_read_list(r).len > 0)
		reader_fail(r, ERR_UNSUPPORTED);
}

static void read_signature(struct reader *r, struct signature *signature)
{
	uint64_t parity = rlp_read_u64(r);

	if (parity > 1)
		reader_fail(r, ERR_SIGNATURE);
	signature->b[2 * WORD] = (uint8_t)(27 + (parity & 1));
	read_scalar(r, signature->b);
	read_scalar(r, signature->b + WORD);
}

enum err transaction_decode(struct bytes raw, struct transaction *ret, struct address *ret_signer)
{
	struct transaction t = {0};
	struct signature signature = {0};
	struct bytes32 digest;
	struct address signer;
	struct reader outer, r;
	enum err err;

	reader_init(&outer, raw);
	if (read_u8(&outer) != TYPE_FEE_MARKET)
		reader_fail(&outer, ERR_UNSUPPORTED);
	reader_init(&r, rlp_read_list(&outer));
	err = reader_end(&outer);
	if (err != ERR_OK)
		return err;
	read_fields(&r, &t);
	read_signature(&r, &signature);
	err = reader_end(&r);
	if (err == ERR_OK)
		err = transaction_digest(&t, &digest);
	if (err == ERR_OK)
		err = key_recover(&digest, &signature, &signer);
	if (err != ERR_OK)
		return err;
	*ret = t;
	*ret_signer = signer;
	return ERR_OK;
}

enum err transaction_cost(const struct transaction *transaction, uint128 *ret)
{
	/* The product of two 64-bit numbers fits. */
	uint128 gas = (uint128)transaction->gas * transaction->max_fee, sum = gas + transaction->value;

	if (sum < gas)
		return ERR_OVERFLOW;
	*ret = sum;
	return ERR_OK;
}
