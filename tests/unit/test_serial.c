/* Serials: their hour, replay, the budget of a party, and buckets that close for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/rules.h"
#include "payments/serial.h"

#define HOUR 3600

static struct allocation allocation_of(uint8_t client, uint64_t hour, uint8_t number)
{
	uint8_t random[28] = {number};
	struct allocation allocation = {
		.satellite = {{1}}, .client = {{client}}, .issued = hour * HOUR, .expires = hour * HOUR + 10};

	serial_make(allocation.expires, random, &allocation.serial);
	return allocation;
}

static enum refusal use(struct serials *set, const struct allocation *allocation)
{
	struct bytes32 hash;

	typed_hash(&typed_allocation, allocation, &hash);
	return serials_use(set, allocation, &hash);
}

static void test_hour(void **state)
{
	uint8_t random[28];
	struct bytes32 serial;

	(void)state;
	memset(random, 0x5a, sizeof(random));
	serial_make(0x01020304ull * HOUR + HOUR - 1, random, &serial);
	assert_memory_equal(serial.b, "\x01\x02\x03\x04\x5a", 5);
	assert_int_equal(serial.b[31], 0x5a);
	assert_int_equal(serial_hour(&serial), 0x01020304);
	serial_make(0x01020305ull * HOUR, random, &serial);
	assert_int_equal(serial_hour(&serial), 0x01020305);
	serial_make((uint64_t)UINT32_MAX * HOUR + HOUR - 1, random, &serial);
	assert_int_equal(serial_hour(&serial), UINT32_MAX);
}

static void test_replay(void **state)
{
	struct serials *set = serials_new(100);
	struct allocation a = allocation_of(1, 500, 1), b = allocation_of(1, 500, 2), later = allocation_of(1, 501, 1);

	(void)state;
	assert_int_equal(use(set, &a), REFUSAL_NONE);
	assert_int_equal(use(set, &a), REFUSAL_REPLAY);
	assert_int_equal(use(set, &b), REFUSAL_NONE);
	assert_int_equal(use(set, &later), REFUSAL_NONE);
	assert_int_equal(use(set, &a), REFUSAL_REPLAY);
	assert_int_equal(use(set, &later), REFUSAL_REPLAY);
	assert_int_equal(serials_count(set), 3);
	serials_free(set);
}

/* The budget is one satellite's client's; what it holds back is not remembered as used. */
static void test_budget(void **state)
{
	struct serials *set = serials_new(2);
	struct allocation a = allocation_of(1, 500, 1), b = allocation_of(1, 501, 2), c = allocation_of(1, 500, 3);
	struct allocation other_client = allocation_of(2, 500, 4), other_satellite = allocation_of(1, 500, 5);

	(void)state;
	other_satellite.satellite.b[0] = 9;
	assert_int_equal(use(set, &a), REFUSAL_NONE);
	assert_int_equal(use(set, &b), REFUSAL_NONE);
	assert_int_equal(use(set, &c), REFUSAL_SERIAL_BUDGET);
	assert_int_equal(use(set, &a), REFUSAL_REPLAY);
	assert_int_equal(use(set, &other_client), REFUSAL_NONE);
	assert_int_equal(use(set, &other_satellite), REFUSAL_NONE);
	assert_int_equal(serials_count(set), 4);
	serials_expire(set, 501 * HOUR + RULES_SKEW + 1); /* a goes, so there is room again in hour 501 */
	c = allocation_of(1, 501, 3);
	assert_int_equal(use(set, &c), REFUSAL_NONE);
	serials_free(set);
}

static void test_no_budget(void **state)
{
	struct serials *set = serials_new(0);
	struct allocation a = allocation_of(1, 500, 1);

	(void)state;
	assert_int_equal(use(set, &a), REFUSAL_SERIAL_BUDGET);
	assert_int_equal(serials_count(set), 0);
	serials_free(set);
}

