/* Scores, windows, and the states that they lead to. All rounding is down, so that a good verdict never lowers a score
 * and a bad one never raises it. */
#include "audit/reputation.h"

#include <string.h>

#define SQUARED ((uint64_t)REPUTATION_ONE * REPUTATION_ONE)

/* Forget as `weight` verdicts do, then add what they say. */
static void beta_note(struct beta *b, const struct beta_rules *rules, uint32_t good, uint32_t bad)
{
	uint64_t keep = SQUARED - (uint64_t)(REPUTATION_ONE - rules->lambda) * (good + bad);

	b->alpha = (uint64_t)((uint128)b->alpha * keep / SQUARED) + good;
	b->beta = (uint64_t)((uint128)b->beta * keep / SQUARED) + bad;
}

static uint32_t beta_score(const struct beta *b)
{
	uint64_t sum = b->alpha + b->beta;

	return sum == 0 ? REPUTATION_ONE : (uint32_t)((uint128)b->alpha * REPUTATION_ONE / sum);
}

static bool beta_failed(const struct beta *b, const struct beta_rules *rules)
{
	return (uint128)b->alpha * REPUTATION_ONE <= (uint128)rules->threshold * (b->alpha + b->beta);
}

/* How many bad verdicts in a row leave it above the threshold. Good ones among them only help, so that this is the
 * number for any order. */
static uint32_t beta_left(const struct beta *b, const struct beta_rules *rules, uint32_t of)
{
	struct beta after = *b;
	uint32_t left = 0;

	for (; left < of; left++) {
		beta_note(&after, rules, 0, REPUTATION_ONE);
		if (beta_failed(&after, rules))
			break;
	}
	return left;
}

void reputation_init(const struct reputation_rules *rules, uint64_t now, struct reputation *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->audit = (struct beta){rules->audit.alpha, rules->audit.beta};
	ret->unknown = (struct beta){rules->unknown.alpha, rules->unknown.beta};
	ret->since = now;
	ret->last_window = now / rules->window;
}

enum reputation_state reputation_state(const struct reputation *reputation)
{
	if (reputation->disqualified != 0)
		return REPUTATION_DISQUALIFIED;
	if (reputation->suspended != 0)
		return REPUTATION_SUSPENDED;
	if (reputation->offline != 0)
		return REPUTATION_OFFLINE;
	return reputation->vetted != 0 ? REPUTATION_GOOD : REPUTATION_VETTING;
}

static uint64_t window_count(const struct reputation_rules *rules)
{
	return rules->tracking / rules->window;
}

/* Observations in window `number`; NULL when there can be none. */
static const struct reputation_window *find_window(const struct reputation_rules *rules,
						   const struct reputation *reputation, uint64_t number)
{
	uint64_t count = window_count(rules);

	if (number > reputation->last_window || reputation->last_window - number >= count)
		return NULL;
	return &reputation->windows[number % count];
}

/* The offline shares of the windows from `first` up to the newest, in millionths of a window. */
static uint64_t sum_offline(const struct reputation_rules *rules, const struct reputation *reputation, uint64_t first)
{
	uint64_t sum = 0;

	for (uint64_t number = first; number <= reputation->last_window; number++) {
		const struct reputation_window *window = find_window(rules, reputation, number);

		if (window != NULL && window->asked > 0)
			sum += (uint64_t)window->offline * REPUTATION_ONE / window->asked;
	}
	return sum;
}

/* The first window of the tracking period that ends with the one of number `last`. */
static uint64_t first_window(const struct reputation_rules *rules, uint64_t last)
{
	uint64_t count = window_count(rules);

	return last + 1 > count ? last + 1 - count : 0;
}

/* The newest window; time does not run backwards. */
static uint64_t newest_window(const struct reputation_rules *rules, const struct reputation *reputation, uint64_t now)
{
	uint64_t number = now / rules->window;

	return number > reputation->last_window ? number : reputation->last_window;
}

static uint32_t score_of_offline(const struct reputation_rules *rules, uint64_t sum)
{
	return REPUTATION_ONE - (uint32_t)(sum / window_count(rules));
}

uint32_t reputation_online_score(const struct reputation_rules *rules, const struct reputation *reputation,
				 uint64_t now)
{
	uint64_t first = first_window(rules, newest_window(rules, reputation, now));

	return score_of_offline(rules, sum_offline(rules, reputation, first));
}

/* Remember the state that a step led to, and why. */
static void step(struct reputation_change *change, const struct reputation *reputation, enum reputation_reason reason)
{
	enum reputation_state state = reputation_state(reputation);

	if (state == change->to)
		return;
	change->to = state;
	change->reason = reason;
}

static void disqualify(struct reputation_change *change, struct reputation *reputation, enum reputation_reason reason,
		       uint64_t now)
{
	reputation->disqualified = now;
	change->forfeits = reason == REPUTATION_BY_AUDITS || reason == REPUTATION_BY_LOSSES;
	step(change, reputation, reason);
}

