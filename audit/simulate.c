/* Segments on virtual drives. A segment stands on the calendar on the day on which it is to be looked at; one that will
 * not be due before the end stands nowhere. */
#include "audit/simulate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/drives.h"
#include "audit/health.h"
#include "audit/select.h"
#include "audit/tree.h"
#include "common/memory.h"

#define NOTHING UINT32_MAX
#define VETTING_DAYS 21
#define PLACE_NAME 16

/* A segment that is due. */
struct job {
	uint32_t order; /* health_order */
	uint32_t segment;
};

struct run {
	const struct simulate_plan *plan;
	struct simulate_result *result;
	struct drives drives;
	struct random_stream random;
	/* Nodes: places, and the drive that each has today. */
	struct candidate *candidates;
	char (*networks)[PLACE_NAME];
	struct select_set *set;
	uint32_t *current;
	uint32_t ripe; /* the first drive that is not vetted */
	/* Segments: drives of their pieces, `success` for each, the first `held` of which count; 0 once it is lost. */
	uint32_t *pieces;
	uint8_t *held;
	/* The calendar: a list of segments for each day. */
	uint32_t *due;
	uint32_t *next;
	/* What is due today, and what the repairs of a day may still move, in bytes; less than none is made up for. */
	struct job *jobs;
	size_t job_count, job_room;
	int64_t budget;
	uint32_t orders[REDUNDANCY_TOTAL + 1]; /* of segments that have so many good pieces and no others */
	uint32_t day;
};

static uint32_t *pieces_of(const struct run *run, uint32_t segment)
{
	return run->pieces + (size_t)segment * run->plan->redundancy.success;
}

static void set_up_nodes(struct run *run)
{
	uint32_t nodes = run->plan->nodes;

	run->candidates = memory_new(nodes, sizeof(*run->candidates));
	run->networks = memory_new(nodes, sizeof(*run->networks));
	run->current = memory_new(nodes, sizeof(*run->current));
	for (uint32_t place = 0; place < nodes; place++) {
		snprintf(run->networks[place], PLACE_NAME, "%u", (unsigned)(place / run->plan->network_nodes));
		run->candidates[place] = (struct candidate){
			.network = run->networks[place],
			.available = UINT64_MAX,
			.quality = SELECT_QUALITY_USUAL,
			.vetted = true,
		};
		put_be32(run->candidates[place].node.b, place);
		run->current[place] = place;
	}
	run->set = select_set_new(run->candidates, nodes);
	run->ripe = nodes;
}

static void note_orders(struct run *run)
{
	const struct health_odds odds = {run->plan->daily_failure, 7};

	for (uint32_t good = 0; good <= run->plan->redundancy.success; good++) {
		uint32_t counts[PIECE_STATES] = {[PIECE_GOOD] = good};

		run->orders[good] = health_order(health_chance_of_loss(&run->plan->redundancy, counts, &odds));
	}
}

static void set_up(struct run *run, const struct simulate_plan *plan, struct simulate_result *result)
{
	char seed[64];

	*run = (struct run){.plan = plan, .result = result};
	drives_init(plan, &run->drives);
	snprintf(seed, sizeof(seed), "simulate segments %llu", (unsigned long long)plan->seed);
	random_stream_init(&run->random, bytes_of_text(seed));
	set_up_nodes(run);
	note_orders(run);
	run->pieces = memory_new((size_t)plan->segments * plan->redundancy.success, sizeof(*run->pieces));
	run->held = memory_new(plan->segments, sizeof(*run->held));
	run->next = memory_new(plan->segments, sizeof(*run->next));
	run->due = memory_new(run->drives.days, sizeof(*run->due));
	for (uint32_t day = 0; day < run->drives.days; day++)
		run->due[day] = NOTHING;
	result->failures = run->drives.failures;
	result->outages = run->drives.outages;
	result->exits = run->drives.exits;
	result->min_healthy = plan->redundancy.success;
	result->month_count = plan->years * 12;
	result->months = memory_new(result->month_count, sizeof(*result->months));
}

static void tear_down(struct run *run)
{
	drives_free(&run->drives);
	select_set_free(run->set);
	free(run->candidates);
	free(run->networks);
	free(run->current);
	free(run->pieces);
	free(run->held);
	free(run->due);
	free(run->next);
	free(run->jobs);
}

