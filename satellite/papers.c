/* Prices and statements on the wire. */
#include "satellite/papers.h"

#include "common/clock.h"
#include "satellite/pricing.h"

#define STATEMENTS_AT_ONCE 12
#define PRICES_PART 400

static enum err tell_prices(struct database *db, void *arg)
{
	struct work *work = arg;
	struct message answer = {.type = MSG_PRICES};
	const struct address *satellite = key_address(work->desk->key);
	struct query *q = database_query(db, "SELECT signed FROM prices WHERE party = $party AND begins >= (SELECT "
					     "COALESCE(MAX(begins), 0) FROM prices WHERE party = $party AND begins <= "
					     "$from) ORDER BY begins");
	struct reply_list list;
	bool row = false;
	enum err err;

	work->reply->len = 0; /* a view that has to begin anew begins the answer anew */
	query_address(q, "party", satellite);
	query_int(q, "from", (uint64_t)work->message->ask_prices.day * PRICE_DAY);
	reply_list_begin(&list, work->reply, &answer, &answer.prices.prices, &answer.prices.last, &item_signed_fields);
	reply_list_limit(&list, PRICES_PART);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct item_signed item = {query_get_bytes(q, 0)};

		if (item.signed_thing.len > MESSAGE_SIGNED_MAX) {
			err = ERR_CORRUPT;
			break;
		}
		reply_list_add(&list, &item);
	}
	query_reset(q);
	if (err == ERR_OK)
		reply_list_end(&list);
	return err;
}

enum err papers_tell_prices(struct work *work)
{
	return database_view(work->desk->db, tell_prices, work);
}

static enum err tell_statements(struct database *db, void *arg)
{
	struct work *work = arg;
	struct query *q = database_query(db, "SELECT signed, lines FROM statements WHERE node = $node AND period > "
					     "$period ORDER BY period LIMIT $limit");
	struct message answer = {.type = MSG_STATEMENT};
	struct msg_statement *statement = &answer.statement;
	bool row = false;
	enum err err;

	work->reply->len = 0;
	query_address(q, "node", &work->caller->address);
	query_int(q, "period", work->message->ask_statements.period);
	query_int(q, "limit", STATEMENTS_AT_ONCE);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		statement->statement = query_get_bytes(q, 0);
		statement->sheet = query_get_bytes(q, 1);
		if (statement->statement.len > MESSAGE_SIGNED_MAX || statement->sheet.len > MESSAGE_SHEET_MAX) {
			err = ERR_CORRUPT;
			break;
		}
		reply_add(work->reply, &answer);
	}
	query_reset(q);
	if (err != ERR_OK)
		return err;
	/* An empty one ends the list: whoever got twelve asks again. */
	*statement = (struct msg_statement){.last = 1};
	reply_add(work->reply, &answer);
	return ERR_OK;
}

enum err papers_tell_statements(struct work *work)
{
	return database_view(work->desk->db, tell_statements, work);
}

/* The node's price that holds at a time, or begins then. */
static enum err find_price(struct database *db, const struct address *node, uint64_t at, struct price *ret, bool *known)
{
	struct query *q = database_query(db, "SELECT signed FROM prices WHERE party = $party AND begins <= $at "
					     "ORDER BY begins DESC LIMIT 1");
	struct signature signature;
	enum err err;

	query_address(q, "party", node);
	query_int(q, "at", at);
	err = query_one(q);
	*known = err == ERR_OK;
	if (err == ERR_OK)
		err = typed_decode(&typed_price, query_get_bytes(q, 0), ret, &signature) == ERR_OK ? ERR_OK
												   : ERR_CORRUPT;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

struct offer_of {
	struct work *work;
	struct price price;
	struct signature signature;
};

static enum err keep_offer(struct database *db, void *arg)
{
	struct offer_of *offer = arg;
	struct work *work = offer->work;
	const struct price *price = &offer->price;
	uint64_t now = clock_wall();
	struct bytes32 hashes[2];
	struct price other;
	bool known;
	enum err err = find_price(db, &work->caller->address, price->from, &other, &known);

	if (err == ERR_OK && known && other.from == price->from) {
		typed_hash(&typed_price, &other, &hashes[0]);
		typed_hash(&typed_price, price, &hashes[1]);
		if (bytes32_equal(&hashes[0], &hashes[1]))
			return ERR_OK;
		return work_refuse(work, REFUSAL_CONFLICT, "price: another one begins on that day");
	}
	if (err == ERR_OK)
		err = find_price(db, &work->caller->address, now, &other, &known);
	if (err == ERR_OK && price_check_new(price, known && other.until > now, now) != REFUSAL_NONE)
		return work_refuse(work, REFUSAL_PRICE,
				   "from: a price begins on a day to come, or today when none holds yet");
	return err == ERR_OK ? pricing_keep(db, price, &offer->signature) : err;
}

enum err papers_take_offer(struct work *work)
{
	struct offer_of offer = {.work = work};
	enum refusal refusal;
	enum err err;

	if (typed_decode(&typed_price, work->message->offer_price.price, &offer.price, &offer.signature) != ERR_OK)
		return work_refuse(work, REFUSAL_MALFORMED, "price: not a signed Price");
	if (!address_equal(&offer.price.party, &work->caller->address))
		return work_refuse(work, REFUSAL_NODE, "party: not this node");
	refusal = price_check(&offer.price, &offer.signature, &work->desk->settings->domain);
	if (refusal != REFUSAL_NONE)
		return work_refuse(work, refusal, "price: %s", refusal_text(refusal));
	err = database_transaction(work->desk->db, keep_offer, &offer);
	if (err == ERR_OK)
		reply_done(work->reply);
	return err;
}
