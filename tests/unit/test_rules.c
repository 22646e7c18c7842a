/* The rules: every refusal by its own code, each limit at it and one beyond, and that credit bounds what is at risk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/rules.h"
#include "payments/serial.h"

#define HOUR 3600
#define NOW (500000ull * HOUR + 600)

/* A transfer that breaks no rule; each test spoils one thing and signs anew. */
struct fixture {
	struct key *satellite;
	struct key *client;
	struct key *node;
	struct key *stranger;
	struct domain domain;
	struct allocation allocation;
	struct bytes32 hash;
	struct bytes32 root;
	struct signature signature; /* of the allocation */
	struct transfer_facts facts;
	struct settlement_facts settlement;
};

static struct key *key_numbered(uint8_t number)
{
	uint8_t secret[32] = {[31] = number};
	struct key *key = NULL;

	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	return key;
}

static void sign_allocation(struct fixture *f)
{
	typed_hash(&typed_allocation, &f->allocation, &f->hash);
	typed_sign(&typed_allocation, &f->allocation, &f->domain, f->satellite, &f->signature);
}

static void set_times(struct fixture *f, uint64_t issued, uint64_t expires)
{
	static const uint8_t random[28] = {1, 2, 3};

	f->allocation.issued = issued;
	f->allocation.expires = expires;
	serial_make(expires, random, &f->allocation.serial);
	sign_allocation(f);
}

static int setup(void **state)
{
	static const struct address contract = {{0}};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->satellite = key_numbered(1);
	f->client = key_numbered(2);
	f->node = key_numbered(3);
	f->stranger = key_numbered(4);
	domain_init(&f->domain, 31337, &contract);
	f->allocation = (struct allocation){
		.satellite = *key_address(f->satellite),
		.client = *key_address(f->client),
		.node = *key_address(f->node),
		.piece = {{0x11}},
		.action = ACTION_PUT,
		.limit = 100000,
	};
	f->root.b[0] = 0x22;
	set_times(f, NOW, NOW + HOUR);
	f->facts = (struct transfer_facts){
		.domain = &f->domain,
		.satellite = key_address(f->satellite),
		.node = key_address(f->node),
		.peer = key_address(f->client),
		.piece = &f->allocation.piece,
		.put = true,
		.now = NOW,
	};
	f->settlement = (struct settlement_facts){
		.domain = &f->domain,
		.satellite = key_address(f->satellite),
		.node = key_address(f->node),
		.hour = (NOW + HOUR) / HOUR,
		.now = NOW,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	key_free(f->satellite);
	key_free(f->client);
	key_free(f->node);
	key_free(f->stranger);
	free(f);
	return 0;
}

/* s' = n - s with the other v: the malleable twin of a signature. */
static void make_high(struct signature *signature)
{
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	};
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int digit = order[i] - signature->b[32 + i] - borrow;

		borrow = digit < 0;
		signature->b[32 + i] = (uint8_t)digit;
	}
	signature->b[64] ^= 27 ^ 28;
}

static enum refusal check_allocation(struct fixture *f)
{
	return rules_check_allocation(&f->allocation, &f->signature, &f->facts);
}

static void test_allocation_good(void **state)
{
	assert_int_equal(check_allocation(*state), REFUSAL_NONE);
}

static void test_satellite(void **state)
{
	struct fixture *f = *state;

	f->facts.satellite = NULL;
	assert_int_equal(check_allocation(f), REFUSAL_SATELLITE);
	f->facts.satellite = key_address(f->stranger);
	assert_int_equal(check_allocation(f), REFUSAL_SATELLITE);
}

static void test_node(void **state)
{
	struct fixture *f = *state;

	f->facts.node = key_address(f->stranger);
	assert_int_equal(check_allocation(f), REFUSAL_NODE);
}

static void test_client(void **state)
{
	struct fixture *f = *state;

	f->facts.peer = key_address(f->stranger);
	assert_int_equal(check_allocation(f), REFUSAL_CLIENT);
}

