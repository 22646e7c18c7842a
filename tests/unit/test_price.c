/* Prices: which one holds, what is paid of offer and ask, and what may not be taken up; payees of months. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payments/price.h"

#define DAY 86400ull

static struct domain domain;

static int set_up(void **state)
{
	struct address contract = {{0}};

	domain_init(&domain, 31337, &contract);
	*state = key_generate();
	return 0;
}

static int tear_down(void **state)
{
	key_free(*state);
	return 0;
}

static struct prices prices_at(uint64_t storage, uint64_t egress, uint64_t audit, uint64_t repair)
{
	return (struct prices){amount_of(storage), amount_of(egress), amount_of(audit), amount_of(repair)};
}

static void expect_prices(const struct prices *p, uint64_t storage, uint64_t egress, uint64_t audit, uint64_t repair)
{
	assert_int_equal(amount_units(p->storage), storage);
	assert_int_equal(amount_units(p->egress), egress);
	assert_int_equal(amount_units(p->audit), audit);
	assert_int_equal(amount_units(p->repair), repair);
}

static enum refusal checked(const struct key *key, uint64_t from, uint64_t until)
{
	struct prices prices = prices_at(1, 2, 3, 4);
	struct price price = price_make(key_address(key), &prices, from, until);
	struct signature signature;

	typed_sign(&typed_price, &price, &domain, key, &signature);
	return price_check(&price, &signature, &domain);
}

static void test_check(void **state)
{
	const struct key *key = *state;

	assert_int_equal(checked(key, 0, DAY), REFUSAL_NONE);
	assert_int_equal(checked(key, 20000 * DAY, 20001 * DAY), REFUSAL_NONE);
	assert_int_equal(checked(key, DAY, DAY), REFUSAL_PRICE);
	assert_int_equal(checked(key, 2 * DAY, DAY), REFUSAL_PRICE);
	assert_int_equal(checked(key, 1, DAY), REFUSAL_PRICE);
	assert_int_equal(checked(key, 0, DAY - 1), REFUSAL_PRICE);
	assert_int_equal(checked(key, 3600, DAY), REFUSAL_PRICE);
}

static void test_signed_by_its_party(void **state)
{
	struct prices prices = prices_at(1, 2, 3, 4);
	struct price price = price_make(key_address(*state), &prices, 0, DAY);
	struct key *other = key_generate();
	struct signature signature;

	typed_sign(&typed_price, &price, &domain, other, &signature);
	assert_int_equal(price_check(&price, &signature, &domain), REFUSAL_SIGNATURE);
	typed_sign(&typed_price, &price, &domain, *state, &signature);
	price.storage++;
	assert_int_equal(price_check(&price, &signature, &domain), REFUSAL_SIGNATURE);
	key_free(other);
}

/* Nothing is priced anew on a day that has begun, but by who had no price yet. */
static void test_check_new(void **state)
{
	struct price price = {.from = 100 * DAY, .until = 200 * DAY};

	(void)state;
	assert_int_equal(price_check_new(&price, true, 100 * DAY - 1), REFUSAL_NONE);
	assert_int_equal(price_check_new(&price, true, 100 * DAY), REFUSAL_PRICE);
	assert_int_equal(price_check_new(&price, false, 100 * DAY), REFUSAL_NONE);
	assert_int_equal(price_check_new(&price, false, 101 * DAY - 1), REFUSAL_NONE);
	assert_int_equal(price_check_new(&price, false, 101 * DAY), REFUSAL_PRICE);
}

static void test_table(void **state)
{
	struct prices prices = prices_at(11, 12, 13, UINT64_MAX), back;
	struct price price = price_make(key_address(*state), &prices, 5, 6);

	assert_true(address_equal(&price.party, key_address(*state)));
	assert_true(price.from == 5 && price.until == 6);
	back = price_table(&price);
	expect_prices(&back, 11, 12, 13, UINT64_MAX);
}

static void test_at(void **state)
{
	static const struct price list[] = {
		{.from = 0, .until = 100, .storage = 1},   {.from = 10, .until = 20, .storage = 2},
		{.from = 10, .until = 50, .storage = 3},   {.from = 15, .until = 17, .storage = 4},
		{.from = 200, .until = 300, .storage = 5},
	};
	static const struct {
		uint64_t at, storage;
	} cases[] = {{0, 1}, {9, 1}, {10, 2}, {14, 2}, {15, 4}, {16, 4}, {200, 5}, {299, 5}};
	static const uint64_t none[] = {17, 19, 20, 49, 50, 100, 199, 300}; /* what is over, and what came before it */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct price *price = price_at(list, 5, cases[i].at);

		assert_non_null(price);
		assert_int_equal(price->storage, cases[i].storage);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(price_at(list, 5, none[i]));
	assert_null(price_at(list, 0, 0));
	assert_null(price_at(NULL, 0, 0));
}

