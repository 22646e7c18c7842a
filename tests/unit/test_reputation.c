/* Reputation: the known figures, bounds and monotonicity under random observations, and every way through the states.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/reputation.h"
#include "common/random.h"

#define START UINT64_C(1700000000)
#define HOUR 3600
#define DAY UINT64_C(86400)

static const struct reputation_rules *const rules = &reputation_defaults;

static struct reputation_change audit(struct reputation *r, uint32_t proven, uint32_t failed, uint32_t doubtful,
				      uint64_t now)
{
	return reputation_note_audit(rules, r, &(struct reputation_verdicts){proven, failed, doubtful}, now);
}

static void assert_change(struct reputation_change change, enum reputation_state from, enum reputation_state to,
			  enum reputation_reason reason)
{
	assert_int_equal(change.from, from);
	assert_int_equal(change.to, to);
	assert_int_equal(change.reason, reason);
}

/* A node that was vetted before START. */
static void make_good(struct reputation *r)
{
	reputation_init(rules, START - 30 * DAY, r);
	assert_change(audit(r, 100, 0, 0, START - DAY), REPUTATION_VETTING, REPUTATION_GOOD, REPUTATION_BY_VETTING);
}

static void test_41_failures_disqualify(void **state)
{
	struct reputation r;

	(void)state;
	make_good(&r);
	assert_int_equal(r.audit.alpha, UINT64_C(1000) * REPUTATION_ONE);
	assert_int_equal(r.audit.beta, 0);
	assert_int_equal(reputation_audits_left(rules, &r, 100), 40);
	for (uint32_t i = 1; i <= 40; i++) {
		struct reputation_change change = audit(&r, 0, 1, 0, START);

		assert_change(change, REPUTATION_GOOD, REPUTATION_GOOD, REPUTATION_NO_REASON);
		assert_int_equal(reputation_audits_left(rules, &r, 100), 40 - i);
	}
	assert_in_range(reputation_audit_score(&r), 960001, 961000);
	struct reputation_change last = audit(&r, 0, 1, 0, START);

	assert_change(last, REPUTATION_GOOD, REPUTATION_DISQUALIFIED, REPUTATION_BY_AUDITS);
	assert_true(last.forfeits);
	assert_int_equal(r.disqualified, START);
	assert_int_equal(reputation_audits_left(rules, &r, 100), 0);
	assert_int_equal(reputation_offline_left(rules, &r, START), 0);
	assert_int_equal(reputation_due(rules, &r), 0);
}

static void test_10_unknown_suspend(void **state)
{
	struct reputation r;
	struct reputation_change change;

	(void)state;
	make_good(&r);
	assert_int_equal(reputation_unknown_left(rules, &r, 100), 9);
	for (int i = 0; i < 9; i++)
		assert_int_equal(audit(&r, 0, 0, 1, START).to, REPUTATION_GOOD);
	change = audit(&r, 0, 0, 1, START);
	assert_change(change, REPUTATION_GOOD, REPUTATION_SUSPENDED, REPUTATION_BY_UNKNOWN);
	assert_false(change.forfeits);
	assert_int_equal(reputation_due(rules, &r), START + 7 * DAY);
}

/* A challenge counts once, against the node from a tenth of its pieces on, in part below. */
static void test_one_bad_challenge(void **state)
{
	struct reputation whole, tenth, part, single;

	(void)state;
	make_good(&whole);
	tenth = part = single = whole;
	assert_int_equal(audit(&whole, 0, 0, 1000, START).to, REPUTATION_GOOD);
	audit(&single, 0, 0, 1, START);
	audit(&tenth, 900, 0, 100, START);
	audit(&part, 950, 0, 50, START);
	assert_int_equal(reputation_unknown_score(&whole), 950000);
	assert_int_equal(reputation_unknown_score(&single), 950000);
	assert_int_equal(reputation_unknown_score(&tenth), 950000);
	assert_int_equal(reputation_unknown_score(&part), 975000);
}

