/*
 * What clients saw of nodes: weighing a report, sums that fade, juries that are small; then REPORT on a real database,
 * with every way in which one does not count, and what comes of it in the choice of nodes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/rules.h"
#include "satellite/reports.h"
#include "satellite/reputations.h"
#include "satellite/roster.h"
#include "tests/kit/office.h"

#define NODES 8
#define NOW UINT64_C(1700000000)

static void weigh(struct experience_seen *seen, size_t count, const char *outcomes, const uint32_t *ms)
{
	for (size_t i = 0; i < count; i++) {
		seen[i] = (struct experience_seen){
			.outcome = outcomes[i] == 'd'	? TRANSFER_DONE
				   : outcomes[i] == 'f' ? TRANSFER_FAILED
							: TRANSFER_SLOW,
			.ms = ms[i]};
	}
	experience_weigh(seen, count);
}

static void test_paces(void **state)
{
	static const uint32_t ms[] = {80, 180, 180, 380, 100000, 0, 1980, 30};
	struct experience_seen seen[8];

	(void)state;
	weigh(seen, 8, "ddddddss", ms);
	/* The middle of the six that ended is 180 ms, and 20 ms are free. */
	assert_int_equal(seen[0].pace, 500);
	assert_int_equal(seen[1].pace, 1000);
	assert_int_equal(seen[3].pace, 2000);
	assert_int_equal(seen[4].pace, 2000);
	assert_int_equal(seen[5].pace, 500);
	/* Given up: slow if it had taken long already, else who knows; neither success nor failure. */
	assert_int_equal(seen[6].pace, 2000);
	assert_int_equal(seen[7].pace, 0);
	assert_false(seen[6].succeeded || seen[6].failed);
	/* A slow line is slow with all. */
	for (size_t i = 0; i < 4; i++)
		seen[i].ms = 1000000;
	experience_weigh(seen, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(seen[i].pace, 1000);
	/* Three are too few for a middle. */
	weigh(seen, 3, "ddd", ms);
	assert_int_equal(seen[2].pace, 0);
	assert_true(seen[2].succeeded);
}

static void test_own_trouble(void **state)
{
	static const uint32_t ms[] = {10, 10, 10, 10};
	struct experience_seen seen[4];

	(void)state;
	weigh(seen, 4, "ddff", ms);
	assert_true(seen[2].failed && seen[3].failed);
	weigh(seen, 4, "dfff", ms);
	for (size_t i = 1; i < 4; i++)
		assert_false(seen[i].failed || seen[i].succeeded);
	assert_true(seen[0].succeeded);
}

static void test_fading(void **state)
{
	struct experience sum = {NOW, 8000, 4000, 2000, 2000000};

	(void)state;
	experience_fade(&sum, NOW - 100);
	assert_int_equal(sum.succeeded, 8000);
	experience_fade(&sum, NOW + EXPERIENCE_HALF_LIFE);
	assert_in_range(sum.succeeded, 3999, 4000);
	assert_in_range(sum.failed, 1999, 2000);
	assert_in_range(sum.pace / sum.timed, 999, 1001);
	assert_int_equal(sum.at, NOW + EXPERIENCE_HALF_LIFE);
	experience_fade(&sum, NOW + 1000ull * EXPERIENCE_HALF_LIFE);
	assert_int_equal(sum.succeeded + sum.failed + sum.timed + sum.pace, 0);
}

