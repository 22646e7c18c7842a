/* The same report and the same printer as the command's. */
#include "node/dashboard/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/earnings_report.h"
#include "payments/month.h"

struct export
{
	struct http_request *request;
	struct desk *desk;
	uint32_t from, to;
	char name[16]; /* "2026-11" or "2026" */
	bool json;
	uint64_t now;
	char *text;
};

static char *print(const json_t *report, bool json)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		abort();
	if (json)
		json_dumpf(report, to, JSON_INDENT(2));
	else
		earnings_print_csv(to, report);
	if (fclose(to) != 0)
		abort();
	return text;
}

static void work(void *arg)
{
	struct export *export = arg;
	struct desk *desk = export->desk;
	struct earnings_query query = {.node = key_address(desk->key),
				       .trust = desk->trust,
				       .from = export->from,
				       .to = export->to,
				       .with_days = true,
				       .now = export->now};
	json_t *report = NULL;
	enum err err = earnings_report(desk->ledger, desk->papers, &query, &report);

	if (err == ERR_OK)
		export->text = print(report, export->json);
	else
		log_event(LOG_ERROR, "earnings_unknown", "reason=%s", err_name(err));
	json_decref(report);
}

static void done(void *arg)
{
	struct export *export = arg;
	char disposition[80];

	if (export->text == NULL) {
		http_answer_error(export->request, 500, "the books cannot be read; the log has the reason");
	} else {
		snprintf(disposition, sizeof(disposition), "attachment; filename=\"granary-earnings-%s.%s\"",
			 export->name, export->json ? "json" : "csv");
		http_add_header(export->request, "Content-Disposition", disposition);
		http_answer_text(export->request, 200, export->json ? "application/json" : "text/csv; charset=utf-8",
				 export->text);
	}
	free(export->text);
	free(export);
}

/* False when there is neither a month nor a year, or it makes no sense. */
static bool read_span(struct http_request *request, struct export *export)
{
	const char *period = http_parameter(request, "period"), *year = http_parameter(request, "year");
	uint32_t now = month_period(export->now), first, last;
	char text[16];

	if (period != NULL) {
		if (period_parse(period, &export->from) != ERR_OK)
			return false;
		export->to = export->from;
		snprintf(export->name, sizeof(export->name), "%.7s", period);
		return true;
	}
	if (year == NULL || strlen(year) != 4)
		return false;
	snprintf(text, sizeof(text), "%.4s-01", year);
	if (period_parse(text, &first) != ERR_OK)
		return false;
	last = first + 11;
	export->from = first;
	export->to = last < now ? last : now;
	snprintf(export->name, sizeof(export->name), "%.4s", year);
	return true;
}

void export_begin(struct http_request *request, struct desk *desk, struct pool *pool, struct loop *loop)
{
	const char *format = http_parameter(request, "format");
	struct export *export = memory_new(1, sizeof(*export));

	export->request = request;
	export->desk = desk;
	export->now = clock_wall();
	export->json = format != NULL && strcmp(format, "json") == 0;
	if (read_span(request, export)) {
		pool_submit(pool, work, loop, done, export);
		return;
	}
	http_answer_error(request, 400, "period: a month as YYYY-MM, or year: YYYY");
	free(export);
}