static void put_on_calendar(struct run *run, uint32_t segment, uint64_t day)
{
	if (day >= run->drives.days)
		return;
	run->next[segment] = run->due[day];
	run->due[day] = segment;
}

/* The value that stands at `rank`, from 0, when sorted: Hoare's FIND. Disorders the values. */
static uint32_t find_ranked(uint32_t *values, uint32_t count, uint32_t rank)
{
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		uint32_t pivot = values[rank], i = low, j = high;

		do {
			while (values[i] < pivot)
				i++;
			while (pivot < values[j])
				j--;
			if (i <= j) {
				uint32_t value = values[i];

				values[i++] = values[j];
				values[j] = value;
				if (j == 0)
					break;
				j--;
			}
		} while (i <= j);
		if (j < rank)
			low = i;
		if (rank < i)
			high = j;
	}
	return values[rank];
}

/* The day on which its health reaches the threshold, which may be past. */
static uint32_t threshold_day(const struct run *run, uint32_t segment)
{
	uint32_t leaving[REDUNDANCY_TOTAL], count = run->held[segment];
	const uint32_t *pieces = pieces_of(run, segment);

	for (uint32_t i = 0; i < count; i++)
		leaving[i] = run->drives.drives[pieces[i]].leaving;
	return find_ranked(leaving, count, count - health_threshold(&run->plan->redundancy) - 1);
}

/* The next day on which one of its nodes leaves in good order, or has begun to and still has its piece. */
static uint32_t exit_day(const struct run *run, uint32_t segment)
{
	const uint32_t *pieces = pieces_of(run, segment);
	uint32_t next = DRIVES_NEVER, tomorrow = run->day + 1;

	for (uint32_t i = 0; i < run->held[segment]; i++) {
		const struct drive *drive = &run->drives.drives[pieces[i]];
		uint32_t day = drive->leaving > tomorrow ? drive->leaving : tomorrow;

		if (drive->leaving != drive->gone && drive->gone > tomorrow && day < next)
			next = day;
	}
	return next;
}

/* Look at it when it is to be repaired, or a piece to be moved. */
static void plan_next(struct run *run, uint32_t segment)
{
	uint64_t repair, exit;

	if (run->held[segment] <=
	    health_threshold(&run->plan->redundancy)) { /* too few nodes to repair it: try again */
		put_on_calendar(run, segment, (uint64_t)run->day + 1);
		return;
	}
	repair = (uint64_t)threshold_day(run, segment) + run->plan->repair_delay;
	exit = run->plan->churn > 0 ? exit_day(run, segment) : DRIVES_NEVER;
	put_on_calendar(run, segment, exit < repair ? exit : repair);
}

static struct select_rules rules_for(const struct run *run, uint32_t want)
{
	return (struct select_rules){
		.want = want,
		.room = TREE_PIECE,
		.distinct_networks = !run->plan->share_networks,
		.new_nodes = run->plan->new_nodes,
	};
}

/* Up to so many drives for pieces more, on nodes of today. How many there are. */
static uint32_t find_drives(struct run *run, uint32_t want, uint32_t *ret)
{
	struct select_rules rules = rules_for(run, want);
	uint32_t found = select_nodes(run->set, &rules, &run->random, ret);

	for (uint32_t i = 0; i < found; i++)
		ret[i] = run->current[ret[i]];
	return found;
}

static uint32_t add_pieces(struct run *run, uint32_t segment, uint32_t want)
{
	uint32_t found = find_drives(run, want, pieces_of(run, segment) + run->held[segment]);

	run->held[segment] = (uint8_t)(run->held[segment] + found);
	return found;
}

/* A network in full swing: a segment has h pieces for a time that is as 1/h, as each may fail. */
static uint32_t draw_health(struct run *run)
{
	const struct redundancy *redundancy = &run->plan->redundancy;
	uint32_t least = health_threshold(redundancy) + 1, health;
	uint64_t sum = 0, lot;

	assert(least > 0 && least <= redundancy->success);
	for (health = least; health <= redundancy->success; health++)
		sum += SIMULATE_CERTAIN / health;
	lot = random_stream_below(&run->random, sum);
	for (health = least; health < redundancy->success; health++) {
		if (lot < SIMULATE_CERTAIN / health)
			break;
		lot -= SIMULATE_CERTAIN / health;
	}
	return health;
}

