/* Permits that are not ours are refused; orders grow as the rules say and never past what is needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "uplink/permit.h"

#define LIMIT (1u << 20)

struct world {
	struct key *satellite, *client, *node;
	struct domain domain;
	struct allocation allocation;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	char endpoint[ENDPOINT_TEXT];
	struct item_allocation item;
	struct permit_facts facts;
};

static void seal(struct world *world)
{
	struct signature signature;
	struct writer w;

	typed_sign(&typed_allocation, &world->allocation, &world->domain, world->satellite, &signature);
	writer_init(&w, world->wire, sizeof(world->wire));
	typed_encode(&typed_allocation, &world->allocation, &signature, &w);
	world->item.allocation = writer_bytes(&w);
}

static void setup(struct world *world)
{
	const struct address nobody = {{0}};
	struct endpoint endpoint = {.at = {"127.0.0.1", 7887}};

	memset(world, 0, sizeof(*world));
	world->satellite = key_generate();
	world->client = key_generate();
	world->node = key_generate();
	domain_init(&world->domain, 31337, &nobody);
	world->allocation.satellite = *key_address(world->satellite);
	world->allocation.client = *key_address(world->client);
	world->allocation.node = *key_address(world->node);
	world->allocation.action = ACTION_GET;
	world->allocation.limit = LIMIT;
	world->facts =
		(struct permit_facts){key_address(world->satellite), key_address(world->client), ACTION_GET, LIMIT};
	endpoint.id = *key_id(world->node);
	endpoint_print(&endpoint, world->endpoint);
	world->item.number = 3;
	world->item.endpoint = bytes_of_text(world->endpoint);
	seal(world);
}

static void clear(struct world *world)
{
	key_free(world->satellite);
	key_free(world->client);
	key_free(world->node);
}

static void test_good(void **state)
{
	struct world world;
	struct permit permit;
	const char *why;

	(void)state;
	setup(&world);
	assert_int_equal(permit_parse(&world.item, &world.facts, &permit, &why), ERR_OK);
	assert_int_equal(permit.number, 3);
	assert_int_equal(permit.allocation.limit, LIMIT);
	assert_true(id_equal(&permit.endpoint.id, key_id(world.node)));
	clear(&world);
}

static void assert_refused(struct world *world, enum err err, const char *flaw)
{
	struct permit permit;
	const char *why = NULL;

	seal(world);
	assert_int_equal(permit_parse(&world->item, &world->facts, &permit, &why), err);
	assert_string_equal(why, flaw);
	clear(world);
}

static void test_not_ours(void **state)
{
	struct world world;

	(void)state;
	setup(&world);
	world.allocation.satellite.b[0] ^= 1;
	assert_refused(&world, ERR_PROTOCOL, "satellite");
	setup(&world);
	world.allocation.client.b[0] ^= 1;
	assert_refused(&world, ERR_PROTOCOL, "client");
	setup(&world);
	world.allocation.node.b[0] ^= 1;
	assert_refused(&world, ERR_PROTOCOL, "node");
	setup(&world);
	world.allocation.action = ACTION_PUT;
	assert_refused(&world, ERR_PROTOCOL, "action");
	setup(&world);
	world.allocation.limit--;
	assert_refused(&world, ERR_PROTOCOL, "limit");
}

static void test_malformed(void **state)
{
	struct world world;
	struct permit permit;
	const char *why = NULL;

	(void)state;
	setup(&world);
	world.item.endpoint = bytes_of_text("here");
	assert_refused(&world, ERR_FORMAT, "endpoint");
	setup(&world);
	world.item.allocation.len--;
	assert_int_equal(permit_parse(&world.item, &world.facts, &permit, &why), ERR_FORMAT);
	assert_string_equal(why, "allocation");
	clear(&world);
}

/* Block by block, ordered is always ahead of moved by at most the credit, and ends at what was moved. */
static void test_orders(void **state)
{
	struct world world;
	struct permit permit;
	struct credit credit = {0};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	const uint64_t size = LIMIT - 5;
	unsigned orders = 0;
	const char *why;

	(void)state;
	setup(&world);
	assert_int_equal(permit_parse(&world.item, &world.facts, &permit, &why), ERR_OK);
	credit = (struct credit){.permit = &permit, .domain = &world.domain, .key = world.client};
	for (uint64_t moved = 0; moved <= size; moved += RULES_SLACK) {
		size_t len = credit_extend(&credit, moved, size, wire);
		struct order order;
		struct signature signature;

		assert_true(credit.ordered > moved || credit.ordered == size);
		assert_true(credit.ordered - moved <= RULES_CREDIT_MOST && credit.ordered <= size);
		if (len == 0)
			continue;
		orders++;
		assert_int_equal(typed_decode(&typed_order, bytes_of(wire, len), &order, &signature), ERR_OK);
		assert_int_equal(order.amount, credit.ordered);
		assert_true(bytes32_equal(&order.allocation, &permit.hash));
		assert_int_equal(
			typed_verify(&typed_order, &order, &world.domain, &signature, key_address(world.client)),
			REFUSAL_NONE);
	}
	assert_int_equal(credit.ordered, size);
	assert_in_range(orders, 3, 8);
	clear(&world);
}

static void test_first_order_is_small(void **state)
{
	struct world world;
	struct permit permit;
	struct credit credit = {0};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	const char *why;

	(void)state;
	setup(&world);
	assert_int_equal(permit_parse(&world.item, &world.facts, &permit, &why), ERR_OK);
	credit = (struct credit){.permit = &permit, .domain = &world.domain, .key = world.client};
	assert_true(credit_extend(&credit, 0, 2 * (uint64_t)LIMIT, wire) > 0);
	assert_int_equal(credit.ordered, RULES_CREDIT_FIRST);
	clear(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_first_order_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
