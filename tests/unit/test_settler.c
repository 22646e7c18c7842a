/* What a node believes of a satellite's answer to its settlement: nothing but what is signed, whole and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/message.h"
#include "node/settler.h"

#define ORDERS 3

struct fixture {
	struct key *key;
	struct satellite satellite;
	struct claim_order orders[ORDERS];
	struct claim claim;
	struct settlement settlement;
	struct item_verdict verdicts[ORDERS];
	struct settled settled;
	uint8_t wire[MESSAGE_SIGNED_MAX];
};

/* What an honest satellite would say. */
static void answer(struct fixture *f)
{
	struct verdicts_hash hash;

	verdicts_init(&hash);
	for (int i = 0; i < ORDERS; i++)
		assert_int_equal(verdicts_add(&hash, &f->verdicts[i].allocation, (enum verdict)f->verdicts[i].verdict,
					      (enum refusal)f->verdicts[i].code, f->verdicts[i].bytes),
				 ERR_OK);
	typed_hash(&typed_settlement, &f->settlement, &f->settled.settlement);
	f->settled.bytes = hash.bytes;
	verdicts_final(&hash, &f->settled.verdicts);
}

static int set_up(void **state)
{
	const struct address no_contract = {{0}};
	struct fixture *f = calloc(1, sizeof(*f));

	f->key = key_generate();
	f->satellite.address = *key_address(f->key);
	domain_init(&f->satellite.domain, 5, &no_contract);
	for (int i = 0; i < ORDERS; i++) {
		f->orders[i] =
			(struct claim_order){.allocation = {{(uint8_t)(i + 1)}}, .amount = 100u * (unsigned)i + 1};
		f->verdicts[i] =
			(struct item_verdict){f->orders[i].allocation, VERDICT_SETTLED, 0, f->orders[i].amount};
	}
	f->verdicts[1] = (struct item_verdict){f->orders[1].allocation, VERDICT_REJECTED, REFUSAL_LATE, 0};
	f->claim = (struct claim){f->satellite.address, 7, f->orders, ORDERS};
	f->settlement = (struct settlement){.satellite = f->satellite.address, .hour = 7, .count = ORDERS};
	answer(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	key_free(f->key);
	free(f);
	return 0;
}

static enum err check_signed_by(struct fixture *f, const struct key *key)
{
	struct signature signature;
	struct writer w;

	typed_sign(&typed_settled, &f->settled, &f->satellite.domain, key, &signature);
	writer_init(&w, f->wire, sizeof(f->wire));
	typed_encode(&typed_settled, &f->settled, &signature, &w);
	return settler_check(&f->claim, &f->settlement, f->verdicts, writer_bytes(&w), &f->satellite);
}

static enum err check(struct fixture *f)
{
	return check_signed_by(f, f->key);
}

static void test_honest(void **state)
{
	assert_int_equal(check(*state), ERR_OK);
}

static void test_signature(void **state)
{
	struct fixture *f = *state;
	struct key *other = key_generate();

	assert_int_equal(check_signed_by(f, other), ERR_SIGNATURE);
	assert_int_equal(settler_check(&f->claim, &f->settlement, f->verdicts, bytes_of(f->wire, 20), &f->satellite),
			 ERR_FORMAT);
	key_free(other);
}

/* Signed, but not over this claim or these verdicts. */
static void test_other_things_signed(void **state)
{
	struct fixture *f = *state;

	f->settled.bytes++;
	assert_int_equal(check(f), ERR_PROTOCOL);
	f->settled.bytes--;
	f->settled.settlement.b[0] ^= 1;
	assert_int_equal(check(f), ERR_PROTOCOL);
	f->settled.settlement.b[0] ^= 1;
	f->verdicts[1].code = REFUSAL_SIGNATURE;
	assert_int_equal(check(f), ERR_PROTOCOL);
	answer(f);
	assert_int_equal(check(f), ERR_OK);
}

static void test_verdicts_that_make_no_sense(void **state)
{
	struct fixture *f = *state;

	f->verdicts[0].bytes = f->orders[0].amount - 1; /* accepted, but counted for less */
	answer(f);
	assert_int_equal(check(f), ERR_PROTOCOL);
	f->verdicts[0].bytes = f->orders[0].amount;
	f->verdicts[2].allocation = f->orders[0].allocation;
	answer(f);
	assert_int_equal(check(f), ERR_PROTOCOL);
	f->verdicts[2].allocation = f->orders[2].allocation;
	f->verdicts[2].verdict = 9;
	answer(f);
	assert_int_equal(check(f), ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_honest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signature, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_things_signed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verdicts_that_make_no_sense, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