static void test_paid(void **state)
{
	struct prices offer = prices_at(10, 20, 30, 40), ask = prices_at(9, 21, 30, 0), paid;

	(void)state;
	paid = prices_paid(&offer, &ask);
	expect_prices(&paid, 9, 20, 30, 0);
	paid = prices_paid(&ask, &offer);
	expect_prices(&paid, 9, 20, 30, 0);
	paid = prices_paid(&offer, NULL);
	expect_prices(&paid, 10, 20, 30, 40);
}

static void test_surge(void **state)
{
	struct prices prices = prices_at(3, 200, 0, UINT64_MAX / 10), surged;

	(void)state;
	assert_int_equal(prices_surge(&prices, 150, &surged), ERR_OK);
	expect_prices(&surged, 4, 300, 0, UINT64_MAX / 10 * 3 / 2);
	assert_int_equal(prices_surge(&prices, 100, &surged), ERR_OK);
	expect_prices(&surged, 3, 200, 0, UINT64_MAX / 10);
	assert_int_equal(prices_surge(&prices, 0, &surged), ERR_OK);
	expect_prices(&surged, 0, 0, 0, 0);
	assert_int_equal(prices_surge(&prices, 1001, &surged), ERR_RANGE);
	prices.audit = amount_of(UINT64_MAX);
	assert_int_equal(prices_surge(&prices, 101, &surged), ERR_OVERFLOW);
	expect_prices(&surged, 0, 0, 0, 0);
	assert_int_equal(prices_surge(&prices, 100, &surged), ERR_OK);
}

static void test_charges(void **state)
{
	struct prices pays = prices_at(10, 20, 1000, 1000);
	struct charges charges = {amount_of(10), amount_of(20)};
	const char *name = NULL;

	(void)state;
	assert_int_equal(prices_check_charges(&pays, &charges, &name), ERR_OK);
	assert_null(name);
	charges.egress = amount_of(19);
	assert_int_equal(prices_check_charges(&pays, &charges, &name), ERR_RANGE);
	assert_string_equal(name, "egress");
	charges.storage = amount_of(9);
	assert_int_equal(prices_check_charges(&pays, &charges, &name), ERR_RANGE);
	assert_string_equal(name, "storage");
}

/* A client's month: rounded down by line, and the most that fits instead of a sum that does not. */
static void test_charged(void **state)
{
	const struct charges charges = {amount_of(400000000), amount_of(700000000)};
	const struct charges dear = {amount_of(UINT64_MAX), amount_of(UINT64_MAX)};
	const uint64_t january = 1767225600, days = 31;
	const uint128 month = (uint128)1000000000000 * days * 86400;
	struct charged charged = charges_of(&charges, byte_seconds_from(month), 1000000000000, january);

	(void)state;
	assert_int_equal(amount_units(charged.storage), 400000000);
	assert_int_equal(amount_units(charged.egress), 700000000);
	assert_int_equal(amount_units(charged.total), 1100000000);
	charged = charges_of(&charges, byte_seconds_from(month - 1), 999999999999, january);
	assert_int_equal(amount_units(charged.total), 399999999 + 699999999);
	charged = charges_of(&dear, byte_seconds_from(month), 1000000000001, january);
	assert_true(amount_units(charged.storage) == UINT64_MAX);
	assert_true(amount_units(charged.egress) == UINT64_MAX);
	assert_true(amount_units(charged.total) == UINT64_MAX);
}

static void test_payee_check(void **state)
{
	struct payee payee = {.node = *key_address(*state), .payee = {{1}}, .from = 5};
	struct key *other = key_generate();
	struct signature signature;

	typed_sign(&typed_payee, &payee, &domain, *state, &signature);
	assert_int_equal(payee_check(&payee, &signature, &domain, key_address(*state)), REFUSAL_NONE);
	assert_int_equal(payee_check(&payee, &signature, &domain, key_address(other)), REFUSAL_NODE);
	typed_sign(&typed_payee, &payee, &domain, other, &signature);
	assert_int_equal(payee_check(&payee, &signature, &domain, key_address(*state)), REFUSAL_SIGNATURE);
	key_free(other);
}

static void test_payee_of_month(void **state)
{
	static const struct payee list[] = {
		{.payee = {{1}}, .from = 10},
		{.payee = {{2}}, .from = 30},
		{.payee = {{3}}, .from = 30},
		{.payee = {{4}}, .from = 20},
	};
	static const struct address node = {{9}};

	(void)state;
	assert_int_equal(payee_of_month(list, 4, &node, 100)->b[0], 3);
	assert_int_equal(payee_of_month(list, 4, &node, 31)->b[0], 3);
	assert_int_equal(payee_of_month(list, 4, &node, 30)->b[0], 4);
	assert_int_equal(payee_of_month(list, 4, &node, 11)->b[0], 1);
	assert_ptr_equal(payee_of_month(list, 4, &node, 10), &node);
	assert_ptr_equal(payee_of_month(NULL, 0, &node, 10), &node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_signed_by_its_party),
		cmocka_unit_test(test_check_new),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_at),
		cmocka_unit_test(test_paid),
		cmocka_unit_test(test_surge),
		cmocka_unit_test(test_charges),
		cmocka_unit_test(test_charged),
		cmocka_unit_test(test_payee_check),
		cmocka_unit_test(test_payee_of_month),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
