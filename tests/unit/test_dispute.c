/* What a node exports for a dispute is sound item by item, hangs together, and holds nothing of other months. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/message.h"
#include "node/dispute.h"
#include "payments/dossier.h"
#include "payments/serial.h"

#define ORDERS 3

struct fixture {
	char dir[64];
	struct ledger *ledger;
	struct papers *papers;
	struct key *node, *client, *key; /* key: the satellite's */
	struct satellite satellite;
	uint8_t wires[2][512];
	uint64_t now;
};

static int set_up(void **state)
{
	const struct address no_contract = {{0}};
	struct fixture *f = memory_new(1, sizeof(*f));
	char why[PAPERS_MESSAGE] = "", *path;

	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-dispute-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	path = file_join(f->dir, "ledger.db");
	assert_int_equal(ledger_open(path, &f->ledger, why), ERR_OK);
	assert_int_equal(papers_open(f->dir, &f->papers, why), ERR_OK);
	free(path);
	f->node = key_generate();
	f->client = key_generate();
	f->key = key_generate();
	f->satellite.address = *key_address(f->key);
	f->satellite.pinned = true;
	domain_init(&f->satellite.domain, 5, &no_contract);
	f->now = clock_wall();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	ledger_close(f->ledger);
	papers_close(f->papers);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	key_free(f->node);
	key_free(f->client);
	key_free(f->key);
	free(f);
	return 0;
}

static struct bytes sign(struct fixture *f, int room, const struct fields *type, const void *object,
			 const struct key *key)
{
	struct signature signature;
	struct writer w;

	typed_sign(type, object, &f->satellite.domain, key, &signature);
	writer_init(&w, f->wires[room], sizeof(f->wires[room]));
	typed_encode(type, object, &signature, &w);
	return writer_bytes(&w);
}

static void add_order(struct fixture *f, uint8_t n, const struct key *signer)
{
	struct store_transfer t = {.sequence = n, .at = f->now};
	const uint8_t random[28] = {n};

	t.allocation = (struct allocation){.satellite = f->satellite.address,
					   .client = *key_address(f->client),
					   .node = *key_address(f->node),
					   .action = ACTION_GET,
					   .limit = 1000000,
					   .issued = f->now,
					   .expires = f->now + 100};
	serial_make(t.allocation.expires, random, &t.allocation.serial);
	typed_hash(&typed_allocation, &t.allocation, &t.order.allocation);
	t.order.amount = 1000u * n;
	typed_sign(&typed_allocation, &t.allocation, &f->satellite.domain, signer, &t.allocation_signature);
	typed_sign(&typed_order, &t.order, &f->satellite.domain, f->client, &t.order_signature);
	assert_int_equal(ledger_add(f->ledger, &t), ERR_OK);
}

/* As both sides do it: the node signs over its orders, the satellite over its verdicts. */
static void settle(struct fixture *f)
{
	struct ledger_verdict verdicts[ORDERS];
	struct settlement settlement = {.satellite = f->satellite.address, .node = *key_address(f->node)};
	struct settled settled;
	struct commitment c;
	struct verdicts_hash v;
	struct claim *claim;
	struct bytes wires[2];
	uint64_t hour;

	assert_int_equal(ledger_next_hour(f->ledger, &f->satellite.address, 0, &hour), ERR_OK);
	assert_int_equal(ledger_claim(f->ledger, &f->satellite.address, hour, ORDERS, &claim), ERR_OK);
	commitment_init(&c);
	verdicts_init(&v);
	for (uint32_t i = 0; i < claim->count; i++) {
		const struct claim_order *order = &claim->orders[i];
		bool bad = i == 0;

		verdicts[i] = (struct ledger_verdict){bad ? VERDICT_REJECTED : VERDICT_SETTLED,
						      bad ? REFUSAL_LATE : REFUSAL_NONE, bad ? 0 : order->amount};
		assert_int_equal(commitment_add(&c, &order->hash, order->amount), ERR_OK);
		assert_int_equal(
			verdicts_add(&v, &order->allocation, verdicts[i].verdict, verdicts[i].code, verdicts[i].bytes),
			ERR_OK);
	}
	settlement.hour = hour;
	settlement.count = c.count;
	settlement.bytes = c.bytes;
	commitment_final(&c, &settlement.orders);
	typed_hash(&typed_settlement, &settlement, &settled.settlement);
	settled.bytes = v.bytes;
	verdicts_final(&v, &settled.verdicts);
	wires[0] = sign(f, 0, &typed_settlement, &settlement, f->node);
	wires[1] = sign(f, 1, &typed_settled, &settled, f->key);
	assert_int_equal(ledger_settle(f->ledger, claim, verdicts, wires[0], wires[1]), ERR_OK);
	claim_free(claim);
}

