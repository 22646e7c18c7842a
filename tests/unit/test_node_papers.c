/* What a node keeps of a satellite's word, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/papers.h"

#define DAY 20000
#define SIZE 1000

struct fixture {
	char dir[64];
	struct papers *papers;
	struct key *key; /* the satellite's */
	struct satellite satellite;
	struct address node;
	uint8_t wire[1024];
	uint8_t rows[4 * USAGE_ROW];
	char why[PAPERS_MESSAGE];
};

static int set_up(void **state)
{
	const struct address no_contract = {{0}};
	struct fixture *f = memory_new(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-papers-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(papers_open(f->dir, &f->papers, f->why), ERR_OK);
	f->key = key_generate();
	f->satellite.address = *key_address(f->key);
	f->satellite.pinned = true;
	domain_init(&f->satellite.domain, 5, &no_contract);
	memset(f->node.b, 7, sizeof(f->node.b));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	papers_close(f->papers);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	key_free(f->key);
	free(f);
	return 0;
}

static struct bytes sign(struct fixture *f, const struct fields *type, const void *object, const struct key *key)
{
	struct signature signature;
	struct writer w;

	typed_sign(type, object, &f->satellite.domain, key, &signature);
	writer_init(&w, f->wire, sizeof(f->wire));
	typed_encode(type, object, &signature, &w);
	return writer_bytes(&w);
}

/* A day's usage with these rows, honestly made; *carried becomes what it carries out. */
static enum err keep_day(struct fixture *f, uint32_t day, const struct usage_row *rows, size_t count,
			 struct usage_carried *carried)
{
	struct papers_day paper = {.carried = *carried};
	struct usage usage = {.satellite = f->satellite.address, .node = f->node, .day = day};
	struct usage_sum sum;
	struct usage_day known;
	struct writer w;

	usage_begin(&sum, day, carried);
	writer_init(&w, f->rows, sizeof(f->rows));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(usage_add(&sum, &rows[i]), ERR_OK);
		fields_encode(&usage_row_fields, &rows[i], &w);
	}
	assert_int_equal(usage_end(&sum, &known), ERR_OK);
	usage.changes = known.changes;
	usage.byteSeconds = byte_seconds_value(known.stored);
	paper.rows = writer_bytes(&w);
	paper.signed_usage = sign(f, &typed_usage, &usage, f->key);
	*carried = known.carried;
	return papers_keep_usage(f->papers, &f->satellite, &f->node, day, &paper, f->why);
}

static struct usage_row row_of(uint8_t piece, enum usage_change change, uint64_t from, uint64_t to)
{
	struct usage_row row = {.change = (uint8_t)change, .size = SIZE, .from = from, .to = to};

	memset(row.piece.b, piece, sizeof(row.piece.b));
	return row;
}

struct seen {
	unsigned count;
	uint128 sum;
};

static enum err see_day(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct seen *seen = arg;

	assert_true(paper->signed_usage.len > 0);
	assert_int_equal(usage->day, DAY + seen->count);
	seen->count++;
	seen->sum += usage->byteSeconds;
	return ERR_OK;
}