static void test_action(void **state)
{
	static const struct {
		uint8_t action;
		bool put, get;
	} rows[] = {
		{0, false, false},
		{ACTION_PUT, true, false},
		{ACTION_GET, false, true},
		{ACTION_GET_AUDIT, false, true},
		{ACTION_GET_REPAIR, false, true},
		{ACTION_PUT_REPAIR, true, false},
		{6, false, false},
		{255, false, false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->allocation.action = rows[i].action;
		sign_allocation(f);
		f->facts.put = true;
		assert_int_equal(check_allocation(f), rows[i].put ? REFUSAL_NONE : REFUSAL_ACTION);
		f->facts.put = false;
		assert_int_equal(check_allocation(f), rows[i].get ? REFUSAL_NONE : REFUSAL_ACTION);
	}
}

static void test_piece(void **state)
{
	struct fixture *f = *state;
	struct bytes32 other = f->allocation.piece;

	other.b[31] ^= 1;
	f->facts.piece = &other;
	assert_int_equal(check_allocation(f), REFUSAL_PIECE);
}

static void test_lifetime(void **state)
{
	struct fixture *f = *state;

	set_times(f, NOW, NOW + RULES_LIFETIME);
	assert_int_equal(check_allocation(f), REFUSAL_NONE);
	set_times(f, NOW, NOW + RULES_LIFETIME + 1);
	assert_int_equal(check_allocation(f), REFUSAL_LIFETIME);
	set_times(f, NOW, NOW);
	assert_int_equal(check_allocation(f), REFUSAL_NONE);
	set_times(f, NOW, NOW - 1);
	assert_int_equal(check_allocation(f), REFUSAL_LIFETIME);
	f->allocation.issued = 0;
	f->allocation.expires = UINT64_MAX;
	assert_int_equal(check_allocation(f), REFUSAL_LIFETIME);
	f->allocation.issued = UINT64_MAX;
	f->allocation.expires = 0;
	assert_int_equal(check_allocation(f), REFUSAL_LIFETIME);
}

static void test_serial_hour(void **state)
{
	struct fixture *f = *state;

	f->allocation.serial.b[3] ^= 1;
	sign_allocation(f);
	assert_int_equal(check_allocation(f), REFUSAL_SERIAL_HOUR);
	f->allocation.issued = UINT64_MAX - 10; /* an hour that no serial can hold */
	f->allocation.expires = UINT64_MAX;
	assert_int_equal(check_allocation(f), REFUSAL_SERIAL_HOUR);
}

static void test_early(void **state)
{
	struct fixture *f = *state;

	f->facts.now = NOW - RULES_SKEW;
	assert_int_equal(check_allocation(f), REFUSAL_NONE);
	f->facts.now = NOW - RULES_SKEW - 1;
	assert_int_equal(check_allocation(f), REFUSAL_EARLY);
	f->facts.now = 0;
	assert_int_equal(check_allocation(f), REFUSAL_EARLY);
}

static void test_expired(void **state)
{
	struct fixture *f = *state;

	f->facts.now = NOW + HOUR + RULES_SKEW;
	assert_int_equal(check_allocation(f), REFUSAL_NONE);
	f->facts.now = NOW + HOUR + RULES_SKEW + 1;
	assert_int_equal(check_allocation(f), REFUSAL_EXPIRED);
	f->facts.now = UINT64_MAX;
	assert_int_equal(check_allocation(f), REFUSAL_EXPIRED);
}

static void test_allocation_signature(void **state)
{
	struct fixture *f = *state;

	typed_sign(&typed_allocation, &f->allocation, &f->domain, f->client, &f->signature);
	assert_int_equal(check_allocation(f), REFUSAL_SIGNATURE);
	sign_allocation(f);
	f->allocation.limit++;
	assert_int_equal(check_allocation(f), REFUSAL_SIGNATURE);
	sign_allocation(f);
	make_high(&f->signature);
	assert_int_equal(check_allocation(f), REFUSAL_HIGH_S);
}

/* The first rule that is broken is the one that is named. */
static void test_sequence(void **state)
{
	struct fixture *f = *state;
	struct bytes32 other = {{0x99}};

	f->facts.now = UINT64_MAX;
	memset(&f->signature, 0, sizeof(f->signature));
	assert_int_equal(check_allocation(f), REFUSAL_EXPIRED);
	f->allocation.issued = NOW + 2 * HOUR;
	f->allocation.expires = NOW + 3 * HOUR;
	assert_int_equal(check_allocation(f), REFUSAL_SERIAL_HOUR);
	f->allocation.expires = NOW;
	assert_int_equal(check_allocation(f), REFUSAL_LIFETIME);
	f->facts.piece = &other;
	assert_int_equal(check_allocation(f), REFUSAL_PIECE);
	f->facts.put = false;
	assert_int_equal(check_allocation(f), REFUSAL_ACTION);
	f->facts.peer = key_address(f->stranger);
	assert_int_equal(check_allocation(f), REFUSAL_CLIENT);
	f->facts.node = key_address(f->stranger);
	assert_int_equal(check_allocation(f), REFUSAL_NODE);
	f->facts.satellite = NULL;
	assert_int_equal(check_allocation(f), REFUSAL_SATELLITE);
}

/* Sign an order for `amount` with a key and check it after `previous`. */
static enum refusal check_order(struct fixture *f, uint64_t amount, uint64_t previous, const struct key *key)
{
	struct order_facts facts = {&f->domain, &f->allocation, &f->hash, previous};
	struct order order = {f->hash, amount};
	struct signature signature;

	typed_sign(&typed_order, &order, &f->domain, key, &signature);
	return rules_check_order(&order, &signature, &facts);
}

static void test_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check_order(f, 0, 0, f->client), REFUSAL_NONE);
	assert_int_equal(check_order(f, 5000, 4999, f->client), REFUSAL_NONE);
	assert_int_equal(check_order(f, 5000, 5000, f->client), REFUSAL_NONE);
	assert_int_equal(check_order(f, 5000, 5001, f->client), REFUSAL_ORDER_SHRINKS);
	assert_int_equal(check_order(f, 100000, 0, f->client), REFUSAL_NONE);
	assert_int_equal(check_order(f, 100001, 0, f->client), REFUSAL_ORDER_LIMIT);
	assert_int_equal(check_order(f, UINT64_MAX, 0, f->client), REFUSAL_ORDER_LIMIT);
	assert_int_equal(check_order(f, 5000, 0, f->node), REFUSAL_SIGNATURE);
	assert_int_equal(check_order(f, 5000, 0, f->satellite), REFUSAL_SIGNATURE);
}