static void keep_papers(struct fixture *f)
{
	const uint32_t day = (uint32_t)(f->now / USAGE_DAY);
	struct usage usage = {.satellite = f->satellite.address, .node = *key_address(f->node), .day = day};
	struct price price = {.party = f->satellite.address,
			      .storage = 1,
			      .from = (uint64_t)day * USAGE_DAY,
			      .until = (uint64_t)(day + 9) * USAGE_DAY};
	struct papers_day paper = {.carried = {1000, byte_seconds_from(0)}};
	char why[PAPERS_MESSAGE] = "";
	struct usage_sum sum;
	struct usage_day known;

	usage_begin(&sum, day, &paper.carried);
	assert_int_equal(usage_end(&sum, &known), ERR_OK);
	usage.changes = known.changes;
	usage.byteSeconds = byte_seconds_value(known.stored);
	paper.signed_usage = sign(f, 0, &typed_usage, &usage, f->key);
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, key_address(f->node), day, &paper, why), ERR_OK);
	assert_int_equal(papers_keep_price(f->papers, &f->satellite, &f->satellite.address,
					   sign(f, 0, &typed_price, &price, f->key), why),
			 ERR_OK);
	price.party = *key_address(f->node);
	assert_int_equal(papers_keep_price(f->papers, &f->satellite, &price.party,
					   sign(f, 0, &typed_price, &price, f->node), why),
			 ERR_OK);
}

static struct dossier *export_period(struct fixture *f, uint32_t from, uint32_t to, struct dispute *ret)
{
	struct dispute_query query = {.node = f->node, .payee = key_address(f->node), .from = from, .to = to};
	char *text = NULL, why[DOSSIER_WHY] = "";
	struct dossier *dossier = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	query.now = f->now;
	assert_non_null(stream);
	dispute_begin(ret, stream);
	assert_int_equal(dispute_add(ret, f->ledger, f->papers, &f->satellite, &query), ERR_OK);
	dispute_end(ret);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(dossier_read(bytes_of(text, len), &dossier, why), ERR_OK);
	assert_int_equal(dossier_count(dossier), ret->items);
	for (size_t i = 0; i < ret->items; i++)
		assert_int_equal(dossier_check(dossier, i, why), DOSSIER_SOUND);
	free(text);
	return dossier;
}

/* Orders find their allocations, verdicts their settlements; whatever is signed over a list brings it along. */
static void expect_links(const struct dossier *dossier)
{
	for (size_t i = 0; i < dossier_count(dossier); i++) {
		const struct fields *type = dossier_item(dossier, i)->type;
		bool there;

		if (type == &typed_order || type == &typed_settled)
			assert_true(dossier_named(dossier, i) >= 0);
		(void)dossier_data(dossier, i, &there);
		assert_int_equal(there, type == &typed_usage || type == &typed_settlement || type == &typed_settled);
	}
}

static void test_everything(void **state)
{
	struct fixture *f = *state;
	struct dispute d;
	struct dossier *dossier;

	for (uint8_t n = 1; n <= ORDERS; n++)
		add_order(f, n, f->key);
	settle(f);
	add_order(f, ORDERS + 1, f->key);
	keep_papers(f);
	dossier = export_period(f, 0, month_period(f->now), &d);
	assert_int_equal(d.orders, ORDERS + 1);
	assert_int_equal(d.settlements, 1);
	assert_int_equal(d.usages, 1);
	assert_int_equal(d.prices, 2);
	assert_int_equal(d.unreadable, 0);
	assert_int_equal(d.items, 2 * (ORDERS + 1) + 2 + 1 + 2 + 1 /* payee */);
	expect_links(dossier);
	dossier_free(dossier);
}

static void test_one_month(void **state)
{
	struct fixture *f = *state;
	struct dispute d;

	for (uint8_t n = 1; n <= ORDERS; n++)
		add_order(f, n, f->key);
	settle(f);
	add_order(f, ORDERS + 1, f->key);
	keep_papers(f);
	dossier_free(export_period(f, 202001, 202001, &d));
	assert_int_equal(d.items, 1); /* the payee */
	dossier_free(export_period(f, month_period(f->now), month_period(f->now), &d));
	assert_int_equal(d.orders, ORDERS + 1);
	assert_int_equal(d.settlements, 1);
}

/* What nobody else would believe is left out and told. */
static void test_badly_signed(void **state)
{
	struct fixture *f = *state;
	struct dispute d;

	add_order(f, 1, f->client);
	dossier_free(export_period(f, 0, month_period(f->now), &d));
	assert_int_equal(d.orders, 1);
	assert_int_equal(d.unreadable, 1);
	assert_int_equal(d.items, 2); /* its order, and the payee */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_everything), TEST(test_one_month), TEST(test_badly_signed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