static void test_days_in_a_row(void **state)
{
	struct fixture *f = *state;
	const uint64_t start = (uint64_t)DAY * USAGE_DAY;
	struct usage_row begins = row_of(1, USAGE_BEGAN, start + 100, 0);
	struct usage_row ends = row_of(1, USAGE_ENDED, start + 100, start + 2 * USAGE_DAY + 50);
	struct usage_carried carried = {0}, wrong = {.bytes = 5};
	struct seen seen = {0};
	uint32_t next;

	assert_int_equal(papers_next_day(f->papers, &f->satellite.address, DAY, &next), ERR_OK);
	assert_int_equal(next, DAY);
	assert_int_equal(keep_day(f, DAY, &begins, 1, &carried), ERR_OK);
	assert_int_equal(papers_next_day(f->papers, &f->satellite.address, 99, &next), ERR_OK);
	assert_int_equal(next, DAY + 1);
	/* What was carried out must be carried in; a day cannot be left out. */
	assert_int_equal(keep_day(f, DAY + 1, NULL, 0, &wrong), ERR_PROTOCOL);
	assert_int_equal(papers_skip_day(f->papers, &f->satellite, DAY + 1, f->why), ERR_PROTOCOL);
	assert_int_equal(keep_day(f, DAY + 1, NULL, 0, &carried), ERR_OK);
	assert_int_equal(keep_day(f, DAY + 2, &ends, 1, &carried), ERR_OK);
	assert_int_equal(carried.bytes, 0);
	assert_int_equal(papers_skip_day(f->papers, &f->satellite, DAY + 3, f->why), ERR_OK);
	assert_int_equal(papers_days(f->papers, &f->satellite.address, DAY, DAY + 9, see_day, &seen), ERR_OK);
	assert_int_equal(seen.count, 3);
	assert_true(seen.sum == (uint128)SIZE * (2 * USAGE_DAY - 50));
	/* After a day of nothing it begins with nothing. */
	wrong.bytes = 5;
	assert_int_equal(keep_day(f, DAY + 4, NULL, 0, &wrong), ERR_PROTOCOL);
	carried = (struct usage_carried){0};
	begins = row_of(2, USAGE_BEGAN, start + 4 * USAGE_DAY, 0);
	assert_int_equal(keep_day(f, DAY + 4, &begins, 1, &carried), ERR_OK);
}

static void test_said_otherwise(void **state)
{
	struct fixture *f = *state;
	struct usage_row row = row_of(1, USAGE_BEGAN, (uint64_t)DAY * USAGE_DAY, 0);
	struct usage_carried carried = {0};

	assert_int_equal(keep_day(f, DAY, &row, 1, &carried), ERR_OK);
	carried = (struct usage_carried){0};
	assert_int_equal(keep_day(f, DAY, &row, 1, &carried), ERR_OK); /* the same again is fine */
	row.size++;
	carried = (struct usage_carried){0};
	assert_int_equal(keep_day(f, DAY, &row, 1, &carried), ERR_CONFLICT);
	assert_string_equal(f->why, "the satellite signed something else before");
}

static void test_bad_usages(void **state)
{
	struct fixture *f = *state;
	struct key *other = key_generate();
	struct usage usage = {.satellite = f->satellite.address, .node = f->node, .day = DAY};
	struct papers_day paper = {.signed_usage = bytes_of_text("not one")};
	struct usage_sum sum;
	struct usage_day known;

	usage_begin(&sum, DAY, &paper.carried);
	assert_int_equal(usage_end(&sum, &known), ERR_OK);
	usage.changes = known.changes;
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY, &paper, f->why), ERR_FORMAT);
	paper.signed_usage = sign(f, &typed_usage, &usage, other);
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY, &paper, f->why), ERR_SIGNATURE);
	paper.signed_usage = sign(f, &typed_usage, &usage, f->key);
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY + 1, &paper, f->why), ERR_DENIED);
	paper.carried.bytes = 1;
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY, &paper, f->why), ERR_PROTOCOL);
	paper.carried.bytes = 0;
	paper.rows = bytes_of(f->rows, USAGE_ROW - 1);
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY, &paper, f->why), ERR_PROTOCOL);
	paper.rows = bytes_of(f->rows, 0);
	usage.node.b[3]++;
	paper.signed_usage = sign(f, &typed_usage, &usage, f->key);
	assert_int_equal(papers_keep_usage(f->papers, &f->satellite, &f->node, DAY, &paper, f->why), ERR_DENIED);
	key_free(other);
}

static enum err see_price(void *arg, const struct price *price, struct bytes signed_price)
{
	struct seen *seen = arg;

	assert_true(signed_price.len > 0);
	seen->count++;
	seen->sum += price->storage;
	return ERR_OK;
}