/* Who never answers for 5 % of its pieces is suspended before long, who does not for 1 % is not. */
static void test_silence_is_no_way_out(void **state)
{
	struct reputation silent, slow;
	int challenges = 0;

	(void)state;
	make_good(&silent);
	slow = silent;
	while (challenges < 100 && silent.suspended == 0) {
		audit(&silent, 95, 0, 5, START);
		challenges++;
	}
	assert_in_range(challenges, 20, 60);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(audit(&slow, 99, 0, 1, START).to, REPUTATION_GOOD);
}

/* The order of verdicts within a challenge is nobody's: 5 % of 100 pieces do not hurt more for coming first. */
static void test_batch_is_spread(void **state)
{
	struct reputation batch, single;

	(void)state;
	make_good(&batch);
	single = batch;
	audit(&batch, 95, 5, 0, START);
	for (int i = 0; i < 5; i++) {
		audit(&single, 19, 0, 0, START);
		audit(&single, 0, 1, 0, START);
	}
	assert_int_equal(reputation_audit_score(&batch), reputation_audit_score(&single));
	assert_int_equal(batch.failed, 5);
	assert_int_equal(batch.proven, 195);
}

static void test_suspension_ends_in_time_or_not(void **state)
{
	struct reputation lazy, mended;
	struct reputation_change change;
	uint64_t last = START + 7 * DAY;

	(void)state;
	make_good(&lazy);
	for (int i = 0; i < 10; i++)
		audit(&lazy, 0, 0, 1, START);
	mended = lazy;
	assert_change(reputation_note_time(rules, &lazy, last - 1), REPUTATION_SUSPENDED, REPUTATION_SUSPENDED,
		      REPUTATION_NO_REASON);
	change = reputation_note_time(rules, &lazy, last);
	assert_change(change, REPUTATION_SUSPENDED, REPUTATION_DISQUALIFIED, REPUTATION_BY_GRACE);
	assert_false(change.forfeits);
	assert_change(audit(&mended, 1, 0, 0, last - 1), REPUTATION_SUSPENDED, REPUTATION_GOOD, REPUTATION_BY_RECOVERY);
	assert_change(reputation_note_time(rules, &mended, last), REPUTATION_GOOD, REPUTATION_GOOD,
		      REPUTATION_NO_REASON);
}

static void test_vetting_takes_count_and_age(void **state)
{
	struct reputation young, quiet;
	uint64_t ripe = START + 21 * DAY;

	(void)state;
	reputation_init(rules, START, &young);
	quiet = young;
	assert_int_equal(audit(&young, 200, 0, 0, ripe - 1).to, REPUTATION_VETTING);
	assert_int_equal(reputation_due(rules, &young), ripe);
	assert_change(reputation_note_time(rules, &young, ripe), REPUTATION_VETTING, REPUTATION_GOOD,
		      REPUTATION_BY_VETTING);
	assert_int_equal(young.vetted, ripe);
	assert_int_equal(audit(&quiet, 99, 5, 5, ripe).to, REPUTATION_VETTING);
	assert_int_equal(reputation_due(rules, &quiet), 0);
	assert_int_equal(audit(&quiet, 1, 0, 0, ripe).to, REPUTATION_GOOD);
}

/* Observe every hour of these days. Returns the last change of state. */
static struct reputation_change spend(struct reputation *r, bool online, uint64_t from, uint64_t hours)
{
	struct reputation_change last = {0};

	for (uint64_t i = 0; i < hours; i++) {
		struct reputation_change change = reputation_note_online(rules, r, online, from + i * HOUR);

		if (change.from != change.to)
			last = change;
	}
	return last;
}

/* START lies in the first third of a window, 288 hours of absence are allowed. */
static void test_absence_suspends(void **state)
{
	struct reputation r;
	struct reputation_change change;
	uint64_t from = START - START % (12 * HOUR) + 12 * HOUR;

	(void)state;
	make_good(&r);
	spend(&r, true, from - 30 * DAY, 30 * 24);
	assert_int_equal(reputation_online_score(rules, &r, from - 1), REPUTATION_ONE);
	assert_int_equal(reputation_offline_left(rules, &r, from - 1), 288 * HOUR);
	assert_int_equal(spend(&r, false, from, 288).to, 0);
	assert_int_equal(reputation_online_score(rules, &r, from + 288 * HOUR - 1), 600000);
	assert_int_equal(reputation_offline_left(rules, &r, from + 288 * HOUR - 1), 0);
	change = reputation_note_online(rules, &r, false, from + 288 * HOUR);
	assert_change(change, REPUTATION_GOOD, REPUTATION_OFFLINE, REPUTATION_BY_ABSENCE);
	assert_false(change.forfeits);
}

