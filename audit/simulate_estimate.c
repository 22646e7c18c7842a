/* What a simulation's figures come to, and what they should on paper. */
#include <math.h>
#include <stdio.h>

#include "audit/health.h"
#include "audit/simulate.h"

#define MOST_PIECES UINT64_C(4000000000) /* 16 GB of memory */
#define MOST_DRIVES 250e6		 /* 4 GB */

const struct simulate_plan simulate_defaults = {
	.nodes = 10000,
	.network_nodes = 1,
	.years = 10,
	.segments = 1000000,
	.redundancy = {29, 52, 80, 110},
	.model = SIMULATE_CONSTANT,
	.daily_failure = 500000,
	.exit_days = 30,
	.new_nodes = 5,
	.seed = 1,
};

static enum err refuse(char *why, size_t room, const char *what)
{
	snprintf(why, room, "%s", what);
	return ERR_RANGE;
}

/* Drives that come in all years, or somewhat more. */
static double count_drives(const struct simulate_plan *plan)
{
	double yearly = (double)plan->daily_failure * SIMULATE_YEAR * (plan->model == SIMULATE_BATHTUB ? 4 : 1);

	yearly = (yearly + plan->churn + plan->outage) / SIMULATE_CERTAIN;
	return plan->nodes * (1 + plan->years * yearly);
}

enum err simulate_check(const struct simulate_plan *plan, char *why, size_t room)
{
	uint64_t networks = plan->nodes;

	if (plan->nodes == 0 || plan->network_nodes == 0 || plan->years == 0 || plan->segments == 0)
		return refuse(why, room, "nodes, nodes of a network, years and segments must each be at least 1");
	if (plan->years > 100)
		return refuse(why, room, "years: must be at most 100");
	if (plan->daily_failure > SIMULATE_CERTAIN || plan->churn > SIMULATE_CERTAIN || plan->outage > SIMULATE_CERTAIN)
		return refuse(why, room, "chances and shares must be 0 to 1");
	if (!plan->share_networks)
		networks = (plan->nodes + plan->network_nodes - 1) / plan->network_nodes;
	if (networks < plan->redundancy.success)
		return refuse(why, room,
			      "nodes: fewer than the pieces of a segment, which go to nodes of distinct networks");
	if ((uint64_t)plan->segments * plan->redundancy.success > MOST_PIECES)
		return refuse(why, room, "segments: together they have more than 4,000,000,000 pieces");
	if (count_drives(plan) > MOST_DRIVES)
		return refuse(why, room, "nodes: more than 250,000,000 of them would come and go");
	return ERR_OK;
}

static double segment_years(const struct simulate_plan *plan)
{
	return (double)plan->segments * plan->years;
}

double simulate_failures_per_day(const struct simulate_plan *plan, const struct simulate_result *result)
{
	return (double)result->failures / ((double)plan->years * SIMULATE_YEAR);
}

double simulate_repairs_per_segment_year(const struct simulate_plan *plan, const struct simulate_result *result)
{
	return (double)result->repairs / segment_years(plan);
}

double simulate_traffic_per_stored_byte_year(const struct simulate_plan *plan, const struct simulate_result *result)
{
	double traffic = (double)(result->downloaded + result->uploaded + 2 * result->moved);

	return traffic / (segment_years(plan) * plan->redundancy.required);
}

double simulate_loss_per_segment_year(const struct simulate_plan *plan, const struct simulate_result *result)
{
	return (result->lost > 0 ? (double)result->lost : 3) / segment_years(plan); /* ln 20 is 3 */
}

double simulate_nines(double loss)
{
	double nines = loss > 0 ? -log10(loss) : 300;

	return nines < 300 ? nines : 300;
}

/* The chance that so many good pieces become too few within some days. */
static double chance_of_loss(const struct simulate_plan *plan, uint32_t good, uint32_t daily, uint32_t days)
{
	uint32_t counts[PIECE_STATES] = {[PIECE_GOOD] = good};

	return health_chance_of_loss(&plan->redundancy, counts, &(struct health_odds){daily, days});
}

/* An outage meets segments of all healths between whole and the threshold, as 1/h. */
static double loss_by_outage(const struct simulate_plan *plan, uint32_t threshold)
{
	double loss = 0, weights = 0;

	for (uint32_t health = threshold + 1; health <= plan->redundancy.success; health++) {
		loss += chance_of_loss(plan, health, plan->outage, 1) / health;
		weights += 1.0 / health;
	}
	return loss / weights;
}

void simulate_estimate(const struct simulate_plan *plan, struct simulate_estimate *ret)
{
	const struct redundancy *rs = &plan->redundancy;
	uint32_t threshold = health_threshold(rs);
	uint32_t days = plan->repair_delay > 0 ? plan->repair_delay : 1;
	double p = (double)plan->daily_failure / SIMULATE_CERTAIN;
	double daily = p - log1p(-(double)plan->outage / SIMULATE_CERTAIN) / SIMULATE_YEAR;
	double steps = threshold > 0 ? log((double)rs->success / threshold) : 1;
	double repairs = daily > 0 ? SIMULATE_YEAR / (steps / daily + plan->repair_delay) : 0;
	double held = threshold > 0 ? (rs->success - threshold) / steps : rs->success; /* pieces, on average */
	double moves = held * plan->churn / SIMULATE_CERTAIN;

	*ret = (struct simulate_estimate){
		.failures_per_day = plan->nodes * p,
		.repairs_per_segment_year = repairs,
		.traffic_per_stored_byte_year =
			(repairs * (rs->required + rs->success - threshold) + 2 * moves) / rs->required,
		.loss_per_segment_year = repairs * chance_of_loss(plan, threshold, plan->daily_failure, days),
	};
	if (plan->outage > 0)
		ret->loss_per_segment_year += loss_by_outage(plan, threshold);
}
