/* granary-satellite simulate. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/simulate.h"
#include "common/clock.h"
#include "common/file.h"
#include "satellite/commands.h"
#include "satellite/simulate_plot.h"

#define TITLE 200

struct simulation {
	struct simulate_plan plan;
	struct simulate_result result;
	struct simulate_estimate paper;
	double seconds;
};

/* "0.0005" or "0.05%", at most 1: in billionths. */
static enum err read_share(const char *text, uint32_t *ret)
{
	uint64_t value = 0, place = SIMULATE_CERTAIN;
	bool point = false;

	if (*text < '0' || *text > '9')
		return ERR_FORMAT;
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (value > 100 * (uint64_t)SIMULATE_CERTAIN || place == 0)
			return ERR_FORMAT;
		place = point ? place / 10 : place;
		value = point ? value + (uint64_t)(*text - '0') * place
			      : value * 10 + (uint64_t)(*text - '0') * SIMULATE_CERTAIN;
	}
	if (*text == '%') {
		value /= 100;
		text++;
	}
	if (*text != '\0')
		return ERR_FORMAT;
	if (value > SIMULATE_CERTAIN)
		return ERR_RANGE;
	*ret = (uint32_t)value;
	return ERR_OK;
}

static enum err read_share_option(const struct options *options, const char *name, uint32_t *ret, char *why,
				  size_t room)
{
	enum err err = read_share(option_text(options, name), ret);

	if (err != ERR_OK)
		snprintf(why, room,
			 "--%s: \"%s\" is no share of at most 1 with up to nine decimals, as in 0.0005 or 0.05%%", name,
			 option_text(options, name));
	return err;
}

static enum simulate_model model_of(const char *name)
{
	return strcmp(name, "bathtub") == 0    ? SIMULATE_BATHTUB
	       : strcmp(name, "networks") == 0 ? SIMULATE_NETWORKS
					       : SIMULATE_CONSTANT;
}

static enum err read_plan(const struct options *options, struct simulate_plan *plan, char *why, size_t room)
{
	const char *reason;
	enum err err;

	*plan = simulate_defaults;
	plan->nodes = (uint32_t)option_int(options, "nodes");
	plan->network_nodes = (uint32_t)option_int(options, "nodes-per-network");
	plan->share_networks = option_flag(options, "share-networks");
	plan->years = (uint32_t)option_int(options, "years");
	plan->segments = (uint32_t)option_int(options, "segments");
	plan->model = model_of(option_text(options, "failure-model"));
	plan->exit_days = (uint32_t)option_int(options, "exit-days");
	plan->repair_delay = (uint32_t)option_int(options, "repair-delay");
	plan->bandwidth = option_int(options, "bandwidth");
	plan->new_nodes = (uint32_t)option_int(options, "new-nodes");
	plan->seed = option_int(options, "seed");
	err = redundancy_parse(option_text(options, "rs"), &plan->redundancy, &reason);
	if (err != ERR_OK)
		snprintf(why, room, "--rs: %s", reason);
	if (err == ERR_OK)
		err = read_share_option(options, "daily-failure", &plan->daily_failure, why, room);
	if (err == ERR_OK)
		err = read_share_option(options, "churn", &plan->churn, why, room);
	if (err == ERR_OK)
		err = read_share_option(options, "outage", &plan->outage, why, room);
	return err == ERR_OK ? simulate_check(plan, why, room) : err;
}

static json_t *months_json(const struct simulate_result *result)
{
	json_t *months = json_array();

	for (uint32_t i = 0; i < result->month_count; i++) {
		const struct simulate_month *month = &result->months[i];

		json_array_append_new(
			months, json_pack("{s:I, s:I, s:I, s:I, s:I}", "failures", (json_int_t)month->failures,
					  "repairs", (json_int_t)month->repairs, "lost", (json_int_t)month->lost,
					  "lowest", (json_int_t)month->lowest, "waiting", (json_int_t)month->waiting));
	}
	return months;
}

static void print_as_json(const struct simulation *s)
{
	const struct simulate_estimate *paper = &s->paper;
	double loss = simulate_loss_per_segment_year(&s->plan, &s->result);
	json_t *estimate = json_pack("{s:f, s:f, s:f, s:f, s:f}", "failures_per_day", paper->failures_per_day,
				     "repairs_per_segment_year", paper->repairs_per_segment_year,
				     "repair_bytes_per_stored_byte_year", paper->traffic_per_stored_byte_year,
				     "loss_per_segment_year", paper->loss_per_segment_year, "durability_nines",
				     simulate_nines(paper->loss_per_segment_year));

	commands_print_json(json_pack(
		"{s:f, s:I, s:I, s:f, s:f, s:f, s:b, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "failures_per_day",
		simulate_failures_per_day(&s->plan, &s->result), "segments_lost", (json_int_t)s->result.lost,
		"min_healthy", (json_int_t)s->result.min_healthy, "repairs_per_segment_year",
		simulate_repairs_per_segment_year(&s->plan, &s->result), "repair_bytes_per_stored_byte_year",
		simulate_traffic_per_stored_byte_year(&s->plan, &s->result), "durability_nines", simulate_nines(loss),
		"durability_is_bound", s->result.lost == 0, "loss_per_segment_year", loss, "repairs",
		(json_int_t)s->result.repairs, "failures", (json_int_t)s->result.failures, "outage_failures",
		(json_int_t)s->result.outages, "exits", (json_int_t)s->result.exits, "moved",
		(json_int_t)s->result.moved, "seconds", s->seconds, "estimate", estimate, "months",
		months_json(&s->result)));
}