/* However often one jury speaks, it is one of sixteen. */
static void test_juries(void **state)
{
	const struct experience_seen bad = {.failed = true, .pace = 2000}, good = {.succeeded = true, .pace = 1000};
	struct experience loud = {.at = NOW}, calm = {.at = NOW}, all = {0};
	struct select_record record;
	uint16_t alone;

	(void)state;
	for (int i = 0; i < 100000; i++)
		experience_add(&loud, &bad);
	for (int i = 0; i < 100; i++)
		experience_add(&calm, &good);
	experience_hear(&all, &loud);
	record = experience_record(&all);
	assert_int_equal(record.failed, EXPERIENCE_JURY_WEIGHT);
	assert_in_range(record.ms, 1330, 1340);
	alone = select_quality(&record, EXPERIENCE_TYPICAL);
	for (int i = 1; i < EXPERIENCE_JURIES; i++)
		experience_hear(&all, &calm);
	record = experience_record(&all);
	assert_int_equal(record.succeeded, (EXPERIENCE_JURIES - 1) * EXPERIENCE_JURY_WEIGHT);
	assert_int_equal(record.failed, EXPERIENCE_JURY_WEIGHT);
	/* Four fifths of its quality are left, of what was less than half before. */
	assert_true(alone < SELECT_QUALITY_USUAL / 2);
	assert_in_range(select_quality(&record, EXPERIENCE_TYPICAL), SELECT_QUALITY_USUAL * 8 / 10,
			SELECT_QUALITY_USUAL * 9 / 10);
	/* Nor can one alone lift its own node far. */
	all = (struct experience){0};
	loud = (struct experience){.at = NOW};
	for (int i = 0; i < 1000; i++)
		experience_add(&loud, &(struct experience_seen){.succeeded = true, .pace = 500});
	experience_hear(&all, &loud);
	record = experience_record(&all);
	assert_true(select_quality(&record, EXPERIENCE_TYPICAL) <= SELECT_QUALITY_USUAL * 12 / 10);
	/* Nothing known is as usual. */
	record = experience_record(&(struct experience){0});
	assert_int_equal(select_quality(&record, EXPERIENCE_TYPICAL), SELECT_QUALITY_USUAL);
}

/* Policy 2/3/4/8: a segment has a piece on each node. */
static int set_up(void **state)
{
	struct office *office = office_new("2/3/4/8", NODES);

	office->settings.prefer_better = 100;
	*state = office;
	return 0;
}

enum lie {
	LIE_NONE,
	LIE_SIGNATURE,
	LIE_JUNK,
	LIE_BYTES,
	LIE_OUTCOME,
	LIE_ACTION,
	LIE_STALE,
	LIE_EARLY,
	LIE_TWICE,
};

/* Node `bad` fails, the others serve; all of it with a lie. */
static void report(struct office *office, const struct key *who, const struct office_piece *pieces, uint32_t count,
		   const struct address *bad, enum lie lie)
{
	struct message message = {.type = MSG_REPORT};
	uint8_t items[16384];
	struct writer list;

	writer_init(&list, items, sizeof(items));
	for (uint32_t i = 0; i < count; i++) {
		struct allocation allocation = pieces[i].allocation;
		struct signature signature = pieces[i].signature;
		uint8_t wire[512];
		struct item_transfer item = {
			.outcome = address_equal(&allocation.node, bad) ? TRANSFER_FAILED : TRANSFER_DONE, .ms = 100};
		struct writer w;

		allocation.action = lie == LIE_ACTION ? ACTION_PUT_REPAIR : allocation.action;
		allocation.expires -= lie == LIE_STALE ? 86400 : 0;
		allocation.issued += lie == LIE_EARLY ? 86400 : 0;
		if (lie == LIE_ACTION || lie == LIE_STALE || lie == LIE_EARLY)
			typed_sign(&typed_allocation, &allocation, &office->settings.domain, office->key, &signature);
		signature.b[5] ^= lie == LIE_SIGNATURE ? 1 : 0;
		writer_init(&w, wire, sizeof(wire));
		typed_encode(&typed_allocation, &allocation, &signature, &w);
		item.allocation = lie == LIE_JUNK ? bytes_of(wire, 20) : writer_bytes(&w);
		item.bytes = lie == LIE_BYTES ? allocation.limit + 1 : 0;
		item.outcome = lie == LIE_OUTCOME ? 0 : item.outcome;
		for (int times = 0; times < (lie == LIE_TWICE ? 2 : 1); times++)
			fields_encode(&item_transfer_fields, &item, &list);
	}
	assert_int_equal(list.err, ERR_OK);
	message.report.transfers = list_of(&list, lie == LIE_TWICE ? 2 * count : count);
	assert_int_equal(office_tell(office, who, &message), REFUSAL_NONE);
}

static uint32_t begin(struct office *office, struct office_piece pieces[OFFICE_PIECES])
{
	struct bytes32 version = office_begin_object(office, "films", office_path_of("a"), 0);
	uint32_t count;

	office_begin_segment(office, &version, 0, pieces, &count);
	assert_int_equal(count, NODES);
	return count;
}