static void test_prices(void **state)
{
	struct fixture *f = *state;
	struct price price = {.party = f->satellite.address,
			      .storage = 1,
			      .from = (uint64_t)DAY * PRICE_DAY,
			      .until = (uint64_t)(DAY + 100) * PRICE_DAY};
	struct seen seen = {0};

	for (int i = 0; i < 3; i++) {
		assert_int_equal(papers_keep_price(f->papers, &f->satellite, &price.party,
						   sign(f, &typed_price, &price, f->key), f->why),
				 ERR_OK);
		price.from += 10 * PRICE_DAY;
		price.storage *= 10;
	}
	/* The second holds on day 15, the third begins on day 20. */
	assert_int_equal(papers_prices(f->papers, &f->satellite.address, &price.party, (uint64_t)(DAY + 15) * PRICE_DAY,
				       (uint64_t)(DAY + 21) * PRICE_DAY, see_price, &seen),
			 ERR_OK);
	assert_int_equal(seen.count, 2);
	assert_true(seen.sum == 110);
	price.from = (uint64_t)DAY * PRICE_DAY;
	assert_int_equal(papers_keep_price(f->papers, &f->satellite, &price.party,
					   sign(f, &typed_price, &price, f->key), f->why),
			 ERR_CONFLICT);
	assert_int_equal(
		papers_keep_price(f->papers, &f->satellite, &f->node, sign(f, &typed_price, &price, f->key), f->why),
		ERR_DENIED);
	price.from++;
	assert_int_equal(papers_keep_price(f->papers, &f->satellite, &price.party,
					   sign(f, &typed_price, &price, f->key), f->why),
			 ERR_SIGNATURE);
	assert_int_equal(papers_keep_price(f->papers, &f->satellite, &price.party, bytes_of_text("1.5 tokens"), f->why),
			 ERR_FORMAT);
}

static enum err see_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
			      struct bytes sheet)
{
	struct seen *seen = arg;

	assert_true(signed_statement.len > 0 && sheet.len > 0);
	seen->count++;
	seen->sum += statement->earned;
	return ERR_OK;
}

static void test_statements(void **state)
{
	struct fixture *f = *state;
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	struct statement statement = {.satellite = f->satellite.address,
				      .node = f->node,
				      .payee = f->node,
				      .period = 202601,
				      .earned = 500,
				      .paid = 500};
	uint8_t lines[SHEET_LINE_BYTES * 4];
	struct seen seen = {0};
	struct writer w;
	uint32_t last;

	assert_int_equal(sheet_add_money(sheet, LINE_BONUS, 0, amount_of(500)), ERR_OK);
	sheet->codes = 32;
	writer_init(&w, lines, sizeof(lines));
	sheet_encode(sheet, &w);
	sheet_commit(sheet, &statement.lines);
	statement.nodeCumulative.b[30] = statement.payeeCumulative.b[30] = 5;
	assert_int_equal(papers_last_period(f->papers, &f->satellite.address, &last), ERR_OK);
	assert_int_equal(last, 0);
	if (papers_keep_statement(f->papers, &f->satellite, &f->node, sign(f, &typed_statement, &statement, f->key),
				  writer_bytes(&w), f->why) != ERR_OK)
		fail_msg("%s", f->why);
	assert_int_equal(papers_last_period(f->papers, &f->satellite.address, &last), ERR_OK);
	assert_int_equal(last, 202601);
	statement.earned++;
	assert_int_equal(papers_keep_statement(f->papers, &f->satellite, &f->node,
					       sign(f, &typed_statement, &statement, f->key), writer_bytes(&w), f->why),
			 ERR_PROTOCOL);
	assert_non_null(strstr(f->why, "does not add up"));
	statement.earned--;
	statement.payee.b[0]++;
	assert_int_equal(papers_keep_statement(f->papers, &f->satellite, &f->node,
					       sign(f, &typed_statement, &statement, f->key), writer_bytes(&w), f->why),
			 ERR_CONFLICT);
	assert_int_equal(papers_statements(f->papers, &f->satellite.address, 202512, 202601, see_statement, &seen),
			 ERR_OK);
	assert_int_equal(seen.count, 1);
	assert_true(seen.sum == 500);
	/* Of all satellites; and of one that signed nothing. */
	assert_int_equal(papers_statements(f->papers, NULL, 202512, 202601, see_statement, &seen), ERR_OK);
	assert_int_equal(seen.count, 2);
	assert_int_equal(papers_statements(f->papers, &f->node, 202512, 202601, see_statement, &seen), ERR_OK);
	assert_int_equal(seen.count, 2);
	free(sheet);
}