static void judge_presence(const struct reputation_rules *rules, struct reputation *reputation, uint64_t now,
			   struct reputation_change *change)
{
	bool away = reputation_online_score(rules, reputation, now) < rules->online;

	if (away && reputation->offline == 0) {
		reputation->offline = now;
		if (reputation->review == 0)
			reputation->review = now;
		step(change, reputation, REPUTATION_BY_ABSENCE);
	} else if (!away && reputation->offline != 0) {
		reputation->offline = 0;
		step(change, reputation, REPUTATION_BY_RETURN);
	}
	if (reputation->review == 0 || now < reputation->review + rules->offline_grace + rules->tracking)
		return;
	if (reputation->offline != 0)
		disqualify(change, reputation, REPUTATION_BY_REVIEW, now);
	else
		reputation->review = 0;
}

static void judge_vetting(const struct reputation_rules *rules, struct reputation *reputation, uint64_t now,
			  struct reputation_change *change)
{
	if (reputation->vetted != 0 || reputation->proven < rules->vetting_audits ||
	    now < reputation->since + rules->vetting_age)
		return;
	reputation->vetted = now;
	step(change, reputation, REPUTATION_BY_VETTING);
}

static struct reputation_change begin(const struct reputation *reputation)
{
	enum reputation_state state = reputation_state(reputation);

	return (struct reputation_change){state, state, REPUTATION_NO_REASON, false};
}

/* What time alone does. */
static void pass_time(const struct reputation_rules *rules, struct reputation *reputation, uint64_t now,
		      struct reputation_change *change)
{
	if (reputation->disqualified == 0 && reputation->suspended != 0 &&
	    now >= reputation->suspended + rules->unknown_grace)
		disqualify(change, reputation, REPUTATION_BY_GRACE, now);
	if (reputation->disqualified == 0)
		judge_presence(rules, reputation, now, change);
	if (reputation->disqualified == 0)
		judge_vetting(rules, reputation, now, change);
}

static struct reputation_change end(struct reputation_change change)
{
	if (change.from == change.to)
		change.reason = REPUTATION_NO_REASON;
	return change;
}

struct reputation_change reputation_note_time(const struct reputation_rules *rules, struct reputation *reputation,
					      uint64_t now)
{
	struct reputation_change change = begin(reputation);

	pass_time(rules, reputation, now, &change);
	return end(change);
}

/* The verdicts of one challenge stand in no order, so the failed ones are spread evenly among the proven. */
static void note_proofs(const struct beta_rules *rules, struct beta *b, uint64_t proven, uint64_t failed)
{
	uint64_t count = proven + failed;

	for (uint64_t i = 0; i < count; i++) {
		bool fails = (i + 1) * failed / count > i * failed / count;

		beta_note(b, rules, fails ? 0 : REPUTATION_ONE, fails ? REPUTATION_ONE : 0);
	}
}

static void judge_unknown(const struct reputation_rules *rules, struct reputation *reputation, uint64_t now,
			  struct reputation_change *change)
{
	bool failed = beta_failed(&reputation->unknown, &rules->unknown);

	if (failed && reputation->suspended == 0) {
		reputation->suspended = now;
		step(change, reputation, REPUTATION_BY_UNKNOWN);
	} else if (!failed && reputation->suspended != 0) {
		reputation->suspended = 0;
		step(change, reputation, REPUTATION_BY_RECOVERY);
	}
}

/* How much of a challenge came to nothing, as its rule says. */
static uint32_t doubt(const struct reputation_rules *rules, uint64_t doubtful, uint64_t count)
{
	uint128 share = (uint128)doubtful * SQUARED / ((uint128)count * rules->unknown_share);

	return share < REPUTATION_ONE ? (uint32_t)share : REPUTATION_ONE;
}

struct reputation_change reputation_note_audit(const struct reputation_rules *rules, struct reputation *reputation,
					       const struct reputation_verdicts *verdicts, uint64_t now)
{
	struct reputation_change change = begin(reputation);
	uint64_t count = (uint64_t)verdicts->proven + verdicts->failed + verdicts->doubtful;
	uint32_t bad;

	pass_time(rules, reputation, now, &change);
	if (reputation->disqualified != 0 || count == 0)
		return end(change);
	reputation->proven += verdicts->proven;
	reputation->failed += verdicts->failed;
	note_proofs(&rules->audit, &reputation->audit, verdicts->proven, verdicts->failed);
	bad = doubt(rules, verdicts->doubtful, count);
	beta_note(&reputation->unknown, &rules->unknown, REPUTATION_ONE - bad, bad);
	if (verdicts->failed > 0 && beta_failed(&reputation->audit, &rules->audit)) {
		disqualify(&change, reputation, REPUTATION_BY_AUDITS, now);
		return end(change);
	}
	judge_unknown(rules, reputation, now, &change);
	judge_vetting(rules, reputation, now, &change);
	return end(change);
}

