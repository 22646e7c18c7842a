/* SQL of the costs of honest losses. */
#include "satellite/repair_costs.h"

#include "satellite/adjustments.h"
#include "satellite/ledger.h"

/* Deductions of months that are not closed. */
static enum err read_pending(struct database *db, const struct address *node, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT COALESCE(SUM(amount), 0) FROM adjustments WHERE node = $node AND "
					     "kind = $kind AND period > COALESCE((SELECT MAX(period) FROM months), 0)");
	enum err err;

	query_address(q, "node", node);
	query_int(q, "kind", LINE_DEDUCTED);
	err = query_one(q);
	*ret = err == ERR_OK ? query_get_int(q, 0) : 0;
	query_reset(q);
	return err;
}

/* What is held back and not spoken for: by deductions to come, or by those of closed months that found nothing to take
 * from (the balance of TO_DEDUCT is below zero by these). */
static enum err read_bound(struct database *db, const struct address *node, uint64_t *ret)
{
	struct ledger_sums sums;
	uint64_t pending = 0;
	__int128 bound;
	enum err err = ledger_sum(db, node, &sums);

	if (err == ERR_OK)
		err = read_pending(db, node, &pending);
	if (err != ERR_OK)
		return err;
	bound = ledger_balance(&sums, LEDGER_HELD) + ledger_balance(&sums, LEDGER_TO_DEDUCT) - pending;
	*ret = bound > 0 ? (uint64_t)bound : 0;
	return ERR_OK;
}

enum err repair_costs_take(struct database *db, const struct settings *settings, const struct address *node,
			   uint64_t bytes, uint64_t now)
{
	struct adjustment adjustment = {
		.node = *node,
		.period = month_period(now),
		.kind = LINE_DEDUCTED,
		.at = now,
		.note = "repair of a piece that it reported lost",
	};
	uint64_t bound = 0;
	enum err err = tally_traffic(bytes, settings->prices.repair, &adjustment.amount);

	if (err == ERR_OK)
		err = read_bound(db, node, &bound);
	if (err != ERR_OK)
		return err;
	if (amount_units(adjustment.amount) > bound)
		adjustment.amount = amount_of(bound);
	if (amount_units(adjustment.amount) == 0)
		return ERR_OK;
	err = adjustments_add(db, &adjustment);
	return err == ERR_EXPIRED ? ERR_OK : err;
}
