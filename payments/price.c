/* Which price holds, and what follows from it. */
#include "payments/price.h"

struct prices price_table(const struct price *price)
{
	return (struct prices){
		.storage = amount_of(price->storage),
		.egress = amount_of(price->egress),
		.audit = amount_of(price->audit),
		.repair = amount_of(price->repair),
	};
}

struct price price_make(const struct address *party, const struct prices *prices, uint64_t from, uint64_t until)
{
	return (struct price){
		.party = *party,
		.storage = amount_units(prices->storage),
		.egress = amount_units(prices->egress),
		.audit = amount_units(prices->audit),
		.repair = amount_units(prices->repair),
		.from = from,
		.until = until,
	};
}

enum refusal price_check(const struct price *price, const struct signature *signature, const struct domain *domain)
{
	if (price->from >= price->until || price->from % PRICE_DAY != 0 || price->until % PRICE_DAY != 0)
		return REFUSAL_PRICE;
	return typed_verify(&typed_price, price, domain, signature, &price->party);
}

enum refusal price_check_new(const struct price *price, bool known, uint64_t now)
{
	uint64_t today = now - now % PRICE_DAY;

	return price->from > today || (price->from == today && !known) ? REFUSAL_NONE : REFUSAL_PRICE;
}

const struct price *price_at(const struct price *list, size_t count, uint64_t at)
{
	const struct price *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (list[i].from <= at && (found == NULL || list[i].from > found->from))
			found = &list[i];
	}
	return found != NULL && at < found->until ? found : NULL;
}

static struct amount lower(struct amount a, struct amount b)
{
	return amount_units(a) < amount_units(b) ? a : b;
}

struct prices prices_paid(const struct prices *offer, const struct prices *ask)
{
	if (ask == NULL)
		return *offer;
	return (struct prices){
		.storage = lower(offer->storage, ask->storage),
		.egress = lower(offer->egress, ask->egress),
		.audit = lower(offer->audit, ask->audit),
		.repair = lower(offer->repair, ask->repair),
	};
}

enum err prices_surge(const struct prices *prices, unsigned percent, struct prices *ret)
{
	const struct amount *from[] = {&prices->storage, &prices->egress, &prices->audit, &prices->repair};
	struct prices surged;
	struct amount *to[] = {&surged.storage, &surged.egress, &surged.audit, &surged.repair};

	if (percent > PRICE_SURGE_MOST)
		return ERR_RANGE;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		enum err err = amount_scale(percent, *from[i], 100, to[i]);

		if (err != ERR_OK)
			return err;
	}
	*ret = surged;
	return ERR_OK;
}

enum err prices_check_charges(const struct prices *pays, const struct charges *charges, const char **ret_name)
{
	if (amount_units(pays->storage) > amount_units(charges->storage))
		*ret_name = "storage";
	else if (amount_units(pays->egress) > amount_units(charges->egress))
		*ret_name = "egress";
	else
		return ERR_OK;
	return ERR_RANGE;
}

struct charged charges_of(const struct charges *charges, struct byte_seconds stored, uint64_t egress, uint64_t start)
{
	const struct amount most = amount_of(UINT64_MAX);
	struct charged charged;

	if (tally_storage(stored, charges->storage, start, &charged.storage) != ERR_OK)
		charged.storage = most;
	if (tally_traffic(egress, charges->egress, &charged.egress) != ERR_OK)
		charged.egress = most;
	if (amount_add(charged.storage, charged.egress, &charged.total) != ERR_OK)
		charged.total = most;
	return charged;
}

enum refusal payee_check(const struct payee *payee, const struct signature *signature, const struct domain *domain,
			 const struct address *node)
{
	if (!address_equal(&payee->node, node))
		return REFUSAL_NODE;
	return typed_verify(&typed_payee, payee, domain, signature, node);
}

const struct address *payee_of_month(const struct payee *list, size_t count, const struct address *node, uint64_t end)
{
	const struct payee *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (list[i].from < end && (found == NULL || list[i].from >= found->from))
			found = &list[i];
	}
	return found == NULL ? node : &found->payee;
}