/* Back as soon as the score allows; the review goes on, and a node that is away at its end is disqualified. */
static void test_review(void **state)
{
	struct reputation r, back;
	struct reputation_change change;
	uint64_t from = START - START % (12 * HOUR), suspended = from + 288 * HOUR, verdict = suspended + 37 * DAY;

	(void)state;
	make_good(&r);
	assert_int_equal(spend(&r, false, from, 289).to, REPUTATION_OFFLINE);
	assert_int_equal(r.review, suspended);
	back = r;
	/* the first window of the absence must leave the period: 30 days after it began */
	change = spend(&back, true, suspended + HOUR, 30 * 24);
	assert_change(change, REPUTATION_OFFLINE, REPUTATION_GOOD, REPUTATION_BY_RETURN);
	assert_int_equal(back.review, suspended);
	assert_change(reputation_note_time(rules, &back, verdict), REPUTATION_GOOD, REPUTATION_GOOD, 0);
	assert_int_equal(back.review, 0);

	change = spend(&r, false, suspended + HOUR, 37 * 24 - 2);
	assert_int_equal(change.to, 0);
	assert_true(reputation_due(rules, &r) <= verdict);
	change = reputation_note_time(rules, &r, verdict);
	assert_change(change, REPUTATION_OFFLINE, REPUTATION_DISQUALIFIED, REPUTATION_BY_REVIEW);
	assert_false(change.forfeits);
}

/* A satellite that was away itself holds nothing against its nodes, and says when time will have healed one. */
static void test_silence_is_no_absence(void **state)
{
	struct reputation r;
	uint64_t from = START - START % (12 * HOUR), due;

	(void)state;
	make_good(&r);
	assert_int_equal(spend(&r, false, from, 289).to, REPUTATION_OFFLINE);
	due = reputation_due(rules, &r);
	assert_int_equal(due, from + 30 * DAY);
	assert_int_equal(reputation_note_time(rules, &r, due - 1).to, REPUTATION_OFFLINE);
	assert_change(reputation_note_time(rules, &r, due), REPUTATION_OFFLINE, REPUTATION_GOOD, REPUTATION_BY_RETURN);
	assert_int_equal(reputation_online_score(rules, &r, from + 365 * DAY), REPUTATION_ONE);
}

static void test_window_is_a_share(void **state)
{
	struct reputation r;
	uint64_t from = START - START % (12 * HOUR);

	(void)state;
	reputation_init(rules, from, &r);
	for (int i = 0; i < 3; i++)
		reputation_note_online(rules, &r, true, from + 1);
	reputation_note_online(rules, &r, false, from + 2);
	/* a quarter of one window in sixty */
	assert_int_equal(reputation_online_score(rules, &r, from + 3), REPUTATION_ONE - 250000 / 60);
	for (uint32_t i = 0; i < 200000; i++)
		reputation_note_online(rules, &r, i % 4 != 0, from + 3);
	assert_in_range(reputation_online_score(rules, &r, from + 3), REPUTATION_ONE - 4200, REPUTATION_ONE - 4100);
	/* a clock that was set back changes nothing */
	reputation_note_online(rules, &r, true, from - 100 * DAY);
	assert_int_equal(r.last_window, from / (12 * HOUR));
}

static uint32_t score_after_losses(uint64_t lost, uint64_t earlier, uint64_t held)
{
	struct reputation r;

	make_good(&r);
	reputation_note_losses(rules, &r, lost, earlier, held, START);
	return reputation_audit_score(&r);
}

