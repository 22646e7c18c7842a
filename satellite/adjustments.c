/* SQL of adjustments. */
#include "satellite/adjustments.h"

#include "common/random.h"

static enum err check_open(struct database *db, uint32_t period)
{
	struct query *q = database_query(db, "SELECT 1 FROM months WHERE period >= $period");
	enum err err;

	query_int(q, "period", period);
	err = query_one(q);
	query_reset(q);
	return err == ERR_OK ? ERR_EXPIRED : err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err adjustments_add(struct database *db, const struct adjustment *adjustment)
{
	struct bytes32 id;
	struct query *q;
	enum err err = check_open(db, adjustment->period);

	if (err == ERR_OK && adjustment->period > month_period(adjustment->at))
		err = ERR_EARLY;
	if (err != ERR_OK)
		return err;
	random_bytes(id.b, sizeof(id.b));
	q = database_query(db, "INSERT INTO adjustments (id, node, period, kind, concerns, amount, at, note) VALUES "
			       "($id, $node, $period, $kind, $concerns, $amount, $at, $note)");
	query_bytes32(q, "id", &id);
	query_address(q, "node", &adjustment->node);
	query_int(q, "period", adjustment->period);
	query_int(q, "kind", adjustment->kind);
	query_int(q, "concerns", adjustment->concerns);
	query_int(q, "amount", amount_units(adjustment->amount));
	query_int(q, "at", adjustment->at);
	query_text(q, "note", adjustment->note);
	return query_run(q);
}

static enum err apply(struct month *month, uint64_t kind, uint32_t concerns, struct amount amount,
		      struct amount *deductions)
{
	enum err err;

	if (kind == LINE_BONUS)
		return month_add_bonus(month, amount);
	if (kind == LINE_CORRECTION)
		return month_add_correction(month, concerns, amount);
	if (kind != LINE_DEDUCTED)
		return ERR_CORRUPT;
	err = month_add_deduction(month, amount);
	return err == ERR_OK ? amount_add(*deductions, amount, deductions) : err;
}

enum err adjustments_apply(struct database *db, const struct address *node, uint32_t period, struct month *month,
			   struct amount *ret_deductions)
{
	struct query *q = database_query(db, "SELECT kind, concerns, amount FROM adjustments WHERE node = $node AND "
					     "period = $period ORDER BY id");
	struct amount deductions = AMOUNT_INIT(0);
	bool row;
	enum err err;

	query_address(q, "node", node);
	query_int(q, "period", period);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = apply(month, query_get_int(q, 0), (uint32_t)query_get_int(q, 1), amount_of(query_get_int(q, 2)),
			    &deductions);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret_deductions = deductions;
	return err;
}