/* What the losses weigh, in millionths of a failed audit. */
static uint64_t weigh_losses(const struct reputation_rules *rules, uint64_t lost, uint64_t earlier, uint64_t held)
{
	uint64_t memory =
		REPUTATION_ONE / (REPUTATION_ONE - rules->audit.lambda); /* verdicts that a score stands for */
	uint64_t allowance = (uint64_t)((uint128)held * rules->loss_share / REPUTATION_ONE);
	uint64_t light = allowance > earlier ? allowance - earlier : 0;
	uint128 weight;

	if (light > lost)
		light = lost;
	weight = (uint128)light * rules->loss_weight + (uint128)(lost - light) * REPUTATION_ONE;
	return (uint64_t)(held > memory ? weight * memory / held : weight);
}

struct reputation_change reputation_note_losses(const struct reputation_rules *rules, struct reputation *reputation,
						uint64_t lost, uint64_t earlier, uint64_t held, uint64_t now)
{
	struct reputation_change change = begin(reputation);
	uint64_t weight;

	pass_time(rules, reputation, now, &change);
	if (reputation->disqualified != 0 || lost == 0)
		return end(change);
	weight = weigh_losses(rules, lost, earlier, held > lost ? held : lost);
	while (weight > 0) {
		uint32_t part = weight > REPUTATION_ONE ? REPUTATION_ONE : (uint32_t)weight;

		beta_note(&reputation->audit, &rules->audit, 0, part);
		weight -= part;
	}
	if (beta_failed(&reputation->audit, &rules->audit))
		disqualify(&change, reputation, REPUTATION_BY_LOSSES, now);
	return end(change);
}

static void note_window(const struct reputation_rules *rules, struct reputation *reputation, bool online, uint64_t now)
{
	uint64_t number = newest_window(rules, reputation, now), count = window_count(rules);
	struct reputation_window *window = &reputation->windows[number % count];

	if (number - reputation->last_window >= count)
		memset(reputation->windows, 0, sizeof(reputation->windows));
	else
		for (uint64_t i = reputation->last_window + 1; i <= number; i++)
			reputation->windows[i % count] = (struct reputation_window){0, 0};
	reputation->last_window = number;
	if (window->asked == UINT16_MAX) {
		window->asked /= 2;
		window->offline /= 2;
	}
	window->asked++;
	window->offline = (uint16_t)(window->offline + !online);
}

struct reputation_change reputation_note_online(const struct reputation_rules *rules, struct reputation *reputation,
						bool online, uint64_t now)
{
	struct reputation_change change = begin(reputation);

	if (reputation->disqualified == 0)
		note_window(rules, reputation, online, now);
	pass_time(rules, reputation, now, &change);
	return end(change);
}

/* When windows that pass out of the tracking period will have made its score good again. */
static uint64_t returns_at(const struct reputation_rules *rules, const struct reputation *reputation)
{
	uint64_t at = reputation->last_window * rules->window;

	while (reputation_online_score(rules, reputation, at) < rules->online)
		at += rules->window;
	return at;
}

static void sooner(uint64_t at, uint64_t *due)
{
	if (*due == 0 || at < *due)
		*due = at;
}

uint64_t reputation_due(const struct reputation_rules *rules, const struct reputation *reputation)
{
	uint64_t due = 0;

	if (reputation->disqualified != 0)
		return 0;
	if (reputation->suspended != 0)
		sooner(reputation->suspended + rules->unknown_grace, &due);
	if (reputation->offline != 0)
		sooner(returns_at(rules, reputation), &due);
	if (reputation->review != 0)
		sooner(reputation->review + rules->offline_grace + rules->tracking, &due);
	if (reputation->vetted == 0 && reputation->proven >= rules->vetting_audits)
		sooner(reputation->since + rules->vetting_age, &due);
	return due;
}

uint32_t reputation_audit_score(const struct reputation *reputation)
{
	return beta_score(&reputation->audit);
}

uint32_t reputation_unknown_score(const struct reputation *reputation)
{
	return beta_score(&reputation->unknown);
}

uint32_t reputation_audits_left(const struct reputation_rules *rules, const struct reputation *reputation, uint32_t of)
{
	return reputation->disqualified != 0 ? 0 : beta_left(&reputation->audit, &rules->audit, of);
}

uint32_t reputation_unknown_left(const struct reputation_rules *rules, const struct reputation *reputation, uint32_t of)
{
	return reputation->disqualified != 0 || reputation->suspended != 0
		       ? 0
		       : beta_left(&reputation->unknown, &rules->unknown, of);
}

uint64_t reputation_offline_left(const struct reputation_rules *rules, const struct reputation *reputation,
				 uint64_t now)
{
	uint64_t newest = newest_window(rules, reputation, now), left = 0;

	if (reputation->disqualified != 0)
		return 0;
	for (uint64_t more = 1; more <= window_count(rules); more++) {
		uint64_t sum = sum_offline(rules, reputation, first_window(rules, newest + more));

		if (score_of_offline(rules, sum + more * REPUTATION_ONE) < rules->online)
			break;
		left = more * rules->window;
	}
	return left;
}
