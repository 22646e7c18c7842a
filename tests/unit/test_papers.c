/* Prices and statements told to nodes, and the prices that nodes ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "payments/payout_tree.h"
#include "payments/statement.h"
#include "payments/u256.h"
#include "satellite/adjustments.h"
#include "satellite/closing.h"
#include "satellite/pricing.h"
#include "satellite/roster.h"
#include "tests/kit/office.h"

#define JANUARY UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define DAY UINT64_C(86400)
#define MONTHS 14

static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "1/1/1/1");
	office_set_clock(office, JANUARY);
	office->settings.test_network = false;
	office->settings.online = 3650 * DAY;
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	office_add_node(office, "192.0.2.1", 1000000000);
	*state = office;
	return 0;
}

static unsigned ask_prices(struct office *office, uint64_t day, struct price ret[8])
{
	struct message ask = {.type = MSG_ASK_PRICES, .ask_prices = {(uint32_t)day}}, answer;
	unsigned count = 0;

	assert_int_equal(office_ask(office, office->nodes[0], &ask), REFUSAL_NONE);
	while (office_answer(office, &answer)) {
		struct reader r;

		assert_int_equal(answer.type, MSG_PRICES);
		reader_init(&r, answer.prices.prices.raw);
		for (uint32_t i = 0; i < answer.prices.prices.count; i++) {
			struct signature signature;
			struct item_signed item;

			list_next(&item_signed_fields, &r, &item);
			assert_int_equal(typed_decode(&typed_price, item.signed_thing, &ret[count], &signature),
					 ERR_OK);
			assert_int_equal(price_check(&ret[count], &signature, &office->settings.domain), REFUSAL_NONE);
			assert_true(address_equal(&ret[count].party, key_address(office->key)));
			count++;
		}
	}
	return count;
}

static void test_prices_of_a_day_and_after(void **state)
{
	struct office *office = *state;
	struct price prices[8];

	assert_int_equal(ask_prices(office, JANUARY / DAY, prices), 1);
	assert_int_equal(prices[0].from, JANUARY);
	office_set_clock(office, JANUARY + 4 * DAY + 5);
	office->settings.prices.egress = amount_of(7);
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	assert_int_equal(ask_prices(office, JANUARY / DAY + 4, prices), 2);
	assert_int_equal(prices[1].from, JANUARY + 5 * DAY);
	assert_int_equal(prices[1].egress, 7);
	assert_int_equal(ask_prices(office, JANUARY / DAY + 5, prices), 1);
	assert_int_equal(prices[0].egress, 7);
	assert_int_equal(ask_prices(office, 0, prices), 2);
}

static enum refusal offer(struct office *office, const struct key *signer, const struct price *price)
{
	struct message message = {.type = MSG_OFFER_PRICE};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	typed_sign(&typed_price, price, &office->settings.domain, signer, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_price, price, &signature, &w);
	message.offer_price.price = writer_bytes(&w);
	return office_ask(office, office->nodes[0], &message);
}

/* What selection is told that this node costs. */
static uint64_t cost(struct office *office, unsigned node)
{
	const struct candidate *candidates;
	uint32_t count;

	assert_int_equal(roster_refresh(office->desk, true), ERR_OK);
	candidates = roster_candidates(office->desk->roster, &count);
	assert_int_equal(count, office->node_count);
	for (uint32_t i = 0; i < count; i++)
		if (address_equal(&candidates[i].node, key_address(office->nodes[node])))
			return amount_units(candidates[i].price);
	fail_msg("node %u is not there", node);
	return 0;
}

/* Of storage and egress the lower of ask and offer, on the days of the ask. */
static void test_selection_knows_asks(void **state)
{
	struct office *office = *state;
	struct price price = {.party = *key_address(office->nodes[0]), .storage = 5, .from = JANUARY + DAY};
	const struct prices *offered = &office->settings.prices;
	uint64_t full = amount_units(offered->storage) + amount_units(offered->egress);

	price.egress = amount_units(offered->egress) + 1;
	price.until = JANUARY + 2 * DAY;
	office->settings.prefer_cheaper = 50;
	office_add_node(office, "192.0.3.1", 1000000000);
	assert_int_equal(offer(office, office->nodes[0], &price), REFUSAL_NONE);
	assert_true(amount_units(offered->storage) > 5);
	assert_int_equal(cost(office, 0), full);
	office_set_clock(office, JANUARY + DAY + 1);
	assert_int_equal(cost(office, 0), 5 + amount_units(offered->egress));
	assert_int_equal(cost(office, 1), full);
	office_set_clock(office, JANUARY + 2 * DAY);
	assert_int_equal(cost(office, 0), full);
}