static void test_report(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	uint32_t count = begin(office, pieces);

	report(office, office->client, pieces, count, &pieces[0].allocation.node, LIE_TWICE);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM experiences"), NODES);
	assert_int_equal(office_number(office, "SELECT SUM(succeeded) FROM experiences"), (NODES - 1) * 1000);
	assert_int_equal(office_number(office, "SELECT SUM(failed) FROM experiences"), 1000);
	assert_int_equal(office_number(office, "SELECT SUM(pace) / SUM(timed) FROM experiences"), 1000);
	report(office, office->client, pieces, count, &pieces[0].allocation.node, LIE_NONE);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM experiences"), NODES);
	assert_in_range(office_number(office, "SELECT SUM(failed) FROM experiences"), 1990, 2000);
}

static void test_lies(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	uint32_t count = begin(office, pieces);
	struct key *other = office_new_client(office), *stranger = key_generate();
	struct message empty = {.type = MSG_REPORT};

	for (int lie = LIE_SIGNATURE; lie <= LIE_EARLY; lie++)
		report(office, office->client, pieces, count, &pieces[0].allocation.node, (enum lie)lie);
	/* Another client's transfers. */
	report(office, other, pieces, count, &pieces[0].allocation.node, LIE_NONE);
	assert_int_equal(office_tell(office, office->client, &empty), REFUSAL_NONE);
	assert_int_equal(office_tell(office, stranger, &empty), REFUSAL_CLIENT_UNKNOWN);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM experiences"), 0);
	key_free(other);
	key_free(stranger);
}

/* How often a node is among the first four of eight, in so many choices. */
static unsigned chosen(struct office *office, const struct address *node, unsigned choices)
{
	struct select_rules rules = {.want = 4, .better = office->settings.prefer_better};
	uint32_t got[4], candidates;
	const struct candidate *list;
	struct random_stream random;
	unsigned times = 0;

	assert_int_equal(roster_refresh(office->desk, true), ERR_OK);
	list = roster_candidates(office->desk->roster, &candidates);
	random_stream_init(&random, bytes_of_text("experience"));
	for (unsigned i = 0; i < choices; i++) {
		select_begin(roster_set(office->desk->roster));
		assert_int_equal(select_nodes(roster_set(office->desk->roster), &rules, &random, got), 4);
		for (int j = 0; j < 4; j++)
			times += address_equal(&list[got[j]].node, node);
	}
	return times;
}

static void test_choice(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	uint32_t count = begin(office, pieces);
	const struct address *bad = &pieces[3].allocation.node;
	unsigned before = chosen(office, bad, 2000), after;

	assert_in_range(before, 900, 1100);
	for (int i = 0; i < 10; i++)
		report(office, office->client, pieces, count, bad, LIE_NONE);
	after = chosen(office, bad, 2000);
	assert_true(after < before * 9 / 10 && after > before / 3);
	office->settings.prefer_better = 0;
	assert_in_range(chosen(office, bad, 2000), 900, 1100);
}

/* Who is suspended, leaves or is gone is given nothing; who is new a small part. */
static void test_states(void **state)
{
	struct office *office = *state;
	uint32_t count;

	office_execute(office, "UPDATE reputations SET state = 1");
	for (int state_of = STATE_GOOD; state_of <= STATE_EXITED; state_of++) {
		assert_int_equal(roster_refresh(office->desk, true), ERR_OK);
		roster_candidates(office->desk->roster, &count);
		assert_int_equal(count, state_of <= STATE_VETTING ? NODES : NODES - 1);
		office_execute(office, "UPDATE reputations SET state = state + 1 WHERE node = "
				       "(SELECT MIN(address) FROM nodes)");
	}
	office_execute(office, "UPDATE reputations SET state = 1");
	assert_int_equal(roster_refresh(office->desk, true), ERR_OK);
	assert_true(roster_candidates(office->desk->roster, &count)->vetted);
	office_execute(office, "UPDATE reputations SET state = 2");
	assert_int_equal(roster_refresh(office->desk, true), ERR_OK);
	assert_false(roster_candidates(office->desk->roster, &count)->vetted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paces),
		cmocka_unit_test(test_own_trouble),
		cmocka_unit_test(test_fading),
		cmocka_unit_test(test_juries),
		cmocka_unit_test_setup_teardown(test_report, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_lies, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_choice, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_states, set_up, office_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