static void test_order_allocation(void **state)
{
	struct fixture *f = *state;
	struct order_facts facts = {&f->domain, &f->allocation, &f->hash, 0};
	struct order order = {f->hash, 1};
	struct signature signature;

	order.allocation.b[0] ^= 1;
	typed_sign(&typed_order, &order, &f->domain, f->client, &signature);
	assert_int_equal(rules_check_order(&order, &signature, &facts), REFUSAL_ORDER_ALLOCATION);
}

static void test_order_high_s(void **state)
{
	struct fixture *f = *state;
	struct order_facts facts = {&f->domain, &f->allocation, &f->hash, 0};
	struct order order = {f->hash, 1};
	struct signature signature;

	typed_sign(&typed_order, &order, &f->domain, f->client, &signature);
	make_high(&signature);
	assert_int_equal(rules_check_order(&order, &signature, &facts), REFUSAL_HIGH_S);
}

static enum refusal check_receipt(struct fixture *f, const struct receipt *receipt, const struct key *key)
{
	struct receipt_facts facts = {&f->domain, &f->allocation, &f->hash, &f->root, 5000};
	struct signature signature;

	typed_sign(&typed_receipt, receipt, &f->domain, key, &signature);
	return rules_check_receipt(receipt, &signature, &facts);
}

static void test_receipt(void **state)
{
	struct fixture *f = *state;
	struct receipt good = {f->hash, f->allocation.piece, f->root, 5000, NOW}, r = good;

	assert_int_equal(check_receipt(f, &good, f->node), REFUSAL_NONE);
	assert_int_equal(check_receipt(f, &good, f->client), REFUSAL_SIGNATURE);
	r.allocation.b[31] ^= 1;
	assert_int_equal(check_receipt(f, &r, f->node), REFUSAL_ORDER_ALLOCATION);
	r = good;
	r.piece.b[31] ^= 1;
	assert_int_equal(check_receipt(f, &r, f->node), REFUSAL_PIECE);
	r = good;
	r.root.b[31] ^= 1;
	assert_int_equal(check_receipt(f, &r, f->node), REFUSAL_ROOT);
	r = good;
	r.size--;
	assert_int_equal(check_receipt(f, &r, f->node), REFUSAL_PIECE_LIMIT);
	f->allocation.limit = 4999; /* a piece larger than was allowed, honestly receipted */
	sign_allocation(f);
	good.allocation = f->hash;
	assert_int_equal(check_receipt(f, &good, f->node), REFUSAL_PIECE_LIMIT);
}

