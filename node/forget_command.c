/* granary-node forget: work for a satellite no more. What that costs is shown first, and asked about. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http.h"
#include "node/book_access.h"
#include "node/commands.h"
#include "node/forget.h"
#include "node/store_access.h"

#define TIMEOUT_MS 15000

struct forgetting {
	struct options *options;
	struct address satellite;
	const char *named; /* as the options name it; NULL: they do not */
	bool weighed;
	struct forget_stake stake;
	json_t *result; /* of the chore */
	char why[SETTINGS_MESSAGE];
};

static enum err fail(struct forgetting *f, enum err err, const char *what)
{
	snprintf(f->why, sizeof(f->why), "%s", what);
	return err;
}

/* An id or an address; of a satellite that the options name, or that they named once. */
static enum err find(struct forgetting *f)
{
	const char *text = options_argument(f->options, 0);
	struct id id;

	if (id_from_hex(text, &id) == ERR_OK) {
		if (id_to_address(&id, &f->satellite) != ERR_OK)
			return fail(f, ERR_USAGE, "that id is no key");
	} else if (address_from_text(text, &f->satellite) != ERR_OK) {
		return fail(f, ERR_USAGE, "a satellite is named by its id, or its address: 0x and 40 digits");
	}
	for (size_t i = 0; i < option_count(f->options, "satellite"); i++) {
		struct address address;

		if (id_to_address(&option_endpoint(f->options, "satellite", i)->id, &address) == ERR_OK &&
		    address_equal(&address, &f->satellite))
			f->named = option_text_at(f->options, "satellite", i);
	}
	if (f->named != NULL && strcmp(option_source(f->options, "satellite"), "file") != 0) {
		snprintf(f->why, sizeof(f->why), "the satellite is named by %s, not in config.ini: take it away there",
			 strcmp(option_source(f->options, "satellite"), "flag") == 0 ? "a flag"
										     : "GRANARY_SATELLITE");
		return ERR_USAGE;
	}
	return ERR_OK;
}

/* Nothing, when the node has never run, or works for it no more. */
static enum err weigh(struct forgetting *f)
{
	struct book_access books;
	struct satellite satellite;
	enum err err = book_access_open(&books, f->options);

	if (err == ERR_OK)
		err = trust_find(books.trust, &f->satellite, &satellite);
	if (err == ERR_OK)
		err = forget_weigh(books.ledger, books.papers, &satellite, key_address(books.key), clock_wall(),
				   &f->stake);
	f->weighed = err == ERR_OK;
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		snprintf(f->why, sizeof(f->why), "the books cannot be read: %.400s",
			 books.why[0] == '\0' ? err_text(err) : books.why);
	book_access_close(&books);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void print_stake(const struct forget_stake *stake)
{
	char amount[AMOUNT_TEXT], size[16];

	fprintf(stderr, "At stake with this satellite:\n");
	fprintf(stderr, "  %12" PRIu64 "  orders that are not settled, for %s\n", stake->orders,
		option_print_size(stake->order_bytes, size));
	fprintf(stderr, "  %12s  earned in %" PRIu32 " months that it has not closed, by this node's books\n",
		amount_print(stake->unpaid, amount), stake->months);
	fprintf(stderr, "  %12s  held back; a part is paid to nodes that leave in good order (granary-node exit)\n",
		amount_print(stake->held, amount));
	fprintf(stderr, "  %12s  rolled over, too little to be paid so far\n", amount_print(stake->rolled, amount));
	fprintf(stderr, "What was paid out can still be claimed. The books are kept.\n");
}

/* Money first, then the question. */
static enum err agree(struct forgetting *f)
{
	char line[16] = "";