static void place_segments(struct run *run)
{
	for (uint32_t segment = 0; segment < run->plan->segments; segment++) {
		select_begin(run->set);
		add_pieces(run, segment, draw_health(run));
		plan_next(run, segment);
	}
}

/* Drives that came today are new, those that came long enough ago are vetted. */
static void change_nodes(struct run *run)
{
	const struct drives *drives = &run->drives;
	uint32_t ripe = run->ripe;

	for (uint32_t i = drives->first[run->day]; i < drives->first[run->day + 1]; i++) {
		run->current[drives->drives[i].place] = i;
		run->candidates[drives->drives[i].place].vetted = false;
	}
	for (; run->ripe < drives->count; run->ripe++) {
		const struct drive *drive = &drives->drives[run->ripe];

		if (drive->born + VETTING_DAYS > (int64_t)run->day)
			break;
		if (run->current[drive->place] == run->ripe)
			run->candidates[drive->place].vetted = true;
	}
	if (run->ripe != ripe || drives->first[run->day] != drives->first[run->day + 1])
		select_renew(run->set);
}

static enum piece_state state_of(const struct run *run, uint32_t drive)
{
	const struct drive *d = &run->drives.drives[drive];

	return run->day < d->leaving ? PIECE_GOOD : run->day < d->gone ? PIECE_EXITING : PIECE_LOST;
}

static void count_pieces(const struct run *run, uint32_t segment, uint32_t counts[PIECE_STATES])
{
	const uint32_t *pieces = pieces_of(run, segment);

	memset(counts, 0, PIECE_STATES * sizeof(*counts));
	for (uint32_t i = 0; i < run->held[segment]; i++)
		counts[state_of(run, pieces[i])]++;
}

static struct simulate_month *this_month(const struct run *run)
{
	return &run->result->months[(uint64_t)run->day * 12 / SIMULATE_YEAR];
}

static void note_health(struct run *run, uint32_t healthy)
{
	struct simulate_month *month = this_month(run);

	if (healthy < run->result->min_healthy)
		run->result->min_healthy = healthy;
	if (month->lowest == 0 || healthy < month->lowest)
		month->lowest = healthy;
}

static void lose(struct run *run, uint32_t segment)
{
	run->held[segment] = 0;
	run->result->lost++;
	this_month(run)->lost++;
}

/* Nodes that keep a piece are not chosen again. */
static void hold_kept(struct run *run, uint32_t segment)
{
	const uint32_t *pieces = pieces_of(run, segment);

	select_begin(run->set);
	for (uint32_t i = 0; i < run->held[segment]; i++)
		if (piece_is_kept(state_of(run, pieces[i])))
			select_hold(run->set, run->drives.drives[pieces[i]].place);
}

/* Lost pieces stay in its list until here: by them, plan_next knows since when it waits. */
static uint32_t rebuild(struct run *run, uint32_t segment, uint32_t want)
{
	uint32_t *pieces = pieces_of(run, segment), kept = 0, rebuilt;

	hold_kept(run, segment);
	for (uint32_t i = 0; i < run->held[segment]; i++)
		if (piece_is_healthy(state_of(run, pieces[i])))
			pieces[kept++] = pieces[i];
	run->held[segment] = (uint8_t)kept;
	rebuilt = add_pieces(run, segment, want);
	run->result->repairs++;
	run->result->downloaded += run->plan->redundancy.required;
	run->result->uploaded += rebuilt;
	this_month(run)->repairs++;
	return run->plan->redundancy.required + rebuilt;
}

/* Copy what is on nodes that leave. */
static uint32_t move(struct run *run, uint32_t segment, uint32_t want)
{
	uint32_t drives[REDUNDANCY_TOTAL], *pieces = pieces_of(run, segment), found, moved = 0;

	hold_kept(run, segment);
	found = find_drives(run, want, drives);
	for (uint32_t i = 0; i < run->held[segment] && moved < found; i++)
		if (state_of(run, pieces[i]) == PIECE_EXITING)
			pieces[i] = drives[moved++];
	run->result->moved += moved;
	return 2 * moved;
}