static void test_receipt_high_s(void **state)
{
	struct fixture *f = *state;
	struct receipt receipt = {f->hash, f->allocation.piece, f->root, 5000, NOW};
	struct receipt_facts facts = {&f->domain, &f->allocation, &f->hash, &f->root, 5000};
	struct signature signature;

	typed_sign(&typed_receipt, &receipt, &f->domain, f->node, &signature);
	make_high(&signature);
	assert_int_equal(rules_check_receipt(&receipt, &signature, &facts), REFUSAL_HIGH_S);
}

static struct settled_order claim_of(struct fixture *f, uint64_t amount)
{
	struct settled_order claim;

	sign_allocation(f);
	claim = (struct settled_order){f->allocation, f->signature, {f->hash, amount}, {{0}}};
	typed_sign(&typed_order, &claim.order, &f->domain, f->client, &claim.order_signature);
	return claim;
}

static void test_settled(void **state)
{
	struct fixture *f = *state;
	struct settled_order claim = claim_of(f, 100000);

	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_NONE);
	claim = claim_of(f, 0);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_NONE);
	claim = claim_of(f, 100001);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_ORDER_LIMIT);
	claim = claim_of(f, 1);
	claim.order.allocation.b[0] ^= 1;
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_ORDER_ALLOCATION);
	f->settlement.hour++;
	claim = claim_of(f, 1);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_SERIAL_HOUR);
}

static void test_settled_late(void **state)
{
	struct fixture *f = *state;
	struct settled_order claim = claim_of(f, 1);

	f->settlement.now = NOW + HOUR + RULES_GRACE;
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_NONE);
	f->settlement.now++;
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_LATE);
	f->settlement.now = UINT64_MAX;
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_LATE);
}

static void test_settled_parties(void **state)
{
	struct fixture *f = *state;
	struct settled_order claim = claim_of(f, 1);

	f->settlement.node = key_address(f->stranger);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_NODE);
	f->settlement.satellite = key_address(f->stranger);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_UNISSUED);
}

/* Signed by the satellite or not: sums are kept by action, and there is none for another. */
static void test_settled_action(void **state)
{
	static const uint8_t none[] = {0, ACTION_PUT_REPAIR + 1, 255};
	struct fixture *f = *state;
	struct settled_order claim;

	for (size_t i = 0; i < sizeof(none); i++) {
		f->allocation.action = none[i];
		claim = claim_of(f, 1);
		assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_ACTION);
	}
	for (uint8_t action = ACTION_PUT; action <= ACTION_PUT_REPAIR; action++) {
		f->allocation.action = action;
		claim = claim_of(f, 1);
		assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_NONE);
	}
}

static void test_settled_signatures(void **state)
{
	struct fixture *f = *state;
	struct settled_order claim = claim_of(f, 1);

	/* An allocation that the node made up for itself. */
	typed_sign(&typed_allocation, &f->allocation, &f->domain, f->node, &claim.allocation_signature);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_UNISSUED);
	claim = claim_of(f, 1);
	make_high(&claim.allocation_signature);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_UNISSUED);
	claim = claim_of(f, 1);
	typed_sign(&typed_order, &claim.order, &f->domain, f->node, &claim.order_signature);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_SIGNATURE);
	claim = claim_of(f, 1);
	claim.order.amount = 2;
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_SIGNATURE);
	claim = claim_of(f, 1);
	make_high(&claim.order_signature);
	assert_int_equal(rules_check_settled(&claim, &f->settlement), REFUSAL_HIGH_S);
}

