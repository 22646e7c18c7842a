/* What a node checks before and during a transfer, each refusal by its own code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/message.h"
#include "node/transfer.h"
#include "payments/rules.h"
#include "payments/serial.h"

#define NOW ((uint64_t)1800000000)

struct fixture {
	char dir[64];
	struct trust *trust;
	struct key *node, *satellite, *client, *stranger;
	struct domain domain;
	struct bytes32 piece;
	struct allocation allocation;
	uint8_t wire[MESSAGE_SIGNED_MAX];
};

static const struct address no_contract = {{0}};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const uint8_t random[28] = {7};
	char why[TRUST_MESSAGE];
	struct endpoint endpoint;

	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/granary-transfer-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->node = key_generate();
	f->satellite = key_generate();
	f->client = key_generate();
	f->stranger = key_generate();
	endpoint = (struct endpoint){*key_id(f->satellite), {"127.0.0.1", 1}};
	assert_int_equal(trust_open(f->dir, &f->trust, why), ERR_OK);
	assert_int_equal(trust_set(f->trust, &endpoint, 1), ERR_OK);
	assert_int_equal(trust_pin(f->trust, key_address(f->satellite), 5, &no_contract), ERR_OK);
	domain_init(&f->domain, 5, &no_contract);
	memset(&f->piece, 9, sizeof(f->piece));
	f->allocation = (struct allocation){
		.satellite = *key_address(f->satellite),
		.client = *key_address(f->client),
		.node = *key_address(f->node),
		.piece = f->piece,
		.action = ACTION_PUT,
		.limit = 100000,
		.issued = NOW - 10,
		.expires = NOW + 1000,
	};
	serial_make(f->allocation.expires, random, &f->allocation.serial);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "domains.json");

	trust_free(f->trust);
	key_free(f->node);
	key_free(f->satellite);
	key_free(f->client);
	key_free(f->stranger);
	unlink(path);
	rmdir(f->dir);
	free(path);
	free(f);
	return 0;
}

static struct bytes sign(struct fixture *f, const struct fields *type, const void *object, const struct key *key)
{
	struct signature signature;
	struct writer w;

	typed_sign(type, object, &f->domain, key, &signature);
	writer_init(&w, f->wire, sizeof(f->wire));
	typed_encode(type, object, &signature, &w);
	return writer_bytes(&w);
}

static enum refusal open_as(struct fixture *f, const struct key *signer, const struct key *peer, bool put,
			    struct transfer *ret)
{
	const struct transfer_request request = {sign(f, &typed_allocation, &f->allocation, signer),
						 key_address(f->node),
						 key_id(peer),
						 &f->piece,
						 put,
						 NOW};

	return transfer_open(f->trust, &request, ret);
}

static enum refusal open_put(struct fixture *f, struct transfer *ret)
{
	return open_as(f, f->satellite, f->client, true, ret);
}

static void test_good(void **state)
{
	struct fixture *f = *state;
	struct transfer t;

	assert_int_equal(open_put(f, &t), REFUSAL_NONE);
	assert_true(address_equal(&t.satellite.address, key_address(f->satellite)));
	assert_int_equal(t.order.amount, 0);
	assert_true(bytes32_equal(&t.order.allocation, &t.hash));
}

static void test_whose(void **state)
{
	struct fixture *f = *state;
	struct transfer t;

	assert_int_equal(open_as(f, f->satellite, f->stranger, true, &t), REFUSAL_CLIENT);
	assert_int_equal(open_as(f, f->satellite, f->client, false, &t), REFUSAL_ACTION);
	assert_int_equal(open_as(f, f->stranger, f->client, true, &t), REFUSAL_SIGNATURE);
	f->piece.b[0] ^= 1;
	assert_int_equal(open_put(f, &t), REFUSAL_PIECE);
	f->piece.b[0] ^= 1;
	f->allocation.node = *key_address(f->stranger);
	assert_int_equal(open_put(f, &t), REFUSAL_NODE);
	f->allocation.node = *key_address(f->node);
	f->allocation.satellite = *key_address(f->stranger);
	assert_int_equal(open_as(f, f->stranger, f->client, true, &t), REFUSAL_SATELLITE);
}

static void test_malformed(void **state)
{
	struct fixture *f = *state;
	struct transfer_request request = {sign(f, &typed_allocation, &f->allocation, f->satellite),
					   key_address(f->node),
					   key_id(f->client),
					   &f->piece,
					   true,
					   NOW};
	struct transfer t;

	request.allocation.len--;
	assert_int_equal(transfer_open(f->trust, &request, &t), REFUSAL_MALFORMED);
	request.allocation.len = 0;
	assert_int_equal(transfer_open(f->trust, &request, &t), REFUSAL_MALFORMED);
}

/* An allocation signed for another domain than the pinned one is nobody's; without a pinned one nothing can be said. */
static void test_domain(void **state)
{
	struct fixture *f = *state;
	const struct endpoint other = {*key_id(f->stranger), {"127.0.0.1", 2}};
	struct transfer t;

	domain_init(&f->domain, 6, &no_contract);
	assert_int_equal(open_put(f, &t), REFUSAL_SIGNATURE);
	assert_int_equal(trust_set(f->trust, &other, 1), ERR_OK);
	f->allocation.satellite = *key_address(f->stranger);
	assert_int_equal(open_as(f, f->stranger, f->client, true, &t), REFUSAL_BUSY);
}

