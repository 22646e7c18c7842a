/* The rules of reputation: their usual values, and changes to them by text, from a table. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "audit/reputation.h"

#define DAY 86400
#define MEMORY_MAX 100000 /* verdicts: λ of at most 0.99999, so that all products fit */
#define TIME_MAX (UINT64_C(3650) * DAY)

const struct reputation_rules reputation_defaults = {
	.audit = {.lambda = 999000, .alpha = UINT64_C(1000) * REPUTATION_ONE, .beta = 0, .threshold = 960000},
	.unknown = {.lambda = 950000, .alpha = UINT64_C(20) * REPUTATION_ONE, .beta = 0, .threshold = 600000},
	.unknown_share = 100000,
	.unknown_grace = 7 * DAY,
	.window = DAY / 2,
	.tracking = 30 * DAY,
	.online = 600000,
	.offline_grace = 7 * DAY,
	.vetting_audits = 100,
	.vetting_age = 21 * DAY,
	.loss_weight = 100000,
	.loss_share = 10000,
};

enum kind {
	DECIMAL, /* in millionths */
	COUNT,
	TIME, /* seconds */
};

struct rule {
	const char *name;
	enum kind kind;
	size_t offset, size; /* in struct reputation_rules */
	uint64_t min, max;
	const char *limits;
};

#define MEMBER(m) offsetof(struct reputation_rules, m), sizeof(((struct reputation_rules *)NULL)->m)
#define ONE REPUTATION_ONE
#define LAMBDA_MAX (ONE - ONE / MEMORY_MAX)
#define WEIGHT_MAX ((uint64_t)MEMORY_MAX * ONE)
#define LAMBDA_LIMITS "0 to 0.99999"
#define WEIGHT_LIMITS "0 to 100000"
#define TIME_LIMITS "1s to 3650d"

static const struct rule table[] = {
	{"audit-lambda", DECIMAL, MEMBER(audit.lambda), 0, LAMBDA_MAX, LAMBDA_LIMITS},
	{"audit-alpha", DECIMAL, MEMBER(audit.alpha), 0, WEIGHT_MAX, WEIGHT_LIMITS},
	{"audit-beta", DECIMAL, MEMBER(audit.beta), 0, WEIGHT_MAX, WEIGHT_LIMITS},
	{"audit-threshold", DECIMAL, MEMBER(audit.threshold), 0, ONE - 1, "0 to 0.999999"},
	{"unknown-lambda", DECIMAL, MEMBER(unknown.lambda), 0, LAMBDA_MAX, LAMBDA_LIMITS},
	{"unknown-alpha", DECIMAL, MEMBER(unknown.alpha), 0, WEIGHT_MAX, WEIGHT_LIMITS},
	{"unknown-beta", DECIMAL, MEMBER(unknown.beta), 0, WEIGHT_MAX, WEIGHT_LIMITS},
	{"unknown-threshold", DECIMAL, MEMBER(unknown.threshold), 0, ONE - 1, "0 to 0.999999"},
	{"unknown-share", DECIMAL, MEMBER(unknown_share), 1, ONE, "0.000001 to 1"},
	{"unknown-grace", TIME, MEMBER(unknown_grace), 1, TIME_MAX, TIME_LIMITS},
	{"online-window", TIME, MEMBER(window), 1, 30 * DAY, "1s to 30d"},
	{"online-period", TIME, MEMBER(tracking), 1, TIME_MAX, TIME_LIMITS},
	{"online-threshold", DECIMAL, MEMBER(online), 0, ONE, "0 to 1"},
	{"offline-grace", TIME, MEMBER(offline_grace), 1, TIME_MAX, TIME_LIMITS},
	{"vetting-audits", COUNT, MEMBER(vetting_audits), 0, 1000000000, "0 to 1000000000"},
	{"vetting-age", TIME, MEMBER(vetting_age), 0, TIME_MAX, "0s to 3650d"},
	{"loss-weight", DECIMAL, MEMBER(loss_weight), 0, ONE, "0 to 1"},
	{"loss-share", DECIMAL, MEMBER(loss_share), 0, ONE, "0 to 1"},
};
#define TABLE_ROWS (sizeof(table) / sizeof(table[0]))

