/* granary-node earnings: reads the books beside a running node, or without one. */
#include <stdio.h>

#include "common/clock.h"
#include "node/book_access.h"
#include "node/commands.h"
#include "node/earnings_report.h"

static enum err report(struct book_access *books, struct options *options, json_t **ret)
{
	struct earnings_query query = {.node = key_address(books->key), .trust = books->trust, .now = clock_wall()};
	enum err err = book_access_period(books, options, month_period(query.now), &query.to);

	if (option_given(options, "period"))
		query.from = query.to;
	query.with_days = query.from != 0 || option_flag(options, "json") || option_flag(options, "csv");
	if (err != ERR_OK)
		return err;
	err = earnings_report(books->ledger, books->papers, &query, ret);
	if (err != ERR_OK)
		snprintf(books->why, sizeof(books->why), "the books cannot be read: %s (%s; %s)", err_text(err),
			 ledger_message(books->ledger), papers_message(books->papers));
	return err;
}

int node_earnings(struct options *options)
{
	struct book_access books;
	json_t *json = NULL;
	enum err err = book_access_open(&books, options);

	if (err == ERR_OK)
		err = report(&books, options, &json);
	if (err != ERR_OK) {
		fprintf(stderr, "granary-node: %s\n", books.why);
	} else if (option_flag(options, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (option_flag(options, "csv")) {
		earnings_print_csv(stdout, json);
	} else {
		earnings_print(json, option_given(options, "period"));
	}
	json_decref(json);
	book_access_close(&books);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
