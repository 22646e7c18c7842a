/* Dossiers: items that belong together are sound, and each way of not belonging has its own name. */
#include "common/memory.h"
#include "payments/dossier.h"
#include "payments/month.h"
#include "payments/settlement.h"
#include "payments/u256.h"
#include "payments/usage.h"
#include "tests/kit/vectors.h"

#define DAY 20000u
#define ORDERS 3
#define JANUARY_2026 1767225600ull

static struct key *satellite, *client, *node;
static struct domain domain;

static int set_up(void **state)
{
	struct address contract = {{5}};

	(void)state;
	satellite = key_generate();
	client = key_generate();
	node = key_generate();
	domain_init(&domain, 31337, &contract);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	key_free(satellite);
	key_free(client);
	key_free(node);
	return 0;
}

/* Items as JSON under way. */
static json_t *list;

static void add(const struct fields *type, const void *object, const struct key *signer, struct bytes data)
{
	struct evidence evidence;

	memset(&evidence, 0, sizeof(evidence));
	evidence.type = type;
	memcpy(&evidence.object, object, type->size);
	evidence.domain = domain;
	evidence.signer = *key_address(signer);
	typed_sign(type, object, &domain, signer, &evidence.signature);
	json_array_append_new(list, dossier_item_json(&evidence, data));
}

static const struct bytes no_data = {NULL, 0};

static struct dossier *read_list(void)
{
	json_t *root = json_pack("{s:s, s:o, s:n}", "format", DOSSIER_FORMAT, "items", list, "comment");
	char *text = json_dumps(root, JSON_COMPACT), why[DOSSIER_WHY] = "";
	struct dossier *dossier = NULL;

	assert_non_null(text);
	assert_int_equal(dossier_read(bytes_of_text(text), &dossier, why), ERR_OK);
	assert_int_equal(dossier_count(dossier), json_array_size(list));
	json_decref(root);
	free(text);
	list = NULL;
	return dossier;
}

static void expect(const struct dossier *dossier, size_t i, enum dossier_fault want)
{
	char why[DOSSIER_WHY] = "";
	enum dossier_fault found = dossier_check(dossier, i, why);

	if (found != want)
		fail_msg("item %zu: %s (%s), not %s", i, dossier_fault_name(found), why, dossier_fault_name(want));
	assert_int_equal(*why == '\0', want == DOSSIER_SOUND);
}

/* One item, read and checked. */
static void expect_alone(enum dossier_fault want)
{
	struct dossier *dossier = read_list();

	expect(dossier, 0, want);
	dossier_free(dossier);
}

static struct allocation some_allocation(void)
{
	return (struct allocation){.serial = {{9}},
				   .satellite = *key_address(satellite),
				   .client = *key_address(client),
				   .node = *key_address(node),
				   .action = ACTION_GET,
				   .limit = 1000};
}

static void test_transfer(void **state)
{
	struct allocation allocation = some_allocation();
	struct order order = {.amount = 500}, other = {.allocation = {{1}}, .amount = 5};
	struct receipt receipt = {.size = 500};
	struct dossier *dossier;

	(void)state;
	list = json_array();
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	receipt.allocation = order.allocation;
	add(&typed_order, &order, client, no_data);
	add(&typed_receipt, &receipt, node, no_data);
	add(&typed_allocation, &allocation, satellite, no_data);
	add(&typed_order, &order, node, no_data);	/* not the client */
	add(&typed_receipt, &receipt, client, no_data); /* not the node */
	add(&typed_order, &other, node, no_data);	/* of an allocation that is not here */
	add(&typed_allocation, &allocation, client, no_data);
	dossier = read_list();
	for (size_t i = 0; i < 3; i++)
		expect(dossier, i, DOSSIER_SOUND);
	assert_int_equal(dossier_named(dossier, 2), -1);
	assert_int_equal(dossier_named(dossier, 5), -1);
	assert_true(dossier_item(dossier, (size_t)dossier_named(dossier, 0))->type == &typed_allocation);
	expect(dossier, 3, DOSSIER_PARTY);
	expect(dossier, 4, DOSSIER_PARTY);
	expect(dossier, 5, DOSSIER_SOUND);
	expect(dossier, 6, DOSSIER_SIGNATURE);
	dossier_free(dossier);
}

/* An order for the same allocation at another chain binds nobody here. */
static void test_another_domain(void **state)
{
	struct allocation allocation = some_allocation();
	struct order order = {.amount = 500};
	struct domain kept = domain;
	struct dossier *dossier;

	(void)state;
	list = json_array();
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	add(&typed_allocation, &allocation, satellite, no_data);
	domain_init(&domain, 1, &kept.contract);
	add(&typed_order, &order, client, no_data);
	domain = kept;
	dossier = read_list();
	expect(dossier, 0, DOSSIER_SOUND);
	expect(dossier, 1, DOSSIER_PARTY);
	dossier_free(dossier);
}

