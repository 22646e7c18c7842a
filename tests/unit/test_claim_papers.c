/* Which of the statements that a node keeps it claims by, and which it refuses to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/claim_papers.h"
#include "node/papers.h"

#define SATELLITES 2
#define CHAIN 31337

struct fixture {
	char dir[64];
	struct trust *trust;
	struct key *keys[SATELLITES];
	struct address node;
	struct address contract;
	struct claim_papers papers;
	char why[CLAIM_MESSAGE];
};

/* Trust the first `count` satellites. */
static void trust_some(struct fixture *f, size_t count)
{
	struct endpoint endpoints[SATELLITES] = {0};

	for (size_t i = 0; i < count; i++) {
		endpoints[i].id = *key_id(f->keys[i]);
		assert_int_equal(hostport_parse("127.0.0.1:1", &endpoints[i].at), ERR_OK);
	}
	assert_int_equal(trust_set(f->trust, endpoints, count), ERR_OK);
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-claim-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(trust_open(f->dir, &f->trust, f->why), ERR_OK);
	memset(f->node.b, 7, sizeof(f->node.b));
	memset(f->contract.b, 9, sizeof(f->contract.b));
	for (size_t i = 0; i < SATELLITES; i++)
		f->keys[i] = key_generate();
	trust_some(f, SATELLITES);
	for (size_t i = 0; i < SATELLITES; i++)
		assert_int_equal(trust_pin(f->trust, key_address(f->keys[i]), CHAIN, &f->contract), ERR_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	for (size_t i = 0; i < SATELLITES; i++)
		key_free(f->keys[i]);
	trust_free(f->trust);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* A statement of a month without work, by which the payee was allotted so much before. */
static struct statement make_statement(const struct fixture *f, size_t satellite, uint32_t period, struct sheet *sheet)
{
	struct statement statement = {
		.satellite = *key_address(f->keys[satellite]), .node = f->node, .payee = f->node, .period = period};

	memset(sheet, 0, sizeof(*sheet));
	sheet_commit(sheet, &statement.lines);
	statement.payeeCumulative.b[31] = (uint8_t)period;
	return statement;
}

/* The node has fetched it. */
static void keep(struct fixture *f, size_t satellite, uint32_t period)
{
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	struct statement statement = make_statement(f, satellite, period, sheet);
	struct satellite signer;
	struct signature signature;
	struct papers *papers;
	uint8_t wire[1024], lines[64];
	struct writer signed_statement, encoded;

	assert_int_equal(trust_find(f->trust, &statement.satellite, &signer), ERR_OK);
	typed_sign(&typed_statement, &statement, &signer.domain, f->keys[satellite], &signature);
	writer_init(&signed_statement, wire, sizeof(wire));
	typed_encode(&typed_statement, &statement, &signature, &signed_statement);
	writer_init(&encoded, lines, sizeof(lines));
	sheet_encode(sheet, &encoded);
	assert_int_equal(papers_open(f->dir, &papers, f->why), ERR_OK);
	if (papers_keep_statement(papers, &signer, &f->node, writer_bytes(&signed_statement), writer_bytes(&encoded),
				  f->why) != ERR_OK)
		fail_msg("%s", f->why);
	papers_close(papers);
	free(sheet);
}

static enum err find(struct fixture *f, uint32_t period)
{
	return claim_papers_find_statement(f->trust, &f->node, f->dir, period, &f->papers, f->why);
}

static void test_nothing_kept(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, PAPERS_FILE);
	struct papers *papers;

	assert_int_equal(find(f, 0), ERR_NOT_FOUND);
	assert_false(file_exists(path)); /* it is the daemon's to make */
	assert_int_equal(papers_open(f->dir, &papers, f->why), ERR_OK);
	papers_close(papers);
	assert_int_equal(find(f, 0), ERR_NOT_FOUND);
	assert_int_equal(find(f, 202601), ERR_NOT_FOUND);
	free(path);
}

static void test_which_month(void **state)
{
	struct fixture *f = *state;

	keep(f, 0, 202601);
	keep(f, 0, 202602);
	assert_int_equal(find(f, 0), ERR_OK);
	assert_int_equal(f->papers.statement.period, 202602);
	assert_int_equal(f->papers.domain.chain_id, CHAIN);
	assert_true(address_equal(&f->papers.domain.contract, &f->contract));
	assert_int_equal(find(f, 202601), ERR_OK);
	assert_int_equal(f->papers.statement.period, 202601);
	assert_int_equal(find(f, 202603), ERR_NOT_FOUND);
	assert_non_null(strstr(f->why, "of that month"));
}

static void test_which_satellite(void **state)
{
	struct fixture *f = *state;

	keep(f, 0, 202601);
	keep(f, 1, 202602);
	assert_int_equal(find(f, 0), ERR_USAGE);
	assert_non_null(strstr(f->why, "--satellite"));
	assert_int_equal(find(f, 202601), ERR_OK);
	assert_true(address_equal(&f->papers.statement.satellite, key_address(f->keys[0])));
	assert_int_equal(find(f, 202602), ERR_OK);
	assert_true(address_equal(&f->papers.statement.satellite, key_address(f->keys[1])));
	/* Only the first is named. */
	trust_some(f, 1);
	assert_int_equal(find(f, 0), ERR_OK);
	assert_int_equal(f->papers.statement.period, 202601);
	assert_int_equal(find(f, 202602), ERR_NOT_FOUND);
}

/* Whatever it is given, from wherever. */
static void test_what_is_taken(void **state)
{
	struct fixture *f = *state;
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	struct statement statement = make_statement(f, 0, 202601, sheet);
	const struct address nobody = {{1}}, no_contract = {{0}};
	struct signature signature;
	struct satellite satellite;
	struct domain other;

	assert_int_equal(trust_find(f->trust, &statement.satellite, &satellite), ERR_OK);
	typed_sign(&typed_statement, &statement, &satellite.domain, f->keys[0], &signature);
	assert_int_equal(
		claim_papers_take(f->trust, &f->node, &statement, &satellite.domain, &signature, &f->papers, f->why),
		ERR_OK);
	assert_int_equal(
		claim_papers_take(f->trust, &nobody, &statement, &satellite.domain, &signature, &f->papers, f->why),
		ERR_DENIED);
	/* Signed, under the domain of another chain or of no contract. */
	domain_init(&other, 1, &f->contract);
	assert_int_equal(claim_papers_take(f->trust, &f->node, &statement, &other, &signature, &f->papers, f->why),
			 ERR_SIGNATURE);
	typed_sign(&typed_statement, &statement, &other, f->keys[0], &signature);
	assert_int_equal(claim_papers_take(f->trust, &f->node, &statement, &other, &signature, &f->papers, f->why),
			 ERR_CONFLICT);
	domain_init(&other, CHAIN, &no_contract);
	typed_sign(&typed_statement, &statement, &other, f->keys[0], &signature);
	assert_int_equal(claim_papers_take(f->trust, &f->node, &statement, &other, &signature, &f->papers, f->why),
			 ERR_CONFLICT);
	/* By another satellite, and by one that is not trusted. */
	typed_sign(&typed_statement, &statement, &satellite.domain, f->keys[1], &signature);
	assert_int_equal(
		claim_papers_take(f->trust, &f->node, &statement, &satellite.domain, &signature, &f->papers, f->why),
		ERR_SIGNATURE);
	trust_some(f, 0);
	assert_int_equal(
		claim_papers_take(f->trust, &f->node, &statement, &satellite.domain, &signature, &f->papers, f->why),
		ERR_DENIED);
	assert_int_equal(f->papers.domain.chain_id, CHAIN); /* as the first left it */
	assert_true(address_equal(&f->papers.domain.contract, &f->contract));
	free(sheet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_which_month, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_which_satellite, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_taken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