/* A bucket stays for its hour and the skew to the second, then goes. */
static void test_expire(void **state)
{
	struct serials *set = serials_new(100);
	struct allocation a = allocation_of(1, 500, 1), b = allocation_of(1, 501, 1);

	(void)state;
	assert_int_equal(use(set, &a), REFUSAL_NONE);
	assert_int_equal(use(set, &b), REFUSAL_NONE);
	serials_expire(set, 0);
	serials_expire(set, 501 * HOUR + RULES_SKEW);
	assert_int_equal(serials_count(set), 2);
	assert_int_equal(use(set, &a), REFUSAL_REPLAY);
	serials_expire(set, 501 * HOUR + RULES_SKEW + 1);
	assert_int_equal(serials_count(set), 1);
	assert_int_equal(use(set, &b), REFUSAL_REPLAY);
	serials_expire(set, UINT64_MAX);
	assert_int_equal(serials_count(set), 0);
	serials_free(set);
}

/* The clock goes back after a bucket was dropped: its hour stays closed, later ones are open. */
static void test_clock_back(void **state)
{
	struct serials *set = serials_new(100);
	struct allocation a = allocation_of(1, 500, 1), earlier = allocation_of(1, 499, 1);
	struct allocation later = allocation_of(1, 501, 1);

	(void)state;
	assert_int_equal(use(set, &a), REFUSAL_NONE);
	serials_expire(set, 501 * HOUR + RULES_SKEW + 1);
	assert_int_equal(use(set, &a), REFUSAL_EXPIRED);
	assert_int_equal(use(set, &earlier), REFUSAL_EXPIRED);
	assert_int_equal(use(set, &later), REFUSAL_NONE);
	serials_free(set);
}

/* What the set should hold, kept the plain way. */
struct model {
	bool taken[20][256]; /* ever, by hour and number */
	size_t kept[20];     /* by hour; 0 once dropped */
	uint64_t closed;     /* hours before it were dropped with something in them */
};

static size_t model_count(const struct model *m)
{
	size_t sum = 0;

	for (size_t hour = 0; hour < 20; hour++)
		sum += m->kept[hour];
	return sum;
}

static void model_expire(struct model *m, uint64_t now)
{
	for (uint64_t hour = 0; hour < 20; hour++) {
		if ((hour + 1) * HOUR + RULES_SKEW < now && m->kept[hour] > 0) {
			m->kept[hour] = 0;
			m->closed = hour + 1;
		}
	}
}

static enum refusal model_use(struct model *m, uint64_t hour, uint64_t number, size_t budget)
{
	if (hour < m->closed)
		return REFUSAL_EXPIRED;
	if (m->taken[hour][number])
		return REFUSAL_REPLAY;
	if (model_count(m) >= budget)
		return REFUSAL_SERIAL_BUDGET;
	m->taken[hour][number] = true;
	m->kept[hour]++;
	return REFUSAL_NONE;
}

/* A random stream of uses while the hours pass: the set answers as the model does. */
static void test_random(void **state)
{
	struct random_stream stream;
	struct serials *set = serials_new(1000);
	struct model model = {.closed = 0};

	(void)state;
	random_stream_init(&stream, bytes_of_text("serials"));
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t hour = random_stream_below(&stream, 20), number = random_stream_below(&stream, 256);
		struct allocation a = allocation_of(1, hour, (uint8_t)number);

		assert_int_equal(use(set, &a), model_use(&model, hour, number, 1000));
		if (i % 1000 == 999) {
			serials_expire(set, i / 1000 * HOUR + RULES_SKEW + 1);
			model_expire(&model, i / 1000 * HOUR + RULES_SKEW + 1);
		}
		assert_int_equal(serials_count(set), model_count(&model));
	}
	serials_free(set);
	serials_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hour),	  cmocka_unit_test(test_replay), cmocka_unit_test(test_budget),
		cmocka_unit_test(test_no_budget), cmocka_unit_test(test_expire), cmocka_unit_test(test_clock_back),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