static void test_offers(void **state)
{
	struct office *office = *state;
	const struct key *node = office->nodes[0];
	struct price price = {.party = *key_address(node), .storage = 5, .from = JANUARY, .until = JANUARY + 365 * DAY};
	struct message bad = {.type = MSG_OFFER_PRICE, .offer_price = {bytes_of_text("nothing of the kind")}};
	struct key *stranger = key_generate();
	struct pricing *pricing;

	assert_int_equal(office_ask(office, node, &bad), REFUSAL_MALFORMED);
	assert_int_equal(office_ask(office, office->client, &bad), REFUSAL_DENIED);
	assert_int_equal(offer(office, stranger, &price), REFUSAL_SIGNATURE);
	price.party = *key_address(stranger);
	assert_int_equal(offer(office, stranger, &price), REFUSAL_NODE);
	price.party = *key_address(node);
	price.from += 1;
	assert_int_equal(offer(office, node, &price), REFUSAL_PRICE);
	price.from = JANUARY - DAY;
	assert_int_equal(offer(office, node, &price), REFUSAL_PRICE);
	/* Today, as long as none holds yet; the same again is the same. */
	price.from = JANUARY;
	assert_int_equal(offer(office, node, &price), REFUSAL_NONE);
	assert_int_equal(offer(office, node, &price), REFUSAL_NONE);
	price.storage = 6;
	assert_int_equal(offer(office, node, &price), REFUSAL_CONFLICT);
	price.from = JANUARY + DAY;
	assert_int_equal(offer(office, node, &price), REFUSAL_NONE);
	office_set_clock(office, JANUARY + 2 * DAY + 9);
	price.from = JANUARY + 2 * DAY;
	assert_int_equal(offer(office, node, &price), REFUSAL_PRICE);

	/* It is paid by them. */
	assert_int_equal(pricing_open(office->desk->db, key_address(office->key), JANUARY, JANUARY + 9 * DAY, &pricing),
			 ERR_OK);
	assert_int_equal(pricing_set_node(pricing, office->desk->db, key_address(node)), ERR_OK);
	assert_int_equal(amount_units(pricing_day(pricing, JANUARY / DAY).storage), 5);
	assert_int_equal(amount_units(pricing_day(pricing, JANUARY / DAY + 1).storage), 6);
	pricing_free(pricing);
	key_free(stranger);
}

/* Statements after a month, twelve at a time. */
static unsigned ask_statements(struct office *office, uint32_t *after)
{
	struct message ask = {.type = MSG_ASK_STATEMENTS, .ask_statements = {*after}}, answer;
	struct sheet *sheet = malloc(sizeof(*sheet));
	unsigned count = 0;
	bool last = false;

	assert_int_equal(office_ask(office, office->nodes[0], &ask), REFUSAL_NONE);
	while (office_answer(office, &answer)) {
		struct statement statement;
		struct signature signature;

		assert_false(last);
		last = answer.statement.last;
		if (last) {
			assert_int_equal(answer.statement.statement.len, 0);
			continue;
		}
		assert_int_equal(typed_decode(&typed_statement, answer.statement.statement, &statement, &signature),
				 ERR_OK);
		assert_int_equal(typed_verify(&typed_statement, &statement, &office->settings.domain, &signature,
					      key_address(office->key)),
				 REFUSAL_NONE);
		assert_int_equal(sheet_decode(answer.statement.sheet, sheet), ERR_OK);
		assert_true(statement.period > *after);
		*after = statement.period;
		count++;
	}
	assert_true(last);
	free(sheet);
	return count;
}

static void test_statements_in_turn(void **state)
{
	struct office *office = *state;
	uint64_t at = JANUARY;
	uint32_t after = 0;

	assert_int_equal(ask_statements(office, &after), 0);
	for (int i = 0; i < MONTHS; i++) {
		struct closing closing;
		uint32_t period = month_period(at);

		at = month_end(at);
		office_set_clock(office, at + 600);
		assert_int_equal(closing_close(office->desk, period, at + 600, &closing), ERR_OK);
		closing_free(&closing);
	}
	assert_int_equal(ask_statements(office, &after), 12);
	assert_int_equal(after, 202612);
	assert_int_equal(ask_statements(office, &after), 2);
	assert_int_equal(after, 202702);
	assert_int_equal(ask_statements(office, &after), 0);
}