/* Orders of a settlement, sorted by their struct hashes, as data. */
static size_t make_orders(uint8_t rows[ORDERS * 40], struct settlement *settlement)
{
	struct bytes32 hashes[ORDERS];
	struct order orders[ORDERS];
	struct commitment c;

	for (size_t i = 0; i < ORDERS; i++) {
		orders[i] = (struct order){.allocation = {{(uint8_t)(i + 1)}}, .amount = 100 + i};
		typed_hash(&typed_order, &orders[i], &hashes[i]);
		for (size_t at = i; at > 0 && bytes32_compare(&hashes[at - 1], &hashes[at]) > 0; at--) {
			struct bytes32 hash = hashes[at];
			struct order order = orders[at];

			hashes[at] = hashes[at - 1], orders[at] = orders[at - 1];
			hashes[at - 1] = hash, orders[at - 1] = order;
		}
	}
	commitment_init(&c);
	for (size_t i = 0; i < ORDERS; i++) {
		memcpy(rows + 40 * i, orders[i].allocation.b, 32);
		put_be64(rows + 40 * i + 32, orders[i].amount);
		assert_int_equal(commitment_add(&c, &hashes[i], orders[i].amount), ERR_OK);
	}
	*settlement = (struct settlement){
		.satellite = *key_address(satellite), .node = *key_address(node), .count = c.count, .bytes = c.bytes};
	commitment_final(&c, &settlement->orders);
	return ORDERS * 40;
}

static void expect_settlement(const struct settlement *settlement, const uint8_t *rows, size_t len,
			      enum dossier_fault want)
{
	list = json_array();
	add(&typed_settlement, settlement, node, bytes_of(rows, len));
	expect_alone(want);
}

static void test_settlement(void **state)
{
	uint8_t rows[ORDERS * 40], swapped[ORDERS * 40];
	struct settlement settlement;
	size_t len = make_orders(rows, &settlement);

	(void)state;
	expect_settlement(&settlement, rows, len, DOSSIER_SOUND);
	expect_settlement(&settlement, rows, 0, DOSSIER_SOUND); /* without its list */
	expect_settlement(&settlement, rows, len - 40, DOSSIER_DATA);
	expect_settlement(&settlement, rows, len - 1, DOSSIER_DATA);
	memcpy(swapped, rows + 40, 40);
	memcpy(swapped + 40, rows, 40);
	memcpy(swapped + 80, rows + 80, 40);
	expect_settlement(&settlement, swapped, len, DOSSIER_DATA);
	settlement.bytes++;
	expect_settlement(&settlement, rows, len, DOSSIER_SUM);
	settlement.bytes--;
	settlement.count++;
	expect_settlement(&settlement, rows, len, DOSSIER_SUM);
	rows[39] ^= 1;
	expect_settlement(&settlement, rows, len, DOSSIER_DATA);
}

static void test_settled(void **state)
{
	struct settlement settlement = {.satellite = *key_address(satellite), .node = *key_address(node)};
	struct bytes32 allocation = {{7}};
	struct settled settled;
	struct dossier *dossier;
	struct verdicts_hash v;
	uint8_t row[43] = {7};

	(void)state;
	row[32] = VERDICT_SETTLED;
	put_be64(row + 35, 77);
	verdicts_init(&v);
	assert_int_equal(verdicts_add(&v, &allocation, VERDICT_SETTLED, REFUSAL_NONE, 77), ERR_OK);
	settled.bytes = v.bytes;
	verdicts_final(&v, &settled.verdicts);
	typed_hash(&typed_settlement, &settlement, &settled.settlement);
	list = json_array();
	add(&typed_settlement, &settlement, node, no_data);
	add(&typed_settled, &settled, satellite, bytes_of(row, 43));
	add(&typed_settled, &settled, node, bytes_of(row, 43));	     /* not by the satellite */
	add(&typed_settled, &settled, satellite, bytes_of(row, 42)); /* not whole rows */
	settled.bytes++;
	add(&typed_settled, &settled, satellite, bytes_of(row, 43));
	settled.bytes--;
	row[42] ^= 1;
	add(&typed_settled, &settled, satellite, bytes_of(row, 43));
	dossier = read_list();
	assert_int_equal(dossier_named(dossier, 1), 0);
	expect(dossier, 1, DOSSIER_SOUND);
	expect(dossier, 2, DOSSIER_PARTY);
	expect(dossier, 3, DOSSIER_DATA);
	expect(dossier, 4, DOSSIER_SUM);
	expect(dossier, 5, DOSSIER_DATA);
	dossier_free(dossier);
}

static void expect_usage(const struct usage *usage, const uint8_t *data, size_t len, enum dossier_fault want)
{
	list = json_array();
	add(&typed_usage, usage, satellite, bytes_of(data, len));
	expect_alone(want);
}

