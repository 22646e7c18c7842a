/* `payouts`: what this node was paid, from the statements that satellites signed and the claims that it sent. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "node/book_access.h"
#include "node/commands.h"
#include "payments/tally.h"

/* From which moment to before which, and as periods. */
struct span {
	uint64_t from, until;
	uint32_t first, last;
};

struct listing {
	const struct span *span;
	struct trust *only; /* the satellites that were asked for; NULL: all, those forgotten since, too */
	json_t *statements;
	json_t *claims;
};

static enum err fail(struct book_access *books, const char *why)
{
	snprintf(books->why, sizeof(books->why), "%s", why);
	return ERR_USAGE;
}

static json_t *json_amount(struct amount amount)
{
	char text[AMOUNT_TEXT];

	return json_string(amount_print(amount, text));
}

static json_t *json_address(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

static enum err read_span(struct book_access *books, struct options *options, struct span *ret)
{
	uint64_t year = option_int(options, "year");

	*ret = (struct span){.until = UINT64_MAX, .last = UINT32_MAX};
	if (!option_given(options, "year"))
		return ERR_OK;
	ret->first = (uint32_t)year * 100 + 1;
	ret->last = ret->first + 11;
	if (month_of_period(ret->first, &ret->from) != ERR_OK ||
	    month_of_period(ret->first + 100, &ret->until) != ERR_OK)
		return fail(books, "--year: there is no such year");
	return ERR_OK;
}

static bool is_wanted(const struct listing *listing, const struct address *address)
{
	struct satellite satellite;

	return listing->only == NULL || trust_find(listing->only, address, &satellite) == ERR_OK;
}

static enum err add_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
			      struct bytes sheet)
{
	const struct listing *listing = arg;
	char period[PERIOD_TEXT];
	json_t *json;

	(void)signed_statement;
	(void)sheet;
	if (!is_wanted(listing, &statement->satellite))
		return ERR_OK;
	json = json_object();
	json_object_set_new(json, "period", json_string(period_print(statement->period, period)));
	json_object_set_new(json, "satellite", json_address(&statement->satellite));
	json_object_set_new(json, "payee", json_address(&statement->payee));
	json_object_set_new(json, "earned", json_amount(amount_of(statement->earned)));
	json_object_set_new(json, "held", json_amount(amount_of(statement->held)));
	json_object_set_new(json, "released", json_amount(amount_of(statement->released)));
	json_object_set_new(json, "paid", json_amount(amount_of(statement->paid)));
	json_object_set_new(json, "rolled", json_amount(amount_of(statement->rolled)));
	json_array_append_new(listing->statements, json);
	return ERR_OK;
}

static enum err add_claim(void *arg, const struct papers_claim *claim)
{
	const struct listing *listing = arg;
	char when[24];
	json_t *json;

	if (claim->at < listing->span->from || claim->at >= listing->span->until ||
	    !is_wanted(listing, &claim->satellite))
		return ERR_OK;
	clock_format(claim->at, when, sizeof(when));
	json = json_object();
	json_object_set_new(json, "at", json_string(when));
	json_object_set_new(json, "satellite", json_address(&claim->satellite));
	json_object_set_new(json, "amount", json_amount(claim->amount));
	json_object_set_new(json, "transaction", json_string(claim->transaction));
	json_array_append_new(listing->claims, json);
	return ERR_OK;
}

static enum err collect(struct book_access *books, const struct span *span, struct trust *only, json_t **ret)
{
	struct listing listing = {.span = span, .only = only, .statements = json_array(), .claims = json_array()};
	enum err err = papers_statements(books->papers, NULL, span->first, span->last, add_statement, &listing);

	if (err == ERR_OK)
		err = papers_claims(books->papers, add_claim, &listing);
	if (err == ERR_OK) {
		*ret = json_pack("{s:o, s:o}", "statements", listing.statements, "claims", listing.claims);
		return ERR_OK;
	}
	json_decref(listing.statements);
	json_decref(listing.claims);
	snprintf(books->why, sizeof(books->why), "the books cannot be read: %s (%s)", err_text(err),
		 papers_message(books->papers));
	return err;
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* What a tax office asks for: when, what for, how much, and the proof. No field holds a comma or a quote. */
static void print_csv(const json_t *json)
{
	const json_t *row;
	size_t i;

	puts("kind,when,satellite,earned,held,released,paid,rolled,claimed,payee_or_transaction");
	json_array_foreach(json_object_get(json, "statements"), i, row) {
		printf("statement,%s,%s,%s,%s,%s,%s,%s,,%s\n", text_of(row, "period"), text_of(row, "satellite"),
		       text_of(row, "earned"), text_of(row, "held"), text_of(row, "released"), text_of(row, "paid"),
		       text_of(row, "rolled"), text_of(row, "payee"));
	}
	json_array_foreach(json_object_get(json, "claims"), i, row) {
		printf("claim,%s,%s,,,,,,%s,%s\n", text_of(row, "at"), text_of(row, "satellite"),
		       text_of(row, "amount"), text_of(row, "transaction"));
	}
}

static void print_text(const json_t *json)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(json, "statements"), i, row) {
		printf("%s  satellite %s: earned %s, held back %s, released %s; paid %s to %s\n",
		       text_of(row, "period"), text_of(row, "satellite"), text_of(row, "earned"), text_of(row, "held"),
		       text_of(row, "released"), text_of(row, "paid"), text_of(row, "payee"));
	}
	json_array_foreach(json_object_get(json, "claims"), i, row) {
		printf("%.10s claimed %s by transaction %s\n", text_of(row, "at"), text_of(row, "amount"),
		       text_of(row, "transaction"));
	}
	if (json_array_size(json_object_get(json, "statements")) + json_array_size(json_object_get(json, "claims")) ==
	    0)
		puts("Nothing has been paid in that time.");
}

int node_payouts(struct options *options)
{
	struct book_access books;
	json_t *json = NULL;
	struct span span;
	bool all = strcmp(option_source(options, "satellite"), "flag") != 0;
	enum err err = book_access_open(&books, options);

	if (err == ERR_OK)
		err = read_span(&books, options, &span);
	if (err == ERR_OK)
		err = collect(&books, &span, all ? NULL : books.trust, &json);
	if (err != ERR_OK) {
		fprintf(stderr, "granary-node: %s\n", books.why);
	} else if (option_flag(options, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (option_flag(options, "csv")) {
		print_csv(json);
	} else {
		print_text(json);
	}
	json_decref(json);
	book_access_close(&books);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
