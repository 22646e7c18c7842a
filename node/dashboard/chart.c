/* Series from the history, and of the satellites' view from their signed usages. */
#include "node/dashboard/chart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/reputation.h"
#include "common/clock.h"
#include "common/memory.h"
#include "node/dashboard/html.h"
#include "payments/usage.h"

#define ROWS_MOST 2000
#define DEFAULT_SPAN (30 * HISTORY_DAY)

/* Rows by time, each with the same columns; what was not told of a time is null. */
struct grid {
	uint64_t from, step;
	size_t rows, columns;
	double *values;
	bool *known;
};

struct source {
	struct desk *desk;
	const struct chart_query *query;
	struct history_range range;
	struct grid grid;
	size_t column; /* being filled */
	double divisor;
};

/* What several values of one place come to. */
enum merge { LAST, SUM, LEAST };

static void set(struct grid *grid, uint64_t at, size_t column, double value, enum merge merge)
{
	size_t row = at < grid->from ? SIZE_MAX : (size_t)((at - grid->from) / grid->step);
	size_t i = row * grid->columns + column;

	if (row >= grid->rows || column >= grid->columns)
		return;
	if (grid->known[i] && merge == SUM)
		value += grid->values[i];
	if (grid->known[i] && merge == LEAST && grid->values[i] < value)
		value = grid->values[i];
	grid->values[i] = value;
	grid->known[i] = true;
}

static enum err add_traffic(void *arg, const struct history_traffic *point)
{
	struct source *source = arg;
	size_t column = (size_t)point->action - 1;

	set(&source->grid, point->at, column, (double)point->bytes, SUM);
	return ERR_OK;
}

static enum err fill_traffic(struct source *source)
{
	return history_each_traffic(source->desk->history, &source->range, add_traffic, source);
}

static enum err add_outcomes(void *arg, const struct history_traffic *point)
{
	struct source *source = arg;

	for (size_t i = 0; i < METER_OUTCOMES; i++)
		set(&source->grid, point->at, i, (double)point->outcomes[i], SUM);
	return ERR_OK;
}

static enum err fill_outcomes(struct source *source)
{
	return history_each_traffic(source->desk->history, &source->range, add_outcomes, source);
}

static enum err add_latency(void *arg, const struct history_latency *point)
{
	struct source *source = arg;

	set(&source->grid, point->at, source->column, (double)meter_quantile(point->durations, 500) / 1e6, LAST);
	set(&source->grid, point->at, source->column + 1, (double)meter_quantile(point->durations, 990) / 1e6, LAST);
	return ERR_OK;
}

static enum err fill_latency(struct source *source)
{
	static const enum action actions[] = {ACTION_PUT, ACTION_GET, ACTION_GET_AUDIT};
	enum err err = ERR_OK;

	for (size_t i = 0; i < 3 && err == ERR_OK; i++) {
		source->column = 2 * i;
		err = history_each_latency(source->desk->history, &source->range, actions[i], add_latency, source);
	}
	return err;
}

static enum err add_disk(void *arg, const struct history_disk *point)
{
	struct source *source = arg;
	const uint64_t columns[] = {point->live, point->overhead, point->trash, point->dead,
				    point->reserved + point->free};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		set(&source->grid, point->at, i, (double)columns[i], LAST);
	return ERR_OK;
}

static enum err fill_disk(struct source *source)
{
	return history_each_disk(source->desk->history, &source->range, add_disk, source);
}

static enum err add_live(void *arg, const struct history_disk *point)
{
	struct source *source = arg;

	set(&source->grid, point->at, 0, (double)point->live, LAST);
	return ERR_OK;
}

static enum err add_usage(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct source *source = arg;
	uint64_t at = (uint64_t)usage->day * USAGE_DAY, start = at / source->grid.step * source->grid.step;

	(void)paper;
	/* Several days of one point: their mean. */
	set(&source->grid, start, 1, (double)usage->byteSeconds / USAGE_DAY / source->divisor, SUM);
	return ERR_OK;
}

/* The store's word beside the satellites', of a day each. */
static enum err fill_stored(struct source *source)
{
	const struct history_range *range = &source->range;
	struct satellite *satellites;
	size_t count = trust_list(source->desk->trust, &satellites);
	enum err err = history_each_disk(source->desk->history, range, add_live, source);

	source->divisor = (double)range->step / USAGE_DAY;
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = papers_days(source->desk->papers, &satellites[i].address, (uint32_t)(range->from / USAGE_DAY),
				  (uint32_t)(range->until / USAGE_DAY), add_usage, source);
	free(satellites);
	return err;
}

/* Of several satellites the worst. */
static enum err add_scores(void *arg, const struct history_seen *point)
{
	struct source *source = arg;
	struct grid *grid = &source->grid;

	if (point->view.has_scores) {
		set(grid, point->at, 0, point->view.audit / 1e6, LEAST);
		set(grid, point->at, 1, point->view.suspension / 1e6, LEAST);
		set(grid, point->at, 2, point->view.online / 1e6, LEAST);
	}
	if (point->looks > 0)
		set(grid, point->at, 3, (double)point->reachable / (double)point->looks, LEAST);
	return ERR_OK;
}