	if (f->weighed)
		print_stake(&f->stake);
	if (f->weighed && !forget_is_free(&f->stake) && !option_flag(f->options, "force"))
		return fail(f, ERR_DENIED,
			    "money is not settled: nothing was done. Settle first (granary-node settle), leave in good "
			    "order (granary-node exit), or give it up with --force");
	if (option_flag(f->options, "yes"))
		return ERR_OK;
	if (!isatty(STDIN_FILENO))
		return fail(f, ERR_DENIED, "nothing was done: there is no terminal to ask at; --yes does it");
	fprintf(stderr, "Its pieces are deleted, and files lose them. Forget it? [y/N] ");
	if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
		return ERR_OK;
	return fail(f, ERR_DENIED, "nothing was done");
}

/* Out of the file; the running node, if there is one, hears of it, and serves that satellite no more from then on. */
static enum err distrust(struct forgetting *f)
{
	json_t *json = NULL;
	enum err err;

	if (f->named != NULL) {
		err = options_drop_from_file(f->options, "satellite", f->named);
		if (err != ERR_OK)
			return fail(f, err, "config.ini cannot be changed");
	}
	err = http_call("POST", option_hostport(f->options, "http"), "/api/v1/reload", options_dir(f->options),
			TIMEOUT_MS, &json, f->why, sizeof(f->why));
	json_decref(json);
	return err == ERR_UNREACHABLE ? ERR_OK : err;
}

static enum err give_back(struct forgetting *f)
{
	const struct chore_options chore = {.name = "forget", .satellite = f->satellite, .within = INT64_MAX};
	struct store_access access;
	const char *state, *error;
	enum err err = store_access_open(&access, f->options);

	if (err == ERR_OK)
		err = store_access_do(&access, &chore, &f->result);
	store_access_close(&access);
	if (err != ERR_OK)
		return fail(f, err, access.why);
	state = json_string_value(json_object_get(f->result, "state"));
	error = json_string_value(json_object_get(f->result, "error"));
	if (error != NULL)
		return fail(f, ERR_REMOTE, error);
	if (state == NULL || strcmp(state, "done") != 0)
		return fail(f, ERR_CANCELLED, "stopped before its end; the same command goes on");
	return ERR_OK;
}

static json_t *stake_json(const struct forget_stake *stake)
{
	char unpaid[AMOUNT_TEXT], held[AMOUNT_TEXT], rolled[AMOUNT_TEXT];

	return json_pack("{s:I, s:I, s:s, s:I, s:s, s:s}", "orders", (json_int_t)stake->orders, "order_bytes",
			 (json_int_t)stake->order_bytes, "unpaid", amount_print(stake->unpaid, unpaid), "months",
			 (json_int_t)stake->months, "held", amount_print(stake->held, held), "rolled",
			 amount_print(stake->rolled, rolled));
}

static void print_result(const struct forgetting *f)
{
	const json_t *result = json_object_get(f->result, "result");
	char address[KEY_ADDRESS_TEXT], bytes[16], freed[16];

	address_to_text(&f->satellite, address);
	if (option_flag(f->options, "json")) {
		json_t *json = json_pack("{s:s, s:O, s:o}", "satellite", address, "deleted", result, "stake",
					 f->weighed ? stake_json(&f->stake) : json_null());

		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(json);
		return;
	}
	printf("%s is forgotten: %" PRIu64 " pieces of %s deleted, %s of files given back so far\n", address,
	       (uint64_t)json_integer_value(json_object_get(result, "pieces")),
	       option_print_size((uint64_t)json_integer_value(json_object_get(result, "bytes")), bytes),
	       option_print_size((uint64_t)json_integer_value(json_object_get(result, "freed")), freed));
}

int node_forget(struct options *options)
{
	struct forgetting f = {.options = options};
	enum err err = find(&f);

	if (err == ERR_OK)
		err = weigh(&f);
	if (err == ERR_OK)
		err = agree(&f);
	if (err == ERR_OK)
		err = distrust(&f);
	if (err == ERR_OK)
		err = give_back(&f);
	if (err != ERR_OK)
		fprintf(stderr, "granary-node: %s\n", f.why);
	else
		print_result(&f);
	json_decref(f.result);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
