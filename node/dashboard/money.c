/* Sums over the months of a report. What does not fit stays as it was: such a sum is absurd anyway. */
#include "node/dashboard/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/dashboard/html.h"
#include "payments/held.h"
#include "payments/month.h"

#define WATT_SECONDS 3600000 /* of a kWh */

static struct amount amount_in(const json_t *json, const char *name)
{
	struct amount amount = amount_of(0);

	(void)!amount_parse(json_text(json, name), &amount);
	return amount;
}

static void add(struct amount *sum, struct amount one)
{
	(void)!amount_add(*sum, one, sum);
}

static void set_amount(json_t *json, const char *name, struct amount amount)
{
	char text[AMOUNT_TEXT];

	json_object_set_new(json, name, json_string(amount_print(amount, text)));
}

static enum err add_claim(void *arg, const struct papers_claim *claim)
{
	struct amount *sum = arg;

	return amount_add(*sum, claim->amount, sum);
}

enum err money_claimed(struct papers *papers, struct amount *ret)
{
	struct amount sum = amount_of(0);
	enum err err = papers_claims(papers, add_claim, &sum);

	if (err == ERR_OK)
		*ret = sum;
	return err;
}

/* Whether a later month of the same satellite has a statement: what was rolled over then went on into it. */
static bool has_later(const json_t *months, size_t at)
{
	const json_t *month = json_array_get(months, at), *other;
	size_t i;

	json_array_foreach(months, i, other) {
		if (json_yes(other, "statement") &&
		    strcmp(json_text(other, "satellite"), json_text(month, "satellite")) == 0 &&
		    strcmp(json_text(other, "period"), json_text(month, "period")) > 0)
			return true;
	}
	return false;
}

json_t *money_stages(const json_t *report, struct amount claimed)
{
	struct amount accrued = amount_of(0), due = amount_of(0), rolled = amount_of(0), paid = amount_of(0);
	const json_t *months = json_object_get(report, "months"), *month;
	json_t *json = json_object();
	size_t i;

	json_array_foreach(months, i, month) {
		const json_t *theirs = json_object_get(month, "theirs");

		if (json_is_object(theirs)) {
			add(&paid, amount_in(theirs, "paid"));
			if (!has_later(months, i))
				add(&rolled, amount_in(theirs, "rolled"));
		} else if (json_yes(month, "over")) {
			add(&due, amount_in(json_object_get(month, "own"), "payable"));
		} else {
			add(&accrued, amount_in(json_object_get(month, "own"), "payable"));
		}
	}
	set_amount(json, "accrued", accrued);
	set_amount(json, "due", due);
	set_amount(json, "below_minimum", rolled);
	set_amount(json, "paid", paid);
	set_amount(json, "claimed", claimed);
	return json;
}

/* Held back. */

/* The earliest month of a satellite in the report, any instant of it. */
static uint64_t first_month(const json_t *months, const char *satellite)
{
	uint32_t first = UINT32_MAX, period;
	const json_t *month;
	uint64_t at = 0;
	size_t i;

	json_array_foreach(months, i, month) {
		if (strcmp(json_text(month, "satellite"), satellite) == 0 &&
		    period_parse(json_text(month, "period"), &period) == ERR_OK && period < first)
			first = period;
	}
	if (first != UINT32_MAX && month_of_period(first, &at) != ERR_OK)
		at = 0;
	return at;
}

/* When the schedule lets half of it go. */
static uint64_t release_at(uint64_t registered)
{
	uint64_t at = registered;

	for (unsigned i = 0; i < held_default.release_after; i++)
		at = month_end(at);
	return at;
}

static void add_releases(json_t *releases, const struct held_account *account, struct amount balance,
			 uint64_t registered, uint64_t now)
{
	uint64_t at = release_at(registered);
	struct amount half;
	json_t *json;

	if (at > now && amount_scale(held_default.release_percent, account->withheld, 100, &half) == ERR_OK) {
		json = json_pack("{s:I, s:s}", "at", (json_int_t)at, "why", "the node stayed for 15 months");
		set_amount(json, "amount", half);
		json_array_append_new(releases, json);
		(void)!amount_sub(balance, half, &balance);
	}
	json = json_pack("{s:n, s:s}", "at", "why", "the node leaves in good order (granary-node exit)");
	set_amount(json, "amount", balance);
	json_array_append_new(releases, json);
}