static enum err fill_scores(struct source *source)
{
	return history_each_view(source->desk->history, &source->range, add_scores, source);
}

/* By the rules that satellites have unless they say otherwise. */
static json_t *score_limits(void)
{
	const struct reputation_rules *rules = &reputation_defaults;

	return json_pack("{s:f, s:f, s:f}", "audit", (double)rules->audit.threshold / REPUTATION_ONE, "suspension",
			 (double)rules->unknown.threshold / REPUTATION_ONE, "online",
			 (double)rules->online / REPUTATION_ONE);
}

/* What can be shown. */
static const struct series {
	const char *name;
	const char *unit;
	uint64_t least_step;
	bool sums; /* a time of which nothing is recorded is one in which nothing happened */
	const char *labels[7];
	enum err (*fill)(struct source *source);
	json_t *(*limits)(void); /* what is too little, by label; NULL: nothing is */
} all_series[] = {
	{"traffic",
	 "bytes",
	 HISTORY_HOUR,
	 true,
	 {"upload", "download", "audit", "repair out", "repair in"},
	 fill_traffic,
	 NULL},
	{"outcomes", "number", HISTORY_HOUR, true, {"done", "lost races", "failed"}, fill_outcomes, NULL},
	{"latency",
	 "ms",
	 HISTORY_HOUR,
	 false,
	 {"upload p50", "upload p99", "download p50", "download p99", "audit p50", "audit p99"},
	 fill_latency,
	 NULL},
	{"disk", "bytes", HISTORY_HOUR, false, {"stored", "heads", "trash", "garbage", "prepared"}, fill_disk, NULL},
	{"stored", "bytes", HISTORY_DAY, false, {"this node", "satellites"}, fill_stored, NULL},
	{"scores",
	 "score",
	 HISTORY_HOUR,
	 false,
	 {"audit", "suspension", "online", "reachable"},
	 fill_scores,
	 score_limits},
};

static const struct series *find_series(const char *name)
{
	for (size_t i = 0; i < sizeof(all_series) / sizeof(all_series[0]); i++)
		if (strcmp(all_series[i].name, name) == 0)
			return &all_series[i];
	return NULL;
}

/* Hours while they are kept and not too many; else whole days. */
static uint64_t choose_step(const struct series *series, const struct chart_query *query, uint64_t now)
{
	uint64_t step = query->step > series->least_step ? query->step : series->least_step, span;

	span = query->until - query->from;
	if (now > HISTORY_HOURS_KEPT && query->from < now - HISTORY_HOURS_KEPT && step < HISTORY_DAY)
		step = HISTORY_DAY;
	if (step > HISTORY_HOUR)
		step = (step + HISTORY_DAY - 1) / HISTORY_DAY * HISTORY_DAY;
	while (span / step >= ROWS_MOST)
		step = step < HISTORY_DAY ? HISTORY_DAY : 2 * step;
	return step;
}

static json_t *row_json(const struct series *series, const struct grid *grid, size_t r)
{
	json_t *row = json_array();

	json_array_append_new(row, json_integer((json_int_t)(grid->from + r * grid->step)));
	for (size_t i = r * grid->columns; i < (r + 1) * grid->columns; i++)
		json_array_append_new(row, grid->known[i] || series->sums ? json_real(grid->values[i]) : json_null());
	return row;
}

static bool is_known(const struct grid *grid, size_t r)
{
	for (size_t c = 0; c < grid->columns; c++)
		if (grid->known[r * grid->columns + c])
			return true;
	return false;
}

/* From the first time on of which something is known. */
static json_t *grid_json(const struct series *series, const struct grid *grid)
{
	json_t *rows = json_array(), *labels = json_array();

	json_array_append_new(labels, json_string("time"));
	for (size_t c = 0; c < grid->columns; c++)
		json_array_append_new(labels, json_string(series->labels[c]));
	for (size_t r = 0; r < grid->rows; r++)
		if (is_known(grid, r) || (series->sums && json_array_size(rows) > 0))
			json_array_append_new(rows, row_json(series, grid, r));
	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "what", series->name, "unit", series->unit, "step",
			 (json_int_t)grid->step, "labels", labels, "limits",
			 series->limits != NULL ? series->limits() : json_null(), "rows", rows);
}

json_t *chart_series(struct desk *desk, const struct chart_query *query)
{
	const struct series *series = find_series(query->what);
	struct source source = {.desk = desk, .query = query};
	struct grid *grid = &source.grid;
	json_t *json = NULL;

	if (series == NULL || query->until <= query->from)
		return NULL;
	grid->step = choose_step(series, query, clock_wall());
	grid->from = query->from / grid->step * grid->step;
	grid->rows = (size_t)((query->until - grid->from + grid->step - 1) / grid->step);
	while (grid->columns < 7 && series->labels[grid->columns] != NULL)
		grid->columns++;
	grid->values = memory_new(grid->rows * grid->columns, sizeof(*grid->values));
	grid->known = memory_new(grid->rows * grid->columns, sizeof(*grid->known));
	source.range = (struct history_range){grid->from, query->until, grid->step,
					      query->has_satellite ? &query->satellite : NULL};
	if (series->fill(&source) == ERR_OK)
		json = grid_json(series, grid);
	free(grid->values);
	free(grid->known);
	return json;
}