/* 1 % reported in time costs a tenth of what audits would have found, further ones cost it whole. */
static void test_honest_losses(void **state)
{
	struct reputation r;
	struct reputation_change change;

	(void)state;
	assert_int_equal(score_after_losses(10000, 0, 1000000), 999000); /* 1 % of 1000 audits, a tenth: one failure */
	assert_in_range(score_after_losses(10000, 10000, 1000000), 990000, 990100); /* ten */
	assert_in_range(score_after_losses(20000, 0, 1000000), 989000, 989100);
	/* however few pieces there are, one lost is at most one failure */
	assert_int_equal(score_after_losses(1, 0, 1), 999000);
	assert_int_equal(score_after_losses(1, 0, 200), 999900);
	assert_int_equal(score_after_losses(3, 1, 200), score_after_losses(3, 0, 200) - 900 + 1);
	make_good(&r);
	change = reputation_note_losses(rules, &r, 60000, 0, 1000000, START);
	assert_change(change, REPUTATION_GOOD, REPUTATION_DISQUALIFIED, REPUTATION_BY_LOSSES);
	assert_true(change.forfeits);
	/* nonsense in, sense out */
	assert_in_range(score_after_losses(UINT32_MAX, 0, 0), 0, 960000);
	assert_int_equal(score_after_losses(0, 0, 100), REPUTATION_ONE);
}

/* A tenth of a verdict ten times is about one verdict. */
static void test_weights_add_up(void **state)
{
	struct reputation once, often;

	(void)state;
	make_good(&once);
	often = once;
	reputation_note_losses(rules, &once, 1, 1000, 1000, START);
	for (int i = 0; i < 10; i++)
		reputation_note_losses(rules, &often, 1, 0, 1000, START);
	assert_in_range(reputation_audit_score(&often), reputation_audit_score(&once) - 1,
			reputation_audit_score(&once) + 1);
}

static void assert_bounds(const struct reputation *r, uint64_t now)
{
	assert_in_range(reputation_audit_score(r), 0, REPUTATION_ONE);
	assert_in_range(reputation_unknown_score(r), 0, REPUTATION_ONE);
	assert_in_range(reputation_online_score(rules, r, now), 0, REPUTATION_ONE);
	assert_true(r->audit.alpha + r->audit.beta <= UINT64_C(1001) * REPUTATION_ONE);
	assert_true(r->unknown.alpha + r->unknown.beta <= UINT64_C(21) * REPUTATION_ONE);
	assert_true(reputation_offline_left(rules, r, now) <= rules->tracking);
	assert_in_range(reputation_state(r), REPUTATION_GOOD, REPUTATION_DISQUALIFIED);
}

/* The lower `care`, the more often something fails. */
static void observe(struct reputation *r, struct random_stream *random, uint64_t care, uint64_t now)
{
	switch (random_stream_below(random, 4)) {
	case 0:
		reputation_note_online(rules, r, random_stream_below(random, 3) > 0, now);
		break;
	case 1:
		reputation_note_losses(rules, r, random_stream_below(random, 3), random_stream_below(random, 20),
				       1 + random_stream_below(random, 5000), now);
		break;
	default:
		audit(r, (uint32_t)random_stream_below(random, 20), random_stream_below(random, care) == 0,
		      random_stream_below(random, care) == 0, now);
	}
}

/* From any state that random observations lead to, another good one never makes a score worse, nor a bad one better;
 * and a node that was disqualified stays as it was. */
static void test_bounds_and_monotonicity(void **state)
{
	struct random_stream random;
	unsigned disqualified = 0;

	(void)state;
	random_stream_init(&random, bytes_of_text("reputation"));
	for (int life = 0; life < 200; life++) {
		struct reputation r, better, worse;
		uint64_t now = START;

		reputation_init(rules, now, &r);
		for (int i = 0; i < 150; i++) {
			now += random_stream_below(&random, 8 * HOUR);
			observe(&r, &random, 1 + (uint64_t)life % 20, now);
			assert_bounds(&r, now);
			better = worse = r;
			audit(&better, 1, 0, 0, now);
			audit(&worse, 0, 1, 1, now);
			assert_true(reputation_audit_score(&better) >= reputation_audit_score(&r));
			assert_true(reputation_audit_score(&worse) <= reputation_audit_score(&r));
			assert_true(reputation_unknown_score(&better) >= reputation_unknown_score(&r));
			assert_true(reputation_unknown_score(&worse) <= reputation_unknown_score(&r));
			if (r.disqualified != 0) {
				assert_memory_equal(&better, &r, sizeof(r));
				assert_memory_equal(&worse, &r, sizeof(r));
			}
		}
		disqualified += r.disqualified != 0;
	}
	assert_in_range(disqualified, 5, 195); /* the lives went both ways */
}