/* What was run, on one line. */
static void describe(const struct simulate_plan *plan, char out[TITLE])
{
	char rs[REDUNDANCY_TEXT];
	int len = snprintf(out, TITLE,
			   "%" PRIu32 " nodes, %g%% fail a day, %" PRIu32 " segments of %s, %" PRIu32 " years",
			   plan->nodes, plan->daily_failure / (SIMULATE_CERTAIN / 100.0), plan->segments,
			   redundancy_print(&plan->redundancy, rs), plan->years);

	if (plan->repair_delay > 0)
		len += snprintf(out + len, (size_t)(TITLE - len), ", repair after %" PRIu32 " days",
				plan->repair_delay);
	if (plan->outage > 0)
		len += snprintf(out + len, (size_t)(TITLE - len), ", %g%% lost at once each year",
				plan->outage / (SIMULATE_CERTAIN / 100.0));
	snprintf(out + len, (size_t)(TITLE - len), ", seed %" PRIu64, plan->seed);
}

static void print_as_text(const struct simulation *s)
{
	const struct simulate_result *result = &s->result;
	const struct simulate_estimate *paper = &s->paper;
	double loss = simulate_loss_per_segment_year(&s->plan, result);
	const char *bound = result->lost == 0 ? "<" : "", *above = result->lost == 0 ? ">" : "";
	char title[TITLE], figure[32];

	describe(&s->plan, title);
	printf("%s\n\n%-46s %14s %14s\n", title, "", "simulated", "on paper");
	printf("%-46s %14.3f %14.3f\n", "drives failing a day", simulate_failures_per_day(&s->plan, result),
	       paper->failures_per_day);
	if (result->outages > 0)
		printf("%-46s %14" PRIu64 "\n", "drives lost in outages", result->outages);
	if (result->exits > 0)
		printf("%-46s %14" PRIu64 "\n", "nodes that left in good order", result->exits);
	if (result->moved > 0)
		printf("%-46s %14.4f\n", "pieces of a segment that moved with them a year",
		       (double)result->moved / s->plan.segments / s->plan.years);
	printf("%-46s %14.4f %14.4f\n", "repairs of a segment a year",
	       simulate_repairs_per_segment_year(&s->plan, result), paper->repairs_per_segment_year);
	printf("%-46s %14.4f %14.4f\n", "repair traffic a year, TB for a TB of data",
	       simulate_traffic_per_stored_byte_year(&s->plan, result), paper->traffic_per_stored_byte_year);
	printf("%-46s %14" PRIu32 "\n", "fewest healthy pieces of a segment ever", result->min_healthy);
	printf("%-46s %14" PRIu64 "\n", "segments lost", result->lost);
	snprintf(figure, sizeof(figure), "%s%.2g", bound, loss);
	printf("%-46s %14s %14.2g\n", "chance that a segment is lost within a year", figure,
	       paper->loss_per_segment_year);
	snprintf(figure, sizeof(figure), "%s%.1f", above, simulate_nines(loss));
	printf("%-46s %14s %14.1f\n", "durability of a year, nines", figure,
	       simulate_nines(paper->loss_per_segment_year));
	printf("\n%.1f seconds. On paper, nodes fail independently%s.\n", s->seconds,
	       s->plan.bandwidth > 0 ? " and bandwidth has no limit" : "");
}

static enum err save_plot(const struct simulation *s, const char *path, char *why, size_t room)
{
	char title[TITLE], *plot;
	enum err err;

	describe(&s->plan, title);
	plot = simulate_plot(&s->plan, &s->result, title);
	err = file_replace(path, bytes_of_text(plot), 0644);
	if (err != ERR_OK)
		snprintf(why, room, "--svg: cannot write %s: %s", path, err_text(err));
	free(plot);
	return err;
}

int commands_simulate(struct options *options)
{
	struct simulation s;
	char why[COMMANDS_WHY] = "";
	uint64_t begun = clock_monotonic();
	enum err err = ERR_OK;

	memset(&s, 0, sizeof(s));
	if (read_plan(options, &s.plan, why, sizeof(why)) != ERR_OK) {
		commands_complain(why);
		return 2;
	}
	simulate_run(&s.plan, &s.result);
	simulate_estimate(&s.plan, &s.paper);
	s.seconds = (double)(clock_monotonic() - begun) / 1e9;
	if (option_flag(options, "json"))
		print_as_json(&s);
	else
		print_as_text(&s);
	if (option_text(options, "svg") != NULL)
		err = save_plot(&s, option_text(options, "svg"), why, sizeof(why));
	simulate_result_free(&s.result);
	return err == ERR_OK ? 0 : commands_complain(why);
}
