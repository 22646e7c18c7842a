/* Settlements: the commitment, the verdicts, and that money is counted once whatever the node sends and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "common/random.h"
#include "payments/settlement.h"

static struct bytes32 hash_of(uint8_t first)
{
	return (struct bytes32){{first, [31] = 1}};
}

static void test_commitment(void **state)
{
	struct bytes32 a = hash_of(1), b = hash_of(2), both[2] = {a, b}, want, got;
	struct settlement settlement = {.count = 2, .bytes = 300};
	struct commitment c;

	(void)state;
	keccak_once(both, sizeof(both), &want);
	commitment_init(&c);
	assert_int_equal(commitment_add(&c, &a, 100), ERR_OK);
	assert_int_equal(commitment_add(&c, &b, 200), ERR_OK);
	assert_int_equal(c.count, 2);
	assert_int_equal(c.bytes, 300);
	commitment_final(&c, &got);
	assert_true(bytes32_equal(&got, &want));

	settlement.orders = want;
	commitment_init(&c);
	assert_int_equal(commitment_add(&c, &a, 200), ERR_OK);
	assert_int_equal(commitment_add(&c, &b, 100), ERR_OK);
	assert_int_equal(commitment_check(&c, &settlement), REFUSAL_NONE);
}

static void test_no_orders(void **state)
{
	struct settlement settlement = {.count = 0};
	struct commitment c;

	(void)state;
	assert_int_equal(
		hex_decode("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", settlement.orders.b, 32),
		ERR_OK); /* keccak256 of nothing */
	commitment_init(&c);
	assert_int_equal(commitment_check(&c, &settlement), REFUSAL_NONE);
}

static enum refusal check(const struct settlement *settlement)
{
	struct bytes32 a = hash_of(1), b = hash_of(2);
	struct commitment c;

	commitment_init(&c);
	assert_int_equal(commitment_add(&c, &a, 100), ERR_OK);
	assert_int_equal(commitment_add(&c, &b, 200), ERR_OK);
	return commitment_check(&c, settlement);
}

static void test_commitment_differs(void **state)
{
	struct bytes32 both[2] = {hash_of(1), hash_of(2)};
	struct settlement settlement = {.count = 2, .bytes = 300};

	(void)state;
	keccak_once(both, sizeof(both), &settlement.orders);
	assert_int_equal(check(&settlement), REFUSAL_NONE);
	settlement.count = 3;
	assert_int_equal(check(&settlement), REFUSAL_COMMITMENT);
	settlement.count = 2;
	settlement.bytes = 301;
	assert_int_equal(check(&settlement), REFUSAL_COMMITMENT);
	settlement.bytes = 300;
	settlement.orders.b[31] ^= 1;
	assert_int_equal(check(&settlement), REFUSAL_COMMITMENT);
}

/* What is refused adds nothing: the commitment goes on as if it had not been tried. */
static void test_commitment_order(void **state)
{
	struct bytes32 a = hash_of(1), b = hash_of(2), both[2] = {a, b}, want, got;
	struct commitment c;

	(void)state;
	commitment_init(&c);
	assert_int_equal(commitment_add(&c, &a, 1), ERR_OK);
	assert_int_equal(commitment_add(&c, &a, 1), ERR_FORMAT);
	assert_int_equal(commitment_add(&c, &b, UINT64_MAX), ERR_OVERFLOW);
	assert_int_equal(commitment_add(&c, &b, UINT64_MAX - 1), ERR_OK);
	assert_int_equal(commitment_add(&c, &a, 1), ERR_FORMAT);
	assert_int_equal(c.count, 2);
	assert_true(c.bytes == UINT64_MAX);
	keccak_once(both, sizeof(both), &want);
	commitment_final(&c, &got);
	assert_true(bytes32_equal(&got, &want));
}

static void test_commitment_count(void **state)
{
	struct bytes32 a = hash_of(1);
	struct commitment c;

	(void)state;
	commitment_init(&c);
	c.count = UINT32_MAX;
	assert_int_equal(commitment_add(&c, &a, 1), ERR_OVERFLOW);
}