/* Do what its health asks for. Returns the pieces that went over the network. */
static uint32_t treat(struct run *run, uint32_t segment)
{
	uint32_t counts[PIECE_STATES], traffic = 0;
	struct health health;
	bool is_time;

	count_pieces(run, segment, counts);
	health_judge_counts(&run->plan->redundancy, counts, &health);
	note_health(run, health.healthy);
	if (health.verdict == HEALTH_LOST) {
		lose(run, segment);
		return 0;
	}
	is_time = run->held[segment] <= health_threshold(&run->plan->redundancy) ||
		  run->day >= (uint64_t)threshold_day(run, segment) + run->plan->repair_delay;
	if (health.rebuild > 0 && is_time)
		traffic = rebuild(run, segment, health.rebuild);
	else if (counts[PIECE_EXITING] > 0)
		traffic = move(run, segment, counts[PIECE_EXITING]);
	plan_next(run, segment);
	return traffic;
}

static uint32_t order_of(const struct run *run, uint32_t segment)
{
	const struct health_odds odds = {run->plan->daily_failure, 7};
	uint32_t counts[PIECE_STATES];

	count_pieces(run, segment, counts);
	if (counts[PIECE_EXITING] == 0)
		return run->orders[counts[PIECE_GOOD]];
	return health_order(health_chance_of_loss(&run->plan->redundancy, counts, &odds));
}

static int compare_jobs(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->segment < y->segment ? -1 : x->segment > y->segment;
}

/* As much as the bandwidth of a day allows, the most urgent first; the rest stays. */
static void treat_within_budget(struct run *run)
{
	int64_t day = (int64_t)(run->plan->bandwidth * 86400);
	size_t done = 0;

	run->budget = run->budget < 0 ? run->budget + day : day;
	if (run->job_count == 0)
		return;
	for (size_t i = 0; i < run->job_count; i++)
		run->jobs[i].order = order_of(run, run->jobs[i].segment);
	qsort(run->jobs, run->job_count, sizeof(*run->jobs), compare_jobs);
	while (done < run->job_count && run->budget > 0)
		run->budget -= (int64_t)(treat(run, run->jobs[done++].segment) * TREE_PIECE);
	run->job_count -= done;
	memmove(run->jobs, run->jobs + done, run->job_count * sizeof(*run->jobs));
	if (run->job_count > this_month(run)->waiting)
		this_month(run)->waiting = (uint32_t)run->job_count;
}

static void live_a_day(struct run *run)
{
	uint32_t *due = &run->due[run->day];

	change_nodes(run);
	this_month(run)->failures += run->drives.failed[run->day];
	while (*due != NOTHING) {
		uint32_t segment = *due;

		*due = run->next[segment];
		if (run->plan->bandwidth == 0) {
			treat(run, segment);
			continue;
		}
		run->jobs = memory_grow(run->jobs, &run->job_room, run->job_count + 1, sizeof(*run->jobs));
		run->jobs[run->job_count++].segment = segment;
	}
	if (run->plan->bandwidth > 0)
		treat_within_budget(run);
}

/* What nobody looked at: the health of all segments on the last day. */
static void take_stock(struct run *run)
{
	uint32_t counts[PIECE_STATES];
	struct health health;

	run->day = run->drives.days - 1;
	for (uint32_t segment = 0; segment < run->plan->segments; segment++) {
		if (run->held[segment] == 0)
			continue;
		count_pieces(run, segment, counts);
		health_judge_counts(&run->plan->redundancy, counts, &health);
		if (health.healthy < run->result->min_healthy)
			run->result->min_healthy = health.healthy;
		if (health.verdict == HEALTH_LOST)
			lose(run, segment);
	}
}

void simulate_run(const struct simulate_plan *plan, struct simulate_result *ret)
{
	struct run run;

	*ret = (struct simulate_result){0};
	set_up(&run, plan, ret);
	place_segments(&run);
	for (run.day = 0; run.day < run.drives.days; run.day++)
		live_a_day(&run);
	take_stock(&run);
	tear_down(&run);
}

void simulate_result_free(struct simulate_result *result)
{
	free(result->months);
	result->months = NULL;
}
