/* SQL of prices. */
#include "satellite/pricing.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define VALID_DAYS 3650 /* for how long a price is published; a later one takes its place before */

struct price_list {
	struct price *prices;
	size_t count, room;
};

struct pricing {
	struct address satellite;
	uint64_t from, until;
	struct price_list offers, asks;
};

static enum err read_price(struct query *q, struct price *ret)
{
	struct signature signature; /* checked when it was taken up */

	return typed_decode(&typed_price, query_get_bytes(q, 0), ret, &signature) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* Those that are in force at some time in [from, until): that which began last before it, and those that begin in it.
 */
static enum err read_list(struct database *db, const struct pricing *pricing, const struct address *party,
			  struct price_list *list)
{
	struct query *q = database_query(db, "SELECT signed FROM prices WHERE party = $party AND begins < $until AND "
					     "begins >= (SELECT COALESCE(MAX(begins), 0) FROM prices WHERE party = "
					     "$party AND begins <= $from) ORDER BY begins");
	bool row;
	enum err err;

	list->count = 0;
	query_address(q, "party", party);
	query_int(q, "from", pricing->from);
	query_int(q, "until", pricing->until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		list->prices = memory_grow(list->prices, &list->room, list->count + 1, sizeof(*list->prices));
		err = read_price(q, &list->prices[list->count++]);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err pricing_open(struct database *db, const struct address *satellite, uint64_t from, uint64_t until,
		      struct pricing **ret)
{
	struct pricing *pricing = memory_new(1, sizeof(*pricing));
	enum err err;

	pricing->satellite = *satellite;
	pricing->from = from;
	pricing->until = until;
	err = read_list(db, pricing, satellite, &pricing->offers);
	if (err == ERR_OK)
		*ret = pricing;
	else
		pricing_free(pricing);
	return err;
}

void pricing_free(struct pricing *pricing)
{
	if (pricing == NULL)
		return;
	free(pricing->offers.prices);
	free(pricing->asks.prices);
	free(pricing);
}

enum err pricing_set_node(struct pricing *pricing, struct database *db, const struct address *node)
{
	return read_list(db, pricing, node, &pricing->asks);
}

struct prices pricing_day(const struct pricing *pricing, uint64_t day)
{
	uint64_t at = day * PRICE_DAY;
	const struct price *offer = price_at(pricing->offers.prices, pricing->offers.count, at);
	const struct price *ask = price_at(pricing->asks.prices, pricing->asks.count, at);
	struct prices offered, asked;

	if (offer == NULL)
		return (struct prices){.storage = AMOUNT_INIT(0)};
	offered = price_table(offer);
	if (ask == NULL)
		return offered;
	asked = price_table(ask);
	return prices_paid(&offered, &asked);
}

enum err pricing_each_ask(struct database *db, const struct address *satellite, uint64_t at,
			  enum err (*each)(const struct price *ask, void *arg), void *arg)
{
	struct query *q = database_query(db, "SELECT signed FROM prices AS ask WHERE party <> $satellite AND begins = "
					     "(SELECT MAX(begins) FROM prices WHERE party = ask.party AND begins <= "
					     "$at) ORDER BY party");
	struct price ask;
	bool row;
	enum err err;

	query_address(q, "satellite", satellite);
	query_int(q, "at", at);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = read_price(q, &ask);
		if (err == ERR_OK && ask.until > at)
			err = each(&ask, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err pricing_keep(struct database *db, const struct price *price, const struct signature *signature)
{
	struct query *q =
		database_query(db, "INSERT INTO prices (party, begins, signed) VALUES ($party, $begins, $signed)");
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_price, price, signature, &w);
	query_address(q, "party", &price->party);
	query_int(q, "begins", price->from);
	query_bytes(q, "signed", writer_bytes(&w));
	return query_run(q);
}

static bool same_prices(const struct prices *a, const struct prices *b)
{
	return amount_units(a->storage) == amount_units(b->storage) &&
	       amount_units(a->egress) == amount_units(b->egress) && amount_units(a->audit) == amount_units(b->audit) &&
	       amount_units(a->repair) == amount_units(b->repair);
}

static enum err find_last(struct database *db, const struct address *party, struct price *ret)
{
	struct query *q =
		database_query(db, "SELECT signed FROM prices WHERE party = $party ORDER BY begins DESC LIMIT 1");
	enum err err;

	query_address(q, "party", party);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_price(q, ret);
	query_reset(q);
	return err;
}

static enum err publish(struct database *db, void *arg)
{
	const struct desk *desk = arg;
	const struct address *satellite = key_address(desk->key);
	uint64_t from = clock_wall() / PRICE_DAY * PRICE_DAY;
	struct price last, price;
	struct prices before;
	struct signature signature;
	enum err err = find_last(db, satellite, &last);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && last.until > from) {
		before = price_table(&last);
		if (same_prices(&before, &desk->settings->prices))
			return ERR_OK;
		from = (last.from > from ? last.from : from) + PRICE_DAY;
	}
	price = price_make(satellite, &desk->settings->prices, from, from + VALID_DAYS * PRICE_DAY);
	typed_sign(&typed_price, &price, &desk->settings->domain, desk->key, &signature);
	return pricing_keep(db, &price, &signature);
}

enum err pricing_publish(struct desk *desk)
{
	return database_transaction(desk->db, publish, desk);
}
