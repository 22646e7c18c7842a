/* SQL on the ledger's tables, which stand in ledger.c. */
#include "node/ledger_orders.h"

#include "common/database.h"
#include "node/ledger_private.h"

enum err ledger_each_waiting(struct ledger *ledger, enum err (*each)(void *arg, const struct ledger_waiting *waiting),
			     void *arg)
{
	struct query *q =
		database_query(ledger_database(ledger),
			       "SELECT satellite, at / 3600 * 3600 AS since, COUNT(*), SUM(amount) FROM orders "
			       "WHERE state = 1 GROUP BY satellite, at / 3600 * 3600 ORDER BY since, satellite");
	bool row = false;
	enum err err = query_step(q, &row);

	while (err == ERR_OK && row) {
		struct ledger_waiting waiting = {
			.since = query_get_int(q, 1), .orders = query_get_int(q, 2), .bytes = query_get_int(q, 3)};

		err = query_get_exact(q, 0, waiting.satellite.b, sizeof(waiting.satellite.b));
		if (err == ERR_OK)
			err = each(arg, &waiting);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}

static enum err read_rejected(struct query *q, struct ledger_rejected *ret)
{
	enum err err = query_get_exact(q, 0, ret->satellite.b, sizeof(ret->satellite.b));

	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->allocation.b, sizeof(ret->allocation.b));
	ret->action = (enum action)query_get_int(q, 2);
	ret->amount = query_get_int(q, 3);
	ret->at = query_get_int(q, 4);
	ret->code = (enum refusal)query_get_int(q, 5);
	return err;
}

enum err ledger_each_rejected(struct ledger *ledger, uint32_t most,
			      enum err (*each)(void *arg, const struct ledger_rejected *order), void *arg)
{
	struct query *q = database_query(ledger_database(ledger),
					 "SELECT satellite, allocation, action, amount, at, code FROM orders "
					 "WHERE state = 3 ORDER BY at DESC, allocation LIMIT $most");
	bool row = false;
	enum err err;

	query_int(q, "most", most);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		struct ledger_rejected order;

		err = read_rejected(q, &order);
		if (err == ERR_OK)
			err = each(arg, &order);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}

enum err ledger_last_settled(struct ledger *ledger, const struct address *satellite, uint64_t *ret)
{
	struct query *q =
		database_query(ledger_database(ledger), "SELECT MAX(at) FROM settlements WHERE satellite = $satellite");
	enum err err;

	query_address(q, "satellite", satellite);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err;
}