static struct papers_ask *asks_of(struct fixture *f, size_t expected)
{
	struct papers_ask *asks = NULL;
	size_t count;

	assert_int_equal(papers_asks(f->papers, &f->satellite.address, &asks, &count), ERR_OK);
	assert_int_equal(count, expected);
	return asks;
}

static enum err keep_ask(struct fixture *f, uint64_t storage, uint64_t day, const struct key *signer)
{
	const struct price price = {.party = *key_address(f->key),
				    .storage = storage,
				    .from = day * PRICE_DAY,
				    .until = (day + 5) * PRICE_DAY};

	return papers_keep_ask(f->papers, &f->satellite, &price.party, sign(f, &typed_price, &price, signer), f->why);
}

static enum err count_price(void *arg, const struct price *price, struct bytes signed_price)
{
	assert_true(signed_price.len > 0);
	*(uint64_t *)arg = price->storage;
	return ERR_OK;
}

static uint64_t price_that_counts(struct fixture *f)
{
	const uint64_t at = (uint64_t)DAY * PRICE_DAY;
	uint64_t storage = 0;

	assert_int_equal(papers_prices(f->papers, &f->satellite.address, key_address(f->key), at, at + PRICE_DAY,
				       count_price, &storage),
			 ERR_OK);
	return storage;
}

/* An ask can be taken back until it was offered, and counts when it was accepted. Here one key is both parties. */
static void test_asks(void **state)
{
	struct fixture *f = *state;
	const struct address *satellite = &f->satellite.address;
	struct key *other = key_generate();
	struct papers_ask *first, *second;

	assert_int_equal(keep_ask(f, 1, DAY, other), ERR_SIGNATURE);
	free(asks_of(f, 0));
	assert_int_equal(keep_ask(f, 1, DAY, f->key), ERR_OK);
	first = asks_of(f, 1);
	assert_int_equal(keep_ask(f, 2, DAY, f->key), ERR_OK);
	second = asks_of(f, 1);
	assert_int_equal(second->price.storage, 2);
	assert_int_equal(second->state, ASK_WAITING);
	/* What was replaced meanwhile is not offered. */
	assert_int_equal(papers_move_ask(f->papers, satellite, first, ASK_OFFERED, ""), ERR_CONFLICT);
	assert_int_equal(papers_move_ask(f->papers, satellite, second, ASK_OFFERED, ""), ERR_OK);
	assert_int_equal(price_that_counts(f), 0);
	/* Perhaps the satellite has it. */
	assert_int_equal(keep_ask(f, 3, DAY, f->key), ERR_CONFLICT);
	assert_int_equal(keep_ask(f, 2, DAY, f->key), ERR_OK);
	assert_int_equal(papers_move_ask(f->papers, satellite, second, ASK_REFUSED, "too late"), ERR_OK);
	free(first);
	first = asks_of(f, 1);
	assert_int_equal(first->state, ASK_REFUSED);
	assert_string_equal(first->why, "too late");
	assert_int_equal(price_that_counts(f), 0);
	assert_int_equal(keep_ask(f, 2, DAY, f->key), ERR_OK); /* once more, the same */
	assert_int_equal(keep_ask(f, 9, DAY + 1, f->key), ERR_OK);
	free(first);
	first = asks_of(f, 2);
	assert_int_equal(first[0].state, ASK_WAITING);
	assert_int_equal(papers_move_ask(f->papers, satellite, first, ASK_ACCEPTED, ""), ERR_OK);
	assert_int_equal(papers_move_ask(f->papers, satellite, first, ASK_ACCEPTED, ""), ERR_OK);
	assert_int_equal(price_that_counts(f), 2);
	assert_int_equal(keep_ask(f, 3, DAY, f->key), ERR_CONFLICT);
	free(first);
	free(second);
	key_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_days_in_a_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_said_otherwise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_usages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_prices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_statements, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_asks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