/* What is left can be failed, in any order, and not one more: the promise made to operators. */
static void test_what_is_left_holds(void **state)
{
	struct random_stream random;

	(void)state;
	random_stream_init(&random, bytes_of_text("left"));
	for (int life = 0; life < 100; life++) {
		struct reputation r, straight;
		uint32_t left, failed = 0;

		make_good(&r);
		audit(&r, 0, (uint32_t)random_stream_below(&random, 40), 0, START);
		audit(&r, (uint32_t)random_stream_below(&random, 500), 0, 0, START);
		straight = r;
		left = reputation_audits_left(rules, &r, 100);
		for (int i = 0; i < 100; i++) {
			bool fails = failed < left && random_stream_below(&random, 2) == 0;

			failed += fails;
			assert_int_equal(audit(&r, !fails, fails, 0, START).to, REPUTATION_GOOD);
		}
		for (uint32_t i = 0; i < left; i++)
			assert_int_equal(audit(&straight, 0, 1, 0, START).to, REPUTATION_GOOD);
		assert_int_equal(audit(&straight, 0, 1, 0, START).to, REPUTATION_DISQUALIFIED);
	}
}

static void test_encoding(void **state)
{
	struct reputation_rules other = *rules;
	struct reputation r, back;
	uint8_t wire[REPUTATION_ENCODED];
	struct writer w;
	struct bytes bytes;

	(void)state;
	make_good(&r);
	audit(&r, 10, 1, 1, START);
	spend(&r, false, START, 300);
	writer_init(&w, wire, sizeof(wire));
	reputation_encode(rules, &r, &w);
	bytes = writer_bytes(&w);
	assert_int_not_equal(bytes.len, 0);
	assert_int_equal(reputation_decode(rules, bytes, &back), ERR_OK);
	assert_memory_equal(&back, &r, sizeof(r));
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(reputation_decode(rules, bytes_of(wire, len), &back), ERR_FORMAT);
	assert_memory_equal(&back, &r, sizeof(r));
	/* windows of another length cannot be compared, a longer period keeps what there is */
	other.tracking *= 2;
	assert_int_equal(reputation_decode(&other, bytes, &back), ERR_OK);
	assert_int_equal(reputation_online_score(&other, &back, START + 300 * HOUR),
			 REPUTATION_ONE - 26 * REPUTATION_ONE / 120);
	other.window /= 2;
	assert_int_equal(reputation_decode(&other, bytes, &back), ERR_OK);
	assert_int_equal(reputation_online_score(&other, &back, START + 300 * HOUR), REPUTATION_ONE);
	wire[0] = 9;
	assert_int_equal(reputation_decode(rules, bytes, &back), ERR_UNSUPPORTED);
}

static void test_encoding_of_most_windows(void **state)
{
	struct reputation_rules most = *rules;
	struct reputation r;
	uint8_t wire[REPUTATION_ENCODED];
	struct writer w;

	(void)state;
	most.tracking = most.window * REPUTATION_WINDOWS;
	reputation_init(&most, START, &r);
	writer_init(&w, wire, sizeof(wire));
	reputation_encode(&most, &r, &w);
	assert_int_equal(w.err, ERR_OK);
}

static void test_describe(void **state)
{
	char text[REPUTATION_TEXT];
	struct reputation r;

	(void)state;
	make_good(&r);
	for (int i = 0; i < 41; i++)
		audit(&r, 0, 1, 0, START);
	reputation_describe(rules, &r, REPUTATION_BY_AUDITS, START, text);
	assert_string_equal(text, "audit score 0.9598 is not above 0.9600: too many pieces were missing or corrupt (41 "
				  "in all, 100 were proven)");
	for (int reason = REPUTATION_BY_VETTING; reason <= REPUTATION_BY_RETURN; reason++) {
		reputation_describe(rules, &r, (enum reputation_reason)reason, START, text);
		assert_in_range(strlen(text), 20, REPUTATION_TEXT - 1);
	}
}