static void test_credit_grows(void **state)
{
	uint64_t credit = 0, kib = 1024;

	(void)state;
	assert_int_equal(rules_next_order(0, 0, 2048 * kib, &credit), 64 * kib);
	assert_int_equal(rules_next_order(64 * kib, 31 * kib, 2048 * kib, &credit), 64 * kib);
	assert_int_equal(rules_next_order(64 * kib, 32 * kib, 2048 * kib, &credit), 160 * kib);
	assert_int_equal(credit, 128 * kib);
	assert_int_equal(rules_next_order(160 * kib, 160 * kib, 2048 * kib, &credit), 416 * kib);
	assert_int_equal(rules_next_order(2048 * kib, 2048 * kib, 2048 * kib, &credit), 2048 * kib);
	credit = 0;
	assert_int_equal(rules_next_order(0, 0, 4096, &credit), 4096);
	credit = 0;
	assert_int_equal(rules_next_order(0, 0, 0, &credit), 0);
	credit = RULES_CREDIT_MOST;
	assert_true(rules_next_order(0, UINT64_MAX - 1, UINT64_MAX, &credit) == UINT64_MAX);
	assert_int_equal(credit, RULES_CREDIT_MOST);
}

/*
 * A node that sends in random steps, always as much as the rules let it, and a client that answers by the rule: what
 * the client has promised beyond what it got never exceeds the credit nor the most, what the node has sent beyond what
 * was promised never exceeds one block, and the transfer comes to its end.
 */
static void run_transfer(struct random_stream *stream, uint64_t limit)
{
	uint64_t ordered = 0, moved = 0, credit = 0, before = 0, calls = 0;

	while (moved < limit) {
		uint64_t next = rules_next_order(ordered, moved, limit, &credit), step, room;

		assert_true(next >= ordered && next <= limit);
		assert_true(next <= moved || next - moved <= credit || next == ordered);
		assert_true(next <= moved || next - moved <= RULES_CREDIT_MOST);
		assert_true(credit >= before && credit <= RULES_CREDIT_MOST);
		assert_true(next > moved); /* the node can always go on without being owed anything */
		before = credit;
		ordered = next;
		room = ordered + RULES_SLACK < limit ? ordered + RULES_SLACK - moved : limit - moved;
		step = 1 + random_stream_below(stream, room < RULES_SLACK ? room : RULES_SLACK);
		moved += step;
		assert_true(moved <= ordered + RULES_SLACK);
		calls++;
	}
	assert_true(calls <= limit);
	assert_int_equal(rules_next_order(limit, moved, limit, &credit), limit);
}

static void test_risk_is_bounded(void **state)
{
	struct random_stream stream;

	(void)state;
	random_stream_init(&stream, bytes_of_text("credit"));
	for (int i = 0; i < 200; i++)
		run_transfer(&stream, random_stream_below(&stream, 16 << 20));
}

/* Any numbers at all, however inconsistent: no promise shrinks, passes the limit or the credit. */
static void test_any_numbers(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("any numbers"));
	for (int i = 0; i < 100000; i++) {
		uint64_t ordered = random_stream_u64(&s) >> random_stream_below(&s, 64);
		uint64_t moved = random_stream_u64(&s) >> random_stream_below(&s, 64);
		uint64_t limit = random_stream_u64(&s) >> random_stream_below(&s, 64), credit = 0;
		uint64_t next = rules_next_order(ordered, moved, limit, &credit);

		assert_true(next >= ordered);
		assert_true(next == ordered || next <= limit);
		assert_true(next == ordered || next <= moved || next - moved <= RULES_CREDIT_FIRST);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_allocation_good),
		TEST(test_satellite),
		TEST(test_node),
		TEST(test_client),
		TEST(test_action),
		TEST(test_piece),
		TEST(test_lifetime),
		TEST(test_serial_hour),
		TEST(test_early),
		TEST(test_expired),
		TEST(test_allocation_signature),
		TEST(test_sequence),
		TEST(test_order),
		TEST(test_order_allocation),
		TEST(test_order_high_s),
		TEST(test_receipt),
		TEST(test_receipt_high_s),
		TEST(test_settled),
		TEST(test_settled_late),
		TEST(test_settled_parties),
		TEST(test_settled_action),
		TEST(test_settled_signatures),
		cmocka_unit_test(test_credit_grows),
		cmocka_unit_test(test_risk_is_bounded),
		cmocka_unit_test(test_any_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
