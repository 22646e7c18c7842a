/* granary-node earnings: reads the books beside a running node, or without one. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/service.h"
#include "node/commands.h"
#include "node/earnings_report.h"
#include "node/settings.h"

struct reading {
	struct options *options;
	struct key *key;
	struct trust *trust;
	struct ledger *ledger;
	struct papers *papers;
	char why[SETTINGS_MESSAGE];
};

static enum err open_books(struct reading *r)
{
	const char *dir = options_dir(r->options);
	char *path = file_join(dir, "ledger.db"), *papers = file_join(dir, "papers.db");
	enum err err = service_key(dir, &r->key, r->why, sizeof(r->why));

	if (err == ERR_OK)
		err = settings_open_trust(r->options, &r->trust, r->why);
	if (err == ERR_OK && (!file_exists(path) || !file_exists(papers))) {
		snprintf(r->why, sizeof(r->why), "%s holds no books: this node has never run", dir);
		err = ERR_NOT_FOUND;
	}
	if (err == ERR_OK)
		err = ledger_open(path, &r->ledger, r->why);
	if (err == ERR_OK)
		err = papers_open(dir, &r->papers, r->why);
	if (err == ERR_OK && trust_is_test(r->trust))
		clock_allow_offset();
	free(path);
	free(papers);
	return err;
}

static void close_books(struct reading *r)
{
	papers_close(r->papers);
	ledger_close(r->ledger);
	trust_free(r->trust);
	key_free(r->key);
}

static enum err read_period(struct reading *r, struct earnings_query *query)
{
	const char *text = option_text(r->options, "period");

	query->to = month_period(query->now);
	if (text == NULL)
		return ERR_OK;
	if (period_parse(text, &query->to) != ERR_OK) {
		snprintf(r->why, sizeof(r->why), "--period %s: not a month as YYYY-MM", text);
		return ERR_USAGE;
	}
	query->from = query->to;
	return ERR_OK;
}

static enum err report(struct reading *r, json_t **ret)
{
	struct earnings_query query = {.node = key_address(r->key), .trust = r->trust, .now = clock_wall()};
	enum err err = read_period(r, &query);

	query.with_days = query.from != 0 || option_flag(r->options, "json") || option_flag(r->options, "csv");
	if (err != ERR_OK)
		return err;
	err = earnings_report(r->ledger, r->papers, &query, ret);
	if (err != ERR_OK)
		snprintf(r->why, sizeof(r->why), "the books cannot be read: %s (%s; %s)", err_text(err),
			 ledger_message(r->ledger), papers_message(r->papers));
	return err;
}

int node_earnings(struct options *options)
{
	struct reading r = {.options = options};
	json_t *json = NULL;
	enum err err = open_books(&r);

	if (err == ERR_OK)
		err = report(&r, &json);
	if (err != ERR_OK) {
		fprintf(stderr, "granary-node: %s\n", r.why);
	} else if (option_flag(options, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (option_flag(options, "csv")) {
		earnings_print_csv(json);
	} else {
		earnings_print(json, option_given(options, "period"));
	}
	json_decref(json);
	close_books(&r);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
