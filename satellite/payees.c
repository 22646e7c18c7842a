/* SQL of payees. */
#include "satellite/payees.h"

#include "payments/price.h"

static enum err run(struct database *db, const char *sql, const struct address *node, struct bytes begins)
{
	struct query *q = database_query(db, sql);

	query_address(q, "node", node);
	query_bytes(q, "begins", begins);
	return query_run(q);
}

/* So that a node cannot fill the table. */
static enum err drop_oldest(struct database *db, const struct address *node)
{
	struct query *q =
		database_query(db, "DELETE FROM payees WHERE node = $node AND begins < (SELECT MIN(begins) FROM "
				   "(SELECT begins FROM payees WHERE node = $node ORDER BY begins DESC LIMIT "
				   "$most) AS newest)");

	query_address(q, "node", node);
	query_int(q, "most", PAYEES_MOST);
	return query_run(q);
}

/* Whom the node named last for a time up to `begins`; ERR_NOT_FOUND. */
static enum err find_before(struct database *db, const struct address *node, struct bytes begins, struct payee *ret)
{
	struct query *q =
		database_query(db, "SELECT signed FROM payees WHERE node = $node AND begins <= $begins ORDER BY "
				   "begins DESC LIMIT 1");
	struct signature signature;
	enum err err;

	query_address(q, "node", node);
	query_bytes(q, "begins", begins);
	err = query_one(q);
	if (err == ERR_OK && typed_decode(&typed_payee, query_get_bytes(q, 0), ret, &signature) != ERR_OK)
		err = ERR_CORRUPT;
	query_reset(q);
	return err;
}

enum err payees_keep(struct database *db, const struct address *node, struct bytes signed_payee)
{
	struct payee payee, before;
	struct signature signature;
	uint8_t begins[8];
	struct query *q;
	enum err err;

	if (typed_decode(&typed_payee, signed_payee, &payee, &signature) != ERR_OK)
		return ERR_CORRUPT;
	put_be64(begins, payee.from);
	err = run(db, "DELETE FROM payees WHERE node = $node AND begins > $begins", node,
		  bytes_of(begins, sizeof(begins)));
	if (err == ERR_OK)
		err = find_before(db, node, bytes_of(begins, sizeof(begins)), &before);
	/* A node says it again at each check-in: that is nothing new, and must not push out what held before. */
	if (err == ERR_OK && address_equal(&before.payee, &payee.payee))
		return ERR_OK;
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		err = run(db, "DELETE FROM payees WHERE node = $node AND begins = $begins", node,
			  bytes_of(begins, sizeof(begins)));
	if (err != ERR_OK)
		return err;
	q = database_query(db, "INSERT INTO payees (node, begins, signed) VALUES ($node, $begins, $signed)");
	query_address(q, "node", node);
	query_bytes(q, "begins", bytes_of(begins, sizeof(begins)));
	query_bytes(q, "signed", signed_payee);
	err = query_run(q);
	return err == ERR_OK ? drop_oldest(db, node) : err;
}

enum err payees_at(struct database *db, const struct address *node, uint64_t end, struct address *ret)
{
	struct query *q = database_query(db, "SELECT signed FROM payees WHERE node = $node ORDER BY begins");
	struct payee list[PAYEES_MOST];
	size_t count = 0;
	bool row;
	enum err err;

	query_address(q, "node", node);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct signature signature;

		if (count == PAYEES_MOST ||
		    typed_decode(&typed_payee, query_get_bytes(q, 0), &list[count++], &signature) != ERR_OK) {
			err = ERR_CORRUPT;
			break;
		}
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret = *payee_of_month(list, count, node, end);
	return err;
}