static const struct rule *find_rule(const char *name, size_t len)
{
	for (size_t i = 0; i < TABLE_ROWS; i++)
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

/* Digits from *at on, at most up to `end`. */
static enum err read_digits(const char **at, const char *end, uint64_t *ret)
{
	const char *p = *at;
	uint64_t value = 0;

	for (; p < end && *p >= '0' && *p <= '9' && p - *at < 12; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	if (p == *at)
		return ERR_FORMAT;
	*at = p;
	*ret = value;
	return ERR_OK;
}

/* What follows the point of a decimal: at most six digits. */
static enum err read_millionths(const char **at, const char *end, uint64_t *ret)
{
	const char *start = *at;
	enum err err = read_digits(at, end, ret);

	if (err != ERR_OK)
		return err;
	if (*at - start > 6)
		return ERR_FORMAT;
	for (long place = *at - start; place < 6; place++)
		*ret *= 10;
	return ERR_OK;
}

static uint64_t seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return DAY;
	case 'w':
		return UINT64_C(7) * DAY;
	}
	return 0;
}

static enum err read_value(enum kind kind, const char *at, const char *end, uint64_t *ret)
{
	uint64_t value, fraction = 0;
	enum err err = read_digits(&at, end, &value);

	if (err != ERR_OK)
		return err;
	if (kind == DECIMAL && at < end && *at == '.') {
		at++;
		err = read_millionths(&at, end, &fraction);
		if (err != ERR_OK)
			return err;
	}
	if (kind == DECIMAL)
		value = value * ONE + fraction;
	if (kind == TIME && at < end) {
		value *= seconds_of(*at);
		if (seconds_of(*at++) == 0)
			return ERR_FORMAT;
	}
	*ret = value;
	return at == end ? ERR_OK : ERR_FORMAT;
}

static void store(struct reputation_rules *rules, const struct rule *rule, uint64_t value)
{
	uint8_t *member = (uint8_t *)rules + rule->offset;
	uint32_t small = (uint32_t)value;

	if (rule->size == sizeof(small))
		memcpy(member, &small, sizeof(small));
	else
		memcpy(member, &value, sizeof(value));
}

/* One "name=value". */
static enum err parse_rule(const char *start, const char *end, struct reputation_rules *rules, char *why, size_t room)
{
	const char *equals = memchr(start, '=', (size_t)(end - start));
	const struct rule *rule = equals == NULL ? NULL : find_rule(start, (size_t)(equals - start));
	uint64_t value;

	if (rule == NULL) {
		snprintf(why, room, "\"%.*s\" is no rule of reputation; they are written as in audit-threshold=0.96",
			 (int)(end - start > 60 ? 60 : end - start), start);
		return ERR_FORMAT;
	}
	if (read_value(rule->kind, equals + 1, end, &value) != ERR_OK) {
		snprintf(why, room, "%s: \"%.*s\" is not %s", rule->name,
			 (int)(end - equals > 40 ? 40 : end - equals - 1), equals + 1,
			 rule->kind == TIME    ? "a time, as in 12h or 30d"
			 : rule->kind == COUNT ? "a whole number"
					       : "a decimal of at most six places, as in 0.96");
		return ERR_FORMAT;
	}
	if (value < rule->min || value > rule->max) {
		snprintf(why, room, "%s: must be %s", rule->name, rule->limits);
		return ERR_RANGE;
	}
	store(rules, rule, value);
	return ERR_OK;
}

static enum err check_score(const struct beta_rules *rules, const char *name, char *why, size_t room)
{
	uint64_t sum = rules->alpha + rules->beta;

	if ((uint128)rules->alpha * ONE > (uint128)rules->threshold * sum)
		return ERR_OK;
	snprintf(why, room, "%s-threshold: a new node, with the alpha and beta given, would not be above it", name);
	return ERR_RANGE;
}

/* What no single rule shows. */
static enum err check_all(const struct reputation_rules *rules, char *why, size_t room)
{
	enum err err = check_score(&rules->audit, "audit", why, room);

	if (err == ERR_OK)
		err = check_score(&rules->unknown, "unknown", why, room);
	if (err != ERR_OK)
		return err;
	if (rules->tracking % rules->window == 0 && rules->tracking / rules->window <= REPUTATION_WINDOWS)
		return ERR_OK;
	snprintf(why, room, "online-period: must be 1 to %d times online-window", REPUTATION_WINDOWS);
	return ERR_RANGE;
}

enum err reputation_rules_parse(const char *text, struct reputation_rules *rules, char *why, size_t room)
{
	struct reputation_rules changed = *rules;
	enum err err = ERR_OK;

	while (*text != '\0' && err == ERR_OK) {
		const char *end = text + strcspn(text, ",");

		err = parse_rule(text, end, &changed, why, room);
		text = *end == ',' ? end + 1 : end;
	}
	if (err == ERR_OK)
		err = check_all(&changed, why, room);
	if (err == ERR_OK)
		*rules = changed;
	return err;
}