/* Close the month that holds `at`. */
static void close_month(struct office *office, uint64_t at)
{
	struct closing closing;

	office_set_clock(office, month_end(at) + 600);
	assert_int_equal(closing_close(office->desk, month_period(at), month_end(at) + 600, &closing), ERR_OK);
	closing_free(&closing);
}

static enum refusal ask_payout(struct office *office, const struct key *who, uint32_t period, struct message *ret)
{
	struct message ask = {.type = MSG_ASK_PAYOUT, .ask_payout = {period}};
	enum refusal refusal = office_ask(office, who, &ask);

	if (refusal == REFUSAL_NONE) {
		assert_true(office_answer(office, ret));
		assert_int_equal(ret->type, MSG_PAYOUT);
	}
	return refusal;
}

/* Whether the answer proves so much for the node, which is its own payee. */
static void expect_payout(const struct message *answer, const struct key *node, uint64_t units)
{
	struct payout_leaf leaf = {.payee = *key_address(node), .cumulative = u256_of(units)};
	struct bytes32 proof[PAYOUT_PROOF_MOST];

	assert_true(address_equal(&answer->payout.payee, &leaf.payee));
	assert_true(bytes32_equal(&answer->payout.cumulative, &leaf.cumulative));
	assert_true(answer->payout.proof.len % 32 == 0 && answer->payout.proof.len <= sizeof(proof));
	memcpy(proof, answer->payout.proof.data, answer->payout.proof.len);
	assert_true(payout_proof_holds(&answer->payout.root, &leaf, proof, answer->payout.proof.len / 32));
}

static enum err add_adjustment(struct database *db, void *arg)
{
	return adjustments_add(db, arg);
}

static void add_bonus(struct office *office, const struct key *node, uint32_t period, uint64_t units)
{
	struct adjustment bonus = {.node = *key_address(node),
				   .period = period,
				   .kind = LINE_BONUS,
				   .amount = amount_of(units),
				   .note = "test"};

	assert_int_equal(month_of_period(period, &bonus.at), ERR_OK);
	assert_int_equal(database_transaction(office->desk->db, add_adjustment, &bonus), ERR_OK);
}

static void test_payouts(void **state)
{
	struct office *office = *state;
	const struct key *first = office->nodes[0], *second;
	struct message answer;

	second = office->nodes[office_add_node(office, "192.0.2.2", 1000000000)];
	assert_int_equal(ask_payout(office, first, 202601, &answer), REFUSAL_NOT_FOUND);
	add_bonus(office, first, 202601, 1000);
	close_month(office, JANUARY);
	assert_int_equal(ask_payout(office, first, 202601, &answer), REFUSAL_NONE);
	expect_payout(&answer, first, 1000);
	/* The other has a statement, of nothing. */
	assert_int_equal(ask_payout(office, second, 202601, &answer), REFUSAL_NOT_FOUND);
	assert_non_null(strstr(office->why, "nothing was allotted"));
	assert_int_equal(ask_payout(office, office->client, 202601, &answer), REFUSAL_DENIED);

	/* One month and the other, in any order, however often. */
	add_bonus(office, second, 202602, 50);
	close_month(office, JANUARY + 31 * DAY);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask_payout(office, second, 202602, &answer), REFUSAL_NONE);
		expect_payout(&answer, second, 50);
		assert_int_equal(ask_payout(office, first, 202602, &answer), REFUSAL_NONE);
		expect_payout(&answer, first, 1000);
		assert_int_equal(ask_payout(office, first, 202601, &answer), REFUSAL_NONE);
		expect_payout(&answer, first, 1000);
	}
	assert_int_equal(ask_payout(office, first, 202603, &answer), REFUSAL_NOT_FOUND);
	assert_int_equal(ask_payout(office, first, 0, &answer), REFUSAL_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prices_of_a_day_and_after, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_selection_knows_asks, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_offers, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_statements_in_turn, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_payouts, set_up, office_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
