/* granary-node price: writes into the books beside a running node, which offers what it finds there. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "node/book_access.h"
#include "node/commands.h"

#define VALID_DAYS 3650
#define UNASKED INT64_MAX /* base units: more than anybody pays */

static const char *const kinds[] = {"storage", "egress", "audit", "repair"};
static const char *const kind_options[] = {"ask-storage", "egress", "audit", "repair"};
static const char *const states[] = {
	[ASK_WAITING] = "waiting", [ASK_OFFERED] = "offered", [ASK_ACCEPTED] = "accepted", [ASK_REFUSED] = "refused"};

static bool asks_anything(const struct options *options)
{
	for (size_t i = 0; i < sizeof(kind_options) / sizeof(kind_options[0]); i++)
		if (option_given(options, kind_options[i]))
			return true;
	return false;
}

static struct amount amount_asked(const struct options *options, const char *kind)
{
	return amount_of(option_given(options, kind) ? option_int(options, kind) : UNASKED);
}

static enum err fail(struct book_access *books, enum err err, const char *why)
{
	snprintf(books->why, sizeof(books->why), "%s", why);
	return err;
}

/* The start of --from's day. */
static enum err read_from(struct book_access *books, const struct options *options, uint64_t *ret)
{
	const char *text = option_text(options, "from");
	uint64_t today = clock_wall() / PRICE_DAY * PRICE_DAY;
	struct tm tm = {.tm_isdst = 0};
	char again[16];
	const char *end;
	time_t at;

	*ret = today + PRICE_DAY;
	if (text == NULL)
		return ERR_OK;
	end = strptime(text, "%Y-%m-%d", &tm);
	at = end == NULL || *end != '\0' ? -1 : timegm(&tm);
	if (at < 0 || strftime(again, sizeof(again), "%Y-%m-%d", &tm) == 0 || strcmp(again, text) != 0)
		return fail(books, ERR_USAGE, "--from: not a day as YYYY-MM-DD");
	*ret = (uint64_t)at;
	return *ret >= today ? ERR_OK : fail(books, ERR_USAGE, "--from: that day is over");
}

static enum err ask_of(struct book_access *books, const struct satellite *satellite, struct price *price)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct signature signature;
	struct writer w;

	typed_sign(&typed_price, price, &satellite->domain, books->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_price, price, &signature, &w);
	return papers_keep_ask(books->papers, satellite, &price->party, writer_bytes(&w), books->why);
}

static enum err ask(struct book_access *books, const struct options *options, const struct satellite *satellites,
		    size_t count)
{
	const struct prices prices = {amount_asked(options, "ask-storage"), amount_asked(options, "egress"),
				      amount_asked(options, "audit"), amount_asked(options, "repair")};
	struct price price;
	uint64_t from;
	enum err err = read_from(books, options, &from);

	if (err != ERR_OK)
		return err;
	price = price_make(key_address(books->key), &prices, from, from + (uint64_t)VALID_DAYS * PRICE_DAY);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		if (satellites[i].pinned)
			err = ask_of(books, &satellites[i], &price);
	return err;
}

/* Tokens as text; null for what is not asked. */
static json_t *json_price(const struct price *price)
{
	const struct prices table = price_table(price);
	const struct amount amounts[] = {table.storage, table.egress, table.audit, table.repair};
	json_t *json = json_pack("{s:I}", "from", (json_int_t)price->from);
	char text[AMOUNT_TEXT];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		json_object_set_new(json, kinds[i],
				    amount_units(amounts[i]) >= UNASKED ? json_null()
									: json_string(amount_print(amounts[i], text)));
	return json;
}

static enum err add_offer(void *arg, const struct price *price, struct bytes signed_price)
{
	(void)signed_price;
	json_array_append_new(arg, json_price(price));
	return ERR_OK;
}

static enum err add_asks(struct papers *papers, const struct address *satellite, json_t *list)
{
	struct papers_ask *asks = NULL;
	size_t count = 0;
	enum err err = papers_asks(papers, satellite, &asks, &count);

	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		json_t *json = json_price(&asks[i].price);

		json_object_set_new(json, "state", json_string(states[asks[i].state % 4]));
		json_object_set_new(json, "reason", json_string(asks[i].why));
		json_array_append_new(list, json);
	}
	free(asks);
	return err;
}

static enum err add_satellite(struct book_access *books, const struct satellite *satellite, json_t *list)
{
	json_t *offers = json_array(), *asks = json_array();
	char address[KEY_ADDRESS_TEXT];
	enum err err;

	address_to_text(&satellite->address, address);
	json_array_append_new(list, json_pack("{s:s, s:b, s:o, s:o}", "satellite", address, "known", satellite->pinned,
					      "offers", offers, "asks", asks));
	err = papers_prices(books->papers, &satellite->address, &satellite->address, clock_wall(), INT64_MAX, add_offer,
			    offers);
	return err == ERR_OK ? add_asks(books->papers, &satellite->address, asks) : err;
}

static void print_price(const char *what, const json_t *json)
{
	const char *state = json_string_value(json_object_get(json, "state"));
	const char *reason = json_string_value(json_object_get(json, "reason"));
	char when[24];

	clock_format((uint64_t)json_integer_value(json_object_get(json, "from")), when, sizeof(when));
	printf("  %s from %.10s on:", what, when);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *amount = json_string_value(json_object_get(json, kinds[i]));

		printf(" %s %s%s", kinds[i], amount != NULL ? amount : "as offered",
		       i + 1 < sizeof(kinds) / sizeof(kinds[0]) ? "," : "");
	}
	if (state != NULL)
		printf("; %s", state);
	if (reason != NULL && *reason != '\0')
		printf(": %s", reason);
	putchar('\n');
}

static void print_all(const json_t *list)
{
	const json_t *satellite, *price;
	size_t i, k;

	json_array_foreach(list, i, satellite) {
		printf("%s%s\n", json_string_value(json_object_get(satellite, "satellite")),
		       json_is_true(json_object_get(satellite, "known"))
			       ? ""
			       : ": never met, so nothing can be signed for it yet");
		json_array_foreach(json_object_get(satellite, "offers"), k, price) {
			print_price("offers", price);
		}
		json_array_foreach(json_object_get(satellite, "asks"), k, price) {
			print_price("asked ", price);
		}
	}
}

/* The caller owns *ret. */
static enum err work(struct book_access *books, const struct options *options, json_t **ret)
{
	struct satellite *satellites;
	size_t count = trust_list(books->trust, &satellites), pinned = 0;
	json_t *list = json_array();
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		pinned += satellites[i].pinned;
	if (asks_anything(options) && pinned == 0)
		err = fail(books, ERR_NOT_FOUND, "this node has never met such a satellite: nothing can be signed");
	else if (asks_anything(options))
		err = ask(books, options, satellites, count);
	else if (option_given(options, "from"))
		err = fail(books, ERR_USAGE, "--from goes with a price");
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = add_satellite(books, &satellites[i], list);
	if (err != ERR_OK && books->why[0] == '\0')
		snprintf(books->why, sizeof(books->why), "the books: %s", papers_message(books->papers));
	free(satellites);
	*ret = json_pack("{s:o}", "satellites", list);
	return err;
}

int node_price(struct options *options)
{
	struct book_access books;
	json_t *json = NULL;
	enum err err = book_access_open(&books, options);

	if (err == ERR_OK)
		err = work(&books, options, &json);
	if (err != ERR_OK) {
		fprintf(stderr, "granary-node: %s\n", books.why);
	} else if (option_flag(options, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_all(json_object_get(json, "satellites"));
	}
	json_decref(json);
	book_access_close(&books);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