static void test_rules_by_text(void **state)
{
	struct reputation_rules mine = *rules;
	char why[200] = "";

	(void)state;
	assert_int_equal(reputation_rules_parse("", &mine, why, sizeof(why)), ERR_OK);
	assert_memory_equal(&mine, rules, sizeof(mine));
	assert_int_equal(
		reputation_rules_parse("audit-threshold=0.9,unknown-grace=3d,vetting-audits=7,audit-alpha=12.5,"
				       "online-window=6h,loss-weight=1",
				       &mine, why, sizeof(why)),
		ERR_OK);
	assert_int_equal(mine.audit.threshold, 900000);
	assert_int_equal(mine.unknown_grace, 3 * DAY);
	assert_int_equal(mine.vetting_audits, 7);
	assert_int_equal(mine.audit.alpha, 12500000);
	assert_int_equal(mine.window, 6 * HOUR);
	assert_int_equal(mine.loss_weight, REPUTATION_ONE);
	assert_int_equal(mine.audit.lambda, rules->audit.lambda);
}

static void test_wrong_rules(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		const char *word;
	} wrong[] = {
		{"audit-lamda=0.9", ERR_FORMAT, "audit-lamda"},
		{"audit-lambda", ERR_FORMAT, "no rule"},
		{"audit-lambda=1", ERR_RANGE, "0.99999"},
		{"audit-lambda=0.9999999", ERR_FORMAT, "six places"},
		{"audit-lambda=", ERR_FORMAT, "six places"},
		{"audit-lambda=.9", ERR_FORMAT, "six places"},
		{"audit-lambda=0.9x", ERR_FORMAT, "six places"},
		{"audit-threshold=-1", ERR_FORMAT, "audit-threshold"},
		{"audit-threshold=1", ERR_RANGE, "0.999999"},
		{"vetting-audits=1.5", ERR_FORMAT, "whole number"},
		{"vetting-age=3y", ERR_FORMAT, "a time"},
		{"vetting-age=999999999999d", ERR_RANGE, "3650d"},
		{"vetting-age=9999999999999d", ERR_FORMAT, "a time"},
		{"online-window=7h", ERR_RANGE, "times online-window"},
		{"online-window=1m", ERR_RANGE, "times online-window"},
		{"audit-alpha=0", ERR_RANGE, "a new node"},
		{"unknown-beta=20", ERR_RANGE, "a new node"},
		{"audit-threshold=0.9,,", ERR_FORMAT, "no rule"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct reputation_rules mine = *rules;
		char why[200] = "";

		assert_int_equal(reputation_rules_parse(wrong[i].text, &mine, why, sizeof(why)), wrong[i].err);
		assert_memory_equal(&mine, rules, sizeof(mine));
		assert_non_null(strstr(why, wrong[i].word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_41_failures_disqualify),
		cmocka_unit_test(test_10_unknown_suspend),
		cmocka_unit_test(test_one_bad_challenge),
		cmocka_unit_test(test_silence_is_no_way_out),
		cmocka_unit_test(test_batch_is_spread),
		cmocka_unit_test(test_suspension_ends_in_time_or_not),
		cmocka_unit_test(test_vetting_takes_count_and_age),
		cmocka_unit_test(test_absence_suspends),
		cmocka_unit_test(test_review),
		cmocka_unit_test(test_silence_is_no_absence),
		cmocka_unit_test(test_window_is_a_share),
		cmocka_unit_test(test_honest_losses),
		cmocka_unit_test(test_weights_add_up),
		cmocka_unit_test(test_bounds_and_monotonicity),
		cmocka_unit_test(test_what_is_left_holds),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_encoding_of_most_windows),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_rules_by_text),
		cmocka_unit_test(test_wrong_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