static enum refusal order(struct fixture *f, struct transfer *t, uint64_t amount, const struct key *signer)
{
	const struct order o = {t->hash, amount};

	return transfer_order(t, sign(f, &typed_order, &o, signer));
}

static void test_orders(void **state)
{
	struct fixture *f = *state;
	struct order other = {{{1}}, 5000};
	struct transfer t;

	assert_int_equal(open_put(f, &t), REFUSAL_NONE);
	assert_int_equal(order(f, &t, 4000, f->client), REFUSAL_NONE);
	assert_int_equal(order(f, &t, 4000, f->client), REFUSAL_NONE);
	assert_int_equal(order(f, &t, 3999, f->client), REFUSAL_ORDER_SHRINKS);
	assert_int_equal(order(f, &t, 100001, f->client), REFUSAL_ORDER_LIMIT);
	assert_int_equal(order(f, &t, 5000, f->stranger), REFUSAL_SIGNATURE);
	assert_int_equal(transfer_order(&t, sign(f, &typed_order, &other, f->client)), REFUSAL_ORDER_ALLOCATION);
	assert_int_equal(transfer_order(&t, bytes_of(f->wire, 10)), REFUSAL_MALFORMED);
	assert_int_equal(t.order.amount, 4000);
	assert_int_equal(order(f, &t, 100000, f->client), REFUSAL_NONE);
	assert_int_equal(t.order.amount, 100000);
}

/* An upload may be one block ahead of its orders, and never past its limit. */
static void test_receiving(void **state)
{
	struct fixture *f = *state;
	struct transfer t;

	assert_int_equal(open_put(f, &t), REFUSAL_NONE);
	assert_int_equal(transfer_receive(&t, 32768), REFUSAL_NONE);
	assert_int_equal(transfer_receive(&t, 1), REFUSAL_UNORDERED);
	assert_int_equal(order(f, &t, 1, f->client), REFUSAL_NONE);
	assert_int_equal(transfer_receive(&t, 1), REFUSAL_NONE);
	assert_int_equal(order(f, &t, 100000, f->client), REFUSAL_NONE);
	assert_int_equal(transfer_receive(&t, 100000 - 32769), REFUSAL_NONE);
	assert_int_equal(transfer_receive(&t, 1), REFUSAL_PIECE_LIMIT);
	assert_int_equal(t.moved, 100000);
}

/* A download sends a block once any of it is ordered: at most a block ahead. */
static void test_sending(void **state)
{
	struct fixture *f = *state;
	struct transfer t;

	f->allocation.action = ACTION_GET;
	assert_int_equal(open_as(f, f->satellite, f->client, false, &t), REFUSAL_NONE);
	assert_false(transfer_may_send(&t, 32768));
	assert_true(transfer_may_send(&t, 0));
	assert_int_equal(order(f, &t, 1, f->client), REFUSAL_NONE);
	assert_true(transfer_may_send(&t, 32768));
	t.moved += 32768;
	assert_false(transfer_may_send(&t, 32768));
	assert_int_equal(order(f, &t, 32769, f->client), REFUSAL_NONE);
	assert_true(transfer_may_send(&t, 32768));
}

static void test_log_entry(void **state)
{
	struct fixture *f = *state;
	struct store_transfer entry;
	struct transfer t;

	assert_int_equal(open_put(f, &t), REFUSAL_NONE);
	assert_int_equal(order(f, &t, 77, f->client), REFUSAL_NONE);
	transfer_log_entry(&t, NOW, &entry);
	assert_int_equal(entry.order.amount, 77);
	assert_int_equal(entry.at, NOW);
	assert_int_equal(
		typed_verify(&typed_order, &entry.order, &f->domain, &entry.order_signature, key_address(f->client)),
		REFUSAL_NONE);
	assert_int_equal(typed_verify(&typed_allocation, &entry.allocation, &f->domain, &entry.allocation_signature,
				      key_address(f->satellite)),
			 REFUSAL_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),   TEST(test_whose),	 TEST(test_malformed), TEST(test_domain),
		TEST(test_orders), TEST(test_receiving), TEST(test_sending),   TEST(test_log_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