/* Over HTTP. */

struct plot {
	struct http_request *request;
	struct desk *desk;
	json_t *live;
	struct chart_query query;
	bool csv;
	json_t *json;
	char *text; /* of CSV */
};

static char *print_csv(const json_t *json)
{
	const json_t *row, *cell;
	size_t len = 0, i, c;
	char *text = NULL, time[32];
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		abort();
	json_array_foreach(json_object_get(json, "labels"), c, cell)
		fprintf(to, "%s%s", c > 0 ? "," : "", json_string_value(cell));
	json_array_foreach(json_object_get(json, "rows"), i, row) {
		clock_format((uint64_t)json_integer_value(json_array_get(row, 0)), time, sizeof(time));
		fprintf(to, "\r\n%s", time);
		json_array_foreach(row, c, cell) {
			if (c > 0 && json_is_null(cell))
				fputc(',', to);
			else if (c > 0)
				fprintf(to, ",%.15g", json_real_value(cell));
		}
	}
	fputs("\r\n", to);
	if (fclose(to) != 0)
		abort();
	return text;
}

static void work_plot(void *arg)
{
	struct plot *plot = arg;

	desk_record(plot->desk, plot->live);
	plot->json = chart_series(plot->desk, &plot->query);
	if (plot->json != NULL && plot->csv)
		plot->text = print_csv(plot->json);
}

static void plotted(void *arg)
{
	struct plot *plot = arg;

	if (plot->text != NULL) {
		char disposition[64];

		snprintf(disposition, sizeof(disposition), "attachment; filename=\"granary-%s.csv\"", plot->query.what);
		http_add_header(plot->request, "Content-Disposition", disposition);
		http_answer_text(plot->request, 200, "text/csv; charset=utf-8", plot->text);
	} else if (plot->json != NULL) {
		http_answer_json(plot->request, 200, json_incref(plot->json));
	} else {
		http_answer_error(plot->request, 400, "no such series, or from is not before until");
	}
	json_decref(plot->json);
	json_decref(plot->live);
	free(plot->text);
	free(plot);
}

/* False when it is there and no number. */
static bool read_time(struct http_request *request, const char *name, uint64_t fallback, uint64_t *ret)
{
	const char *text = http_parameter(request, name);
	char *end = NULL;

	*ret = fallback;
	if (text == NULL || text[0] == '\0')
		return true;
	*ret = strtoull(text, &end, 10);
	return *end == '\0' && *ret < (uint64_t)INT64_MAX;
}

void chart_begin(struct http_request *request, struct desk *desk, struct pool *pool, struct loop *loop, json_t *live)
{
	const char *what = http_parameter(request, "what"), *satellite = http_parameter(request, "satellite");
	const char *format = http_parameter(request, "format");
	struct plot *plot = memory_new(1, sizeof(*plot));
	uint64_t now = clock_wall();
	bool good;

	plot->request = request;
	plot->desk = desk;
	plot->live = live;
	plot->csv = format != NULL && strcmp(format, "csv") == 0;
	snprintf(plot->query.what, sizeof(plot->query.what), "%s", what != NULL ? what : "");
	good = read_time(request, "until", now + 1, &plot->query.until) &&
	       read_time(request, "from", plot->query.until < DEFAULT_SPAN ? 0 : plot->query.until - DEFAULT_SPAN,
			 &plot->query.from) &&
	       read_time(request, "step", HISTORY_HOUR, &plot->query.step);
	plot->query.has_satellite = satellite != NULL && satellite[0] != '\0';
	if (plot->query.has_satellite)
		good = good && address_from_text(satellite, &plot->query.satellite) == ERR_OK;
	if (good) {
		pool_submit(pool, work_plot, loop, plotted, plot);
		return;
	}
	http_answer_error(request, 400, "from, until, step: Unix seconds; satellite: an address");
	json_decref(live);
	free(plot);
}

static void put_figure(FILE *to, const char *what, const char *heading, bool stacked, const char *satellite,
		       unsigned days)
{
	char number[HTML_TEXT];

	html_put(to,
		 "<figure class=\"chart\" data-what=\"$\" data-stacked=\"$\" data-satellite=\"$\" data-days=\"$\">"
		 "<figcaption>$ <code>$</code></figcaption><div class=\"ranges\"></div><div class=\"plot\"></div>"
		 "<div class=\"legend\"></div><p class=\"links\">"
		 "<a href=\"/api/v1/history?what=$&amp;satellite=$&amp;format=csv\">CSV of 30 days</a></p></figure>",
		 what, stacked ? "yes" : "", satellite, html_number(days, number), heading, satellite, what, satellite);
}

void chart_put(FILE *to, const char *what, const char *heading, bool stacked)
{
	put_figure(to, what, heading, stacked, "", 30);
}

void chart_put_satellite(FILE *to, const char *what, const char *heading, const char *satellite, unsigned days)
{
	put_figure(to, what, heading, false, satellite, days);
}