static void test_usage(void **state)
{
	const struct usage_row row = {{{3}}, USAGE_BEGAN, 10, DAY * 86400ull, 0};
	const struct usage_carried carried = {5, byte_seconds_from(6)};
	struct usage usage = {.satellite = *key_address(satellite), .node = *key_address(node), .day = DAY};
	uint8_t data[24 + USAGE_ROW];
	struct usage_sum sum;
	struct usage_day day;
	struct writer w;

	(void)state;
	usage_begin(&sum, DAY, &carried);
	assert_int_equal(usage_add(&sum, &row), ERR_OK);
	assert_int_equal(usage_end(&sum, &day), ERR_OK);
	usage.changes = day.changes;
	usage.byteSeconds = byte_seconds_value(day.stored);
	writer_init(&w, data, sizeof(data));
	write_u64(&w, 5);
	write_u128(&w, 6);
	fields_encode(&usage_row_fields, &row, &w);
	expect_usage(&usage, data, sizeof(data), DOSSIER_SOUND);
	expect_usage(&usage, data, 24, DOSSIER_DATA);
	expect_usage(&usage, data, 23, DOSSIER_DATA);
	usage.byteSeconds++;
	expect_usage(&usage, data, sizeof(data), DOSSIER_SUM);
	data[24 + 32] = USAGE_ENDED;
	expect_usage(&usage, data, sizeof(data), DOSSIER_DATA);
}

static void expect_statement(const struct statement *statement, const uint8_t *data, size_t len,
			     enum dossier_fault want)
{
	list = json_array();
	add(&typed_statement, statement, satellite, bytes_of(data, len));
	expect_alone(want);
}

static void test_statement(void **state)
{
	static struct closed_month closed;
	static struct month month;
	static uint8_t data[SHEET_BYTES];
	struct statement_parties parties = {*key_address(satellite), *key_address(node), {{4}}, u256_of(1000)};
	struct standing standing = {.registered = JANUARY_2026};
	struct month_before before;
	struct bytes32 none = u256_of(0);
	struct statement statement;
	struct writer w;

	(void)state;
	memset(&before, 0, sizeof(before));
	month_begin(&month, JANUARY_2026);
	assert_int_equal(month_add_bonus(&month, amount_of(1000)), ERR_OK);
	assert_int_equal(month_close(&month, &held_default, &standing, &before, &closed), ERR_OK);
	assert_int_equal(month_statement(&closed, &parties, &none, true, &statement), ERR_OK);
	writer_init(&w, data, sizeof(data));
	sheet_encode(&closed.sheet, &w);
	expect_statement(&statement, data, w.len, DOSSIER_SOUND);
	expect_statement(&statement, data, w.len - 1, DOSSIER_DATA);
	data[0] ^= SHEET_OFFLINE;
	expect_statement(&statement, data, w.len, DOSSIER_DATA);
	data[0] ^= SHEET_OFFLINE;
	statement.paid--;
	expect_statement(&statement, data, w.len, DOSSIER_SUM);
}

/* Who signs two things about one month, day or price is found out, but by authentic ones only. */
static void test_rivals(void **state)
{
	const struct address *from = key_address(satellite), *to = key_address(node);
	struct statement statement = {.satellite = *from, .node = *to, .period = 202610};
	struct usage usage = {.satellite = *from, .node = *to, .day = DAY};
	struct price price = {.party = *from, .from = DAY * 86400ull, .until = DAY * 86400ull + 86400};
	struct payee payee = {.node = *to, .from = 1};
	const bool all[12] = {true, true, true, true, true, true, true, true, true, true, true, true};
	const bool but_two[12] = {true, false, true, true, true, true, true, true, true, false, true, true};
	const ptrdiff_t want[12] = {1, 0, -1, 1, 5, 4, 7, 6, -1, 0, -1, -1};
	struct dossier *dossier;

	(void)state;
	list = json_array();
	add(&typed_statement, &statement, satellite, no_data);
	statement.paid = 1;
	add(&typed_statement, &statement, satellite, no_data);
	statement.period++;
	add(&typed_statement, &statement, satellite, no_data);
	statement.period--;
	statement.paid = 0;
	add(&typed_statement, &statement, satellite, no_data); /* the first, once more */
	add(&typed_usage, &usage, satellite, no_data);
	usage.byteSeconds = 1;
	add(&typed_usage, &usage, satellite, no_data);
	add(&typed_price, &price, satellite, no_data);
	price.egress = 1;
	add(&typed_price, &price, satellite, no_data);
	usage.day++;
	add(&typed_usage, &usage, satellite, no_data);
	statement.paid = 2;
	add(&typed_statement, &statement, satellite, no_data);
	add(&typed_payee, &payee, node, no_data);
	payee.payee.b[0] = 1;
	add(&typed_payee, &payee, node, no_data);
	dossier = read_list();
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(dossier_rival(dossier, i, all), want[i]);
	assert_int_equal(dossier_rival(dossier, 0, but_two), -1);
	assert_int_equal(dossier_rival(dossier, 1, but_two), 0);
	dossier_free(dossier);
}