static void test_verdicts(void **state)
{
	struct bytes32 a = hash_of(1), b = hash_of(2), want, got;
	struct verdicts_hash v;
	uint8_t rows[2 * 43] = {0};

	(void)state;
	memcpy(rows, a.b, 32);
	rows[32] = 2;
	rows[42] = 100;
	memcpy(rows + 43, b.b, 32);
	rows[43 + 32] = 4;
	rows[43 + 34] = 70;
	keccak_once(rows, sizeof(rows), &want);
	verdicts_init(&v);
	assert_int_equal(verdicts_add(&v, &a, VERDICT_CREDITED, REFUSAL_NONE, 100), ERR_OK);
	assert_int_equal(verdicts_add(&v, &b, VERDICT_ALREADY, REFUSAL_NONE, UINT64_MAX), ERR_OVERFLOW);
	assert_int_equal(verdicts_add(&v, &b, VERDICT_REJECTED, REFUSAL_LATE, 0), ERR_OK);
	assert_int_equal(v.bytes, 100);
	verdicts_final(&v, &got);
	assert_true(bytes32_equal(&got, &want));
}

static void test_decide(void **state)
{
	uint64_t added = 1;

	(void)state;
	assert_int_equal(settlement_decide(false, 0, 0, &added), VERDICT_SETTLED);
	assert_int_equal(added, 0);
	assert_int_equal(settlement_decide(false, 0, UINT64_MAX, &added), VERDICT_SETTLED);
	assert_true(added == UINT64_MAX);
	assert_int_equal(settlement_decide(true, 100, 101, &added), VERDICT_CREDITED);
	assert_int_equal(added, 1);
	assert_int_equal(settlement_decide(true, 100, 100, &added), VERDICT_ALREADY);
	assert_int_equal(added, 0);
	assert_int_equal(settlement_decide(true, 100, 99, &added), VERDICT_ALREADY);
	assert_int_equal(added, 0);
	assert_int_equal(settlement_decide(true, 0, UINT64_MAX, &added), VERDICT_CREDITED);
	assert_true(added == UINT64_MAX);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(verdict_name(VERDICT_SETTLED), "settled");
	assert_string_equal(verdict_name(VERDICT_CREDITED), "credited");
	assert_string_equal(verdict_name(VERDICT_ALREADY), "already");
	assert_string_equal(verdict_name(VERDICT_REJECTED), "rejected");
	assert_string_equal(verdict_name((enum verdict)9), "unknown");
}

#define ALLOCATIONS 16

/* Orders of random allocations, with random repetitions, in random order and cut into any number of settlements: the
 * total is the sum of each allocation's highest order. */
static void test_total_is_of_the_highest(void **state)
{
	struct random_stream stream;

	(void)state;
	random_stream_init(&stream, bytes_of_text("settlements"));
	for (int round = 0; round < 500; round++) {
		bool known[ALLOCATIONS] = {false};
		uint64_t counted[ALLOCATIONS] = {0}, highest[ALLOCATIONS] = {0}, total = 0, want = 0;
		uint64_t orders = random_stream_below(&stream, 100);

		for (uint64_t i = 0; i < orders; i++) {
			uint64_t which = random_stream_below(&stream, ALLOCATIONS), added;
			uint64_t amount = random_stream_below(&stream, 1 << 20);
			enum verdict verdict = settlement_decide(known[which], counted[which], amount, &added);

			assert_int_equal(verdict == VERDICT_SETTLED, !known[which]);
			known[which] = true;
			counted[which] += added;
			total += added;
			if (amount > highest[which])
				highest[which] = amount;
		}
		for (size_t i = 0; i < ALLOCATIONS; i++)
			want += highest[i];
		assert_true(total == want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commitment),
		cmocka_unit_test(test_no_orders),
		cmocka_unit_test(test_commitment_differs),
		cmocka_unit_test(test_commitment_order),
		cmocka_unit_test(test_commitment_count),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_total_is_of_the_highest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
