/* Commitments over sorted orders and over verdicts, streamed, and the arithmetic that counts nothing twice. */
#include "payments/settlement.h"

#include "common/amount.h"

const char *verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_SETTLED:
		return "settled";
	case VERDICT_CREDITED:
		return "credited";
	case VERDICT_ALREADY:
		return "already";
	case VERDICT_REJECTED:
		return "rejected";
	}
	return "unknown";
}

void commitment_init(struct commitment *c)
{
	*c = (struct commitment){.count = 0};
	keccak_init(&c->hash);
}

enum err commitment_add(struct commitment *c, const struct bytes32 *order_hash, uint64_t amount)
{
	uint64_t sum;

	if (c->count > 0 && bytes32_compare(&c->last, order_hash) >= 0)
		return ERR_FORMAT;
	if (c->count == UINT32_MAX || u64_add(c->bytes, amount, &sum) != ERR_OK)
		return ERR_OVERFLOW;
	keccak_update(&c->hash, order_hash->b, sizeof(order_hash->b));
	c->last = *order_hash;
	c->count++;
	c->bytes = sum;
	return ERR_OK;
}

void commitment_final(struct commitment *c, struct bytes32 *ret)
{
	keccak_final(&c->hash, ret);
}

enum refusal commitment_check(struct commitment *c, const struct settlement *settlement)
{
	struct bytes32 orders;

	commitment_final(c, &orders);
	if (!bytes32_equal(&orders, &settlement->orders) || c->count != settlement->count ||
	    c->bytes != settlement->bytes)
		return REFUSAL_COMMITMENT;
	return REFUSAL_NONE;
}

enum verdict settlement_decide(bool known, uint64_t counted, uint64_t amount, uint64_t *ret_added)
{
	if (!known) {
		*ret_added = amount;
		return VERDICT_SETTLED;
	}
	if (amount > counted) {
		*ret_added = amount - counted;
		return VERDICT_CREDITED;
	}
	*ret_added = 0;
	return VERDICT_ALREADY;
}

void verdicts_init(struct verdicts_hash *v)
{
	v->bytes = 0;
	keccak_init(&v->hash);
}

enum err verdicts_add(struct verdicts_hash *v, const struct bytes32 *allocation, enum verdict verdict,
		      enum refusal code, uint64_t bytes)
{
	uint8_t row[32 + 1 + 2 + 8];
	struct writer w;
	uint64_t sum;

	if (u64_add(v->bytes, bytes, &sum) != ERR_OK)
		return ERR_OVERFLOW;
	writer_init(&w, row, sizeof(row));
	write_raw(&w, allocation->b, sizeof(allocation->b));
	write_u8(&w, (uint8_t)verdict);
	write_u16(&w, (uint16_t)code);
	write_u64(&w, bytes);
	keccak_update(&v->hash, row, sizeof(row));
	v->bytes = sum;
	return ERR_OK;
}

void verdicts_final(struct verdicts_hash *v, struct bytes32 *ret)
{
	keccak_final(&v->hash, ret);
}