static json_t *held_of(const json_t *months, const char *satellite, uint64_t now)
{
	uint64_t registered = first_month(months, satellite);
	struct held_account account = {amount_of(0), amount_of(0), amount_of(0)};
	struct amount balance = amount_of(0);
	json_t *json = json_object(), *releases = json_array();
	const json_t *month;
	size_t i;

	json_array_foreach(months, i, month) {
		/* Signed months by the statement, others by the node's own books. */
		const json_t *sums = json_object_get(month, json_yes(month, "statement") ? "theirs" : "own");

		if (strcmp(json_text(month, "satellite"), satellite) != 0)
			continue;
		add(&account.withheld, amount_in(sums, "held"));
		add(&account.released, amount_in(sums, "released"));
		add(&account.forfeited, amount_in(sums, "forfeited"));
	}
	(void)!held_balance(&account, &balance);
	json_object_set_new(json, "satellite", json_string(satellite));
	json_object_set_new(json, "month", json_integer(held_month(registered, now)));
	json_object_set_new(json, "percent", json_integer(held_percent(&held_default, held_month(registered, now))));
	set_amount(json, "withheld", account.withheld);
	set_amount(json, "released", account.released);
	set_amount(json, "forfeited", account.forfeited);
	set_amount(json, "balance", balance);
	add_releases(releases, &account, balance, registered, now);
	json_object_set_new(json, "releases", releases);
	return json;
}

static bool is_in(const json_t *list, const char *satellite)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (strcmp(json_text(one, "satellite"), satellite) == 0)
			return true;
	return false;
}

json_t *money_held(const json_t *report, uint64_t now)
{
	const json_t *months = json_object_get(report, "months"), *month;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(months, i, month) {
		const char *satellite = json_text(month, "satellite");

		if (!is_in(list, satellite))
			json_array_append_new(list, held_of(months, satellite, now));
	}
	return list;
}

/* Running cost. */

static struct amount cost_of(const struct running_cost *cost, uint64_t seconds)
{
	struct amount amount = amount_of(0);

	(void)!amount_scale((uint128)cost->watts * seconds, cost->kwh, WATT_SECONDS, &amount);
	return amount;
}

static json_t *net_of(const json_t *months, const char *period, const struct running_cost *cost, uint64_t now)
{
	struct amount earned = amount_of(0), spent, net;
	char text[AMOUNT_TEXT], with_sign[AMOUNT_TEXT + 1];
	json_t *json = json_object();
	const json_t *month;
	uint32_t number;
	uint64_t at = 0;
	bool loss;
	size_t i;

	json_array_foreach(months, i, month)
		if (strcmp(json_text(month, "period"), period) == 0)
			add(&earned, amount_in(json_object_get(month, "own"), "payable"));
	if (period_parse(period, &number) == ERR_OK)
		(void)!month_of_period(number, &at);
	spent = cost_of(cost, (now < month_end(at) ? now : month_end(at)) - at);
	loss = amount_sub(earned, spent, &net) != ERR_OK;
	if (loss)
		(void)!amount_sub(spent, earned, &net);
	snprintf(with_sign, sizeof(with_sign), "%s%s", loss ? "-" : "", amount_print(net, text));
	json_object_set_new(json, "period", json_string(period));
	set_amount(json, "earned", earned);
	set_amount(json, "cost", spent);
	json_object_set_new(json, "net", json_string(with_sign));
	return json;
}

json_t *money_net(const json_t *report, const struct running_cost *cost, uint64_t now)
{
	const json_t *months = json_object_get(report, "months"), *month, *one;
	json_t *list;
	size_t i, k;

	if (cost->watts == 0 || amount_units(cost->kwh) == 0)
		return json_null();
	list = json_array();
	json_array_foreach(months, i, month) {
		const char *period = json_text(month, "period");
		bool known = false;

		json_array_foreach(list, k, one)
			known = known || strcmp(json_text(one, "period"), period) == 0;
		if (!known)
			json_array_append_new(list, net_of(months, period, cost, now));
	}
	return list;
}