static void expect_pieces(const uint8_t *data, size_t len, enum dossier_fault want)
{
	struct deletion deletion = {.satellite = *key_address(satellite), .node = *key_address(node)};
	struct loss loss = {.satellite = *key_address(satellite), .node = *key_address(node)};
	uint8_t two[64] = {1};

	two[32] = 2;
	keccak_once(two, sizeof(two), &deletion.pieces);
	loss.pieces = deletion.pieces;
	list = json_array();
	add(&typed_deletion, &deletion, satellite, bytes_of(data, len));
	expect_alone(want);
	list = json_array();
	add(&typed_loss, &loss, node, bytes_of(data, len));
	expect_alone(want);
}

static void test_pieces(void **state)
{
	uint8_t two[64] = {1}, same[64] = {1};

	(void)state;
	two[32] = 2;
	same[32] = 1;
	expect_pieces(two, 64, DOSSIER_SOUND);
	expect_pieces(two, 32, DOSSIER_DATA);
	expect_pieces(two, 63, DOSSIER_DATA);
	expect_pieces(same, 64, DOSSIER_DATA);
}

static void test_no_list(void **state)
{
	struct payee payee = {.node = *key_address(node)};

	(void)state;
	list = json_array();
	add(&typed_payee, &payee, node, bytes_of("x", 1));
	expect_alone(DOSSIER_DATA);
}

/* Lists longer than any buffer on the way come through whole. */
static void test_long_data(void **state)
{
	size_t len = 100000 + 7;
	uint8_t *data = memory_new(len, 1);
	struct usage usage = {.satellite = *key_address(satellite)};
	struct dossier *dossier;
	struct bytes got;
	bool there;

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7);
	list = json_array();
	add(&typed_usage, &usage, satellite, bytes_of(data, len));
	add(&typed_usage, &usage, satellite, no_data);
	dossier = read_list();
	got = dossier_data(dossier, 0, &there);
	assert_true(there);
	assert_true(bytes_equal(got, bytes_of(data, len)));
	dossier_data(dossier, 1, &there);
	assert_false(there);
	dossier_free(dossier);
	free(data);
}

static void expect_refused(const char *text, const char *said)
{
	struct dossier *dossier = NULL;
	char why[DOSSIER_WHY] = "";

	assert_int_equal(dossier_read(bytes_of_text(text), &dossier, why), ERR_FORMAT);
	assert_null(dossier);
	if (strstr(why, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, said);
}

/* A dossier of one good item with that "data". */
static void expect_data_refused(json_t *data)
{
	struct payee payee = {.node = *key_address(node)};
	json_t *root;
	char *text;

	list = json_array();
	add(&typed_payee, &payee, node, no_data);
	json_object_set_new(json_array_get(list, 0), "data", data);
	root = json_pack("{s:s, s:o}", "format", DOSSIER_FORMAT, "items", list);
	text = json_dumps(root, 0);
	expect_refused(text, "items[0]: data");
	free(text);
	json_decref(root);
}

static void test_no_dossiers(void **state)
{
	(void)state;
	expect_refused("", "JSON");
	expect_refused("[]", "format");
	expect_refused("{\"format\":\"granary-dossier-2\",\"items\":[]}", "format");
	expect_refused("{\"format\":\"granary-dossier-1\"}", "items");
	expect_refused("{\"format\":\"granary-dossier-1\",\"items\":{}}", "items");
	expect_refused("{\"format\":\"granary-dossier-1\",\"items\":[{}]}", "items[0]: typedData");
	expect_data_refused(json_null());
	expect_data_refused(json_string(""));
	expect_data_refused(json_string("00"));
	expect_data_refused(json_string("0x0"));
	expect_data_refused(json_string("0x0g"));
	expect_data_refused(json_string("0x0x"));
	expect_data_refused(json_string("0x0x00"));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(dossier_fault_name(DOSSIER_SOUND), "sound");
	assert_string_equal(dossier_fault_name(DOSSIER_SUM), "sum");
	assert_string_equal(dossier_fault_name((enum dossier_fault)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transfer),    cmocka_unit_test(test_another_domain),
		cmocka_unit_test(test_settlement),  cmocka_unit_test(test_settled),
		cmocka_unit_test(test_usage),	    cmocka_unit_test(test_statement),
		cmocka_unit_test(test_rivals),	    cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_no_list),	    cmocka_unit_test(test_long_data),
		cmocka_unit_test(test_no_dossiers), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
