/* Checking, and the SQL. */
#include "node/papers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/papers_private.h"

static const struct migration migrations[] = {
	{1, "CREATE TABLE prices ("
	    "  satellite @bytes NOT NULL," /* to whom it matters */
	    "  party @bytes NOT NULL,"	   /* who signed it */
	    "  begins @int NOT NULL,"
	    "  signed @bytes NOT NULL,"
	    "  PRIMARY KEY (satellite, party, begins)"
	    ") @strict;"
	    "CREATE TABLE days ("
	    "  satellite @bytes NOT NULL,"
	    "  day @int NOT NULL,"
	    "  signed @bytes NOT NULL,"
	    "  bytes @int NOT NULL," /* carried into it */
	    "  debt @bytes NOT NULL,"
	    "  bytes_after @int NOT NULL," /* and into the next */
	    "  debt_after @bytes NOT NULL,"
	    "  rows @bytes NOT NULL,"
	    "  PRIMARY KEY (satellite, day)"
	    ") @strict;"
	    "CREATE TABLE statements ("
	    "  satellite @bytes NOT NULL,"
	    "  period @int NOT NULL,"
	    "  signed @bytes NOT NULL,"
	    "  sheet @bytes NOT NULL,"
	    "  PRIMARY KEY (satellite, period)"
	    ") @strict;"
	    "CREATE TABLE progress (" /* the next day to ask for */
	    "  satellite @bytes NOT NULL PRIMARY KEY,"
	    "  day @int NOT NULL"
	    ") @strict;"
	    "@append_only(prices);"
	    "@append_only(days);"
	    "@append_only(statements);"},
	{2, "CREATE TABLE asks ("
	    "  satellite @bytes NOT NULL,"
	    "  begins @int NOT NULL,"
	    "  signed @bytes NOT NULL,"
	    "  state @int NOT NULL," /* enum ask_state */
	    "  why @text NOT NULL,"
	    "  PRIMARY KEY (satellite, begins)"
	    ") @strict;"},
	{3, "CREATE TABLE claims (" /* what was fetched from payout contracts */
	    "  satellite @bytes NOT NULL,"
	    "  hash @text NOT NULL," /* of the transaction */
	    "  at @int NOT NULL,"
	    "  amount @int NOT NULL,"
	    "  PRIMARY KEY (satellite, hash)"
	    ") @strict;"},
	{4, "CREATE TABLE exits (" /* satellites that this node leaves, or left */
	    "  satellite @bytes NOT NULL PRIMARY KEY,"
	    "  told @int NOT NULL,"  /* when the satellite said so */
	    "  asked @int NOT NULL," /* the rest as it said last */
	    "  ended @int NOT NULL,"
	    "  pieces @int NOT NULL,"
	    "  remaining @int NOT NULL,"
	    "  moved @int NOT NULL,"
	    "  failed @int NOT NULL,"
	    "  why @text NOT NULL,"
	    "  signed @bytes NOT NULL" /* Exit; empty: it is not complete */
	    ") @strict;"},
};

enum err papers_open(const char *dir, struct papers **ret, char why[PAPERS_MESSAGE])
{
	char *path = file_join(dir, PAPERS_FILE);
	struct papers *papers = memory_new(1, sizeof(*papers));
	enum err err;

	err = database_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), &papers->db, why);
	free(path);
	if (err == ERR_OK)
		*ret = papers;
	else
		free(papers);
	return err;
}

void papers_close(struct papers *papers)
{
	if (papers == NULL)
		return;
	database_close(papers->db);
	free(papers);
}

const char *papers_message(const struct papers *papers)
{
	return database_message(papers->db);
}

static enum err fail(enum err err, char why[PAPERS_MESSAGE], const char *what)
{
	snprintf(why, PAPERS_MESSAGE, "%s", what);
	return err;
}

static void bind_address(struct query *q, const char *name, const struct address *address)
{
	query_bytes(q, name, bytes_of(address->b, sizeof(address->b)));
}

/* A signed thing's bytes are the same every time (RFC 6979); so what differs says something else. */
static enum err compare(struct query *q, struct bytes with, char why[PAPERS_MESSAGE])
{
	enum err err = query_one(q);

	if (err == ERR_OK && !bytes_equal(query_get_bytes(q, 0), with))
		err = fail(ERR_CONFLICT, why, "the satellite signed something else before");
	query_reset(q);
	return err;
}

struct keeping {
	const struct address *satellite;
	const struct address *party;
	uint64_t number; /* begin, day, period */
	struct bytes wire;
	struct bytes more; /* sheet, rows */
	const struct usage_carried *before, *after;
	char *why;
};

static enum err insert_price(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	struct query *q = database_query(db, "SELECT signed FROM prices WHERE satellite = $satellite AND party = "
					     "$party AND begins = $begins");
	enum err err;

	bind_address(q, "satellite", k->satellite);
	bind_address(q, "party", k->party);
	query_int(q, "begins", k->number);
	err = compare(q, k->wire, k->why);
	if (err != ERR_NOT_FOUND)
		return err;
	q = database_query(db, "INSERT INTO prices (satellite, party, begins, signed) VALUES ($satellite, $party, "
			       "$begins, $signed)");
	bind_address(q, "satellite", k->satellite);
	bind_address(q, "party", k->party);
	query_int(q, "begins", k->number);
	query_bytes(q, "signed", k->wire);
	return query_run(q);
}

enum err papers_keep_price(struct papers *papers, const struct satellite *satellite, const struct address *party,
			   struct bytes signed_price, char why[PAPERS_MESSAGE])
{
	struct keeping keeping = {.satellite = &satellite->address, .party = party, .wire = signed_price, .why = why};
	struct signature signature;
	struct price price;

	if (typed_decode(&typed_price, signed_price, &price, &signature) != ERR_OK)
		return fail(ERR_FORMAT, why, "a price that is not a signed Price");
	if (!address_equal(&price.party, party))
		return fail(ERR_DENIED, why, "a price of another party");
	if (price_check(&price, &signature, &satellite->domain) != REFUSAL_NONE)
		return fail(ERR_SIGNATURE, why, "a price that does not hold for whole days or was not signed so");
	keeping.number = price.from;
	return database_transaction(papers->db, insert_price, &keeping);
}

/* What the day before carried out; ERR_NOT_FOUND when it was not kept. */
static enum err find_carried(struct database *db, const struct address *satellite, uint64_t day,
			     struct usage_carried *ret)
{
	struct query *q = database_query(db, "SELECT bytes_after, debt_after FROM days WHERE satellite = $satellite "
					     "AND day = $day");
	struct reader r;
	enum err err;

	bind_address(q, "satellite", satellite);
	query_int(q, "day", day);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	ret->bytes = query_get_int(q, 0);
	reader_init(&r, query_get_bytes(q, 1));
	ret->debt = byte_seconds_from(read_u128(&r));
	err = reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
	query_reset(q);
	return err;
}

static bool same_carried(const struct usage_carried *a, const struct usage_carried *b)
{
	return a->bytes == b->bytes && byte_seconds_value(a->debt) == byte_seconds_value(b->debt);
}

static enum err set_progress(struct database *db, const struct address *satellite, uint64_t next)
{
	struct query *q = database_query(db, "INSERT INTO progress (satellite, day) VALUES ($satellite, $day) "
					     "ON CONFLICT (satellite) DO UPDATE SET day = excluded.day");

	bind_address(q, "satellite", satellite);
	query_int(q, "day", next);
	return query_run(q);
}

/* Whether the day follows the one before. The first that is kept begins with what the satellite says: there is nothing
 * to hold it against. A day that was skipped carried nothing. */
static enum err check_carried(struct database *db, const struct keeping *k)
{
	struct usage_carried before = {0};
	struct query *q = database_query(db, "SELECT 1 FROM days WHERE satellite = $satellite LIMIT 1");
	enum err err;

	bind_address(q, "satellite", k->satellite);
	err = query_one(q);
	query_reset(q);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	err = find_carried(db, k->satellite, k->number - 1, &before);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	return same_carried(&before, k->before)
		       ? ERR_OK
		       : fail(ERR_PROTOCOL, k->why, "a usage that does not begin where the day before ended");
}

static enum err write_day(struct database *db, const struct keeping *k)
{
	struct query *q = database_query(
		db, "INSERT INTO days (satellite, day, signed, bytes, debt, bytes_after, debt_after, rows) VALUES "
		    "($satellite, $day, $signed, $bytes, $debt, $bytes_after, $debt_after, $rows)");
	uint8_t debt[16], debt_after[16];
	struct writer w;

	bind_address(q, "satellite", k->satellite);
	query_int(q, "day", k->number);
	query_bytes(q, "signed", k->wire);
	query_int(q, "bytes", k->before->bytes);
	writer_init(&w, debt, sizeof(debt));
	write_u128(&w, byte_seconds_value(k->before->debt));
	query_bytes(q, "debt", writer_bytes(&w));
	query_int(q, "bytes_after", k->after->bytes);
	writer_init(&w, debt_after, sizeof(debt_after));
	write_u128(&w, byte_seconds_value(k->after->debt));
	query_bytes(q, "debt_after", writer_bytes(&w));
	query_bytes(q, "rows", k->more);
	return query_run(q);
}

static enum err insert_day(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	struct query *q = database_query(db, "SELECT signed FROM days WHERE satellite = $satellite AND day = $day");
	enum err err;

	bind_address(q, "satellite", k->satellite);
	query_int(q, "day", k->number);
	err = compare(q, k->wire, k->why);
	if (err != ERR_NOT_FOUND)
		return err;
	err = check_carried(db, k);
	if (err == ERR_OK)
		err = write_day(db, k);
	return err == ERR_OK ? set_progress(db, k->satellite, k->number + 1) : err;
}

enum err papers_keep_usage(struct papers *papers, const struct satellite *satellite, const struct address *node,
			   uint32_t day, const struct papers_day *paper, char why[PAPERS_MESSAGE])
{
	struct keeping keeping = {.satellite = &satellite->address,
				  .number = day,
				  .wire = paper->signed_usage,
				  .more = paper->rows,
				  .before = &paper->carried,
				  .why = why};
	struct signature signature;
	struct usage_sum sum;
	struct usage_day known;
	struct usage usage;

	if (typed_decode(&typed_usage, paper->signed_usage, &usage, &signature) != ERR_OK)
		return fail(ERR_FORMAT, why, "a usage that is not a signed Usage");
	if (!address_equal(&usage.satellite, &satellite->address) || !address_equal(&usage.node, node) ||
	    usage.day != day)
		return fail(ERR_DENIED, why, "a usage of another party or another day");
	if (typed_verify(&typed_usage, &usage, &satellite->domain, &signature, &satellite->address) != REFUSAL_NONE)
		return fail(ERR_SIGNATURE, why, "a usage that the satellite did not sign");
	usage_begin(&sum, day, &paper->carried);
	if (usage_add_rows(&sum, paper->rows) != ERR_OK || usage_check(&sum, &usage) != REFUSAL_NONE ||
	    usage_end(&sum, &known) != ERR_OK)
		return fail(ERR_PROTOCOL, why, "a usage whose rows are not those that were signed");
	keeping.after = &known.carried;
	return database_transaction(papers->db, insert_day, &keeping);
}

static enum err skip_day(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	const struct usage_carried nothing = {0};
	struct usage_carried before;
	enum err err = find_carried(db, k->satellite, k->number - 1, &before);

	if (err == ERR_OK && !same_carried(&before, &nothing))
		return fail(ERR_PROTOCOL, k->why, "no usage for a day into which something was carried");
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	return set_progress(db, k->satellite, k->number + 1);
}

enum err papers_skip_day(struct papers *papers, const struct satellite *satellite, uint32_t day,
			 char why[PAPERS_MESSAGE])
{
	struct keeping keeping = {.satellite = &satellite->address, .number = day, .why = why};

	return database_transaction(papers->db, skip_day, &keeping);
}

static enum err insert_statement(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	struct query *q = database_query(db, "SELECT signed FROM statements WHERE satellite = $satellite AND period = "
					     "$period");
	enum err err;

	bind_address(q, "satellite", k->satellite);
	query_int(q, "period", k->number);
	err = compare(q, k->wire, k->why);
	if (err != ERR_NOT_FOUND)
		return err;
	q = database_query(db, "INSERT INTO statements (satellite, period, signed, sheet) VALUES ($satellite, $period, "
			       "$signed, $sheet)");
	bind_address(q, "satellite", k->satellite);
	query_int(q, "period", k->number);
	query_bytes(q, "signed", k->wire);
	query_bytes(q, "sheet", k->more);
	return query_run(q);
}

/* The statement by itself; whether its quantities are right is another matter, which its differences from our own books
 * show. */
static enum err check_statement(const struct statement *statement, struct bytes sheet, char why[PAPERS_MESSAGE])
{
	struct sheet *lines = memory_new(1, sizeof(*lines));
	enum statement_fault fault;
	enum err err = sheet_decode(sheet, lines);

	if (err != ERR_OK) {
		fail(ERR_FORMAT, why, "a statement whose lines do not parse");
	} else {
		fault = statement_check(statement, lines);
		if (fault != STATEMENT_SOUND) {
			snprintf(why, PAPERS_MESSAGE, "a statement that does not add up: %s",
				 statement_fault_text(fault));
			err = ERR_PROTOCOL;
		}
	}
	free(lines);
	return err;
}

enum err papers_keep_statement(struct papers *papers, const struct satellite *satellite, const struct address *node,
			       struct bytes signed_statement, struct bytes sheet, char why[PAPERS_MESSAGE])
{
	struct keeping keeping = {
		.satellite = &satellite->address, .wire = signed_statement, .more = sheet, .why = why};
	struct statement statement;
	struct signature signature;
	enum err err;

	if (typed_decode(&typed_statement, signed_statement, &statement, &signature) != ERR_OK)
		return fail(ERR_FORMAT, why, "a statement that is not a signed Statement");
	if (!address_equal(&statement.satellite, &satellite->address) || !address_equal(&statement.node, node))
		return fail(ERR_DENIED, why, "a statement of another party");
	if (typed_verify(&typed_statement, &statement, &satellite->domain, &signature, &satellite->address) !=
	    REFUSAL_NONE)
		return fail(ERR_SIGNATURE, why, "a statement that the satellite did not sign");
	err = check_statement(&statement, sheet, why);
	if (err != ERR_OK)
		return err;
	keeping.number = statement.period;
	return database_transaction(papers->db, insert_statement, &keeping);
}

static enum err find_ask(struct database *db, const struct keeping *k, bool *ret_same)
{
	struct query *q = database_query(db, "SELECT signed, state FROM asks WHERE satellite = $satellite AND begins = "
					     "$begins");
	enum ask_state state;
	enum err err;

	*ret_same = false;
	bind_address(q, "satellite", k->satellite);
	query_int(q, "begins", k->number);
	err = query_one(q);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	state = (enum ask_state)query_get_int(q, 1);
	*ret_same = state != ASK_REFUSED && bytes_equal(query_get_bytes(q, 0), k->wire);
	query_reset(q);
	if (*ret_same || state == ASK_WAITING || state == ASK_REFUSED)
		return ERR_OK;
	return fail(ERR_CONFLICT, k->why, "another price was asked from that day on, and the satellite was told");
}

static enum err insert_ask(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	bool same;
	enum err err = find_ask(db, k, &same);
	struct query *q;

	if (err != ERR_OK || same)
		return err;
	q = database_query(db, "INSERT INTO asks (satellite, begins, signed, state, why) VALUES ($satellite, $begins, "
			       "$signed, 0, '') ON CONFLICT (satellite, begins) DO UPDATE SET signed = "
			       "excluded.signed, state = 0, why = ''");
	bind_address(q, "satellite", k->satellite);
	query_int(q, "begins", k->number);
	query_bytes(q, "signed", k->wire);
	return query_run(q);
}

enum err papers_keep_ask(struct papers *papers, const struct satellite *satellite, const struct address *node,
			 struct bytes signed_price, char why[PAPERS_MESSAGE])
{
	struct keeping keeping = {.satellite = &satellite->address, .party = node, .wire = signed_price, .why = why};
	struct signature signature;
	struct price price;

	if (typed_decode(&typed_price, signed_price, &price, &signature) != ERR_OK)
		return fail(ERR_FORMAT, why, "an ask that is not a signed Price");
	if (!address_equal(&price.party, node) || price_check(&price, &signature, &satellite->domain) != REFUSAL_NONE)
		return fail(ERR_SIGNATURE, why, "an ask that does not hold for whole days or is not signed by us");
	keeping.number = price.from;
	return database_transaction(papers->db, insert_ask, &keeping);
}

static enum err read_ask(struct query *q, struct papers_ask *ret)
{
	struct bytes wire = query_get_bytes(q, 0);
	struct signature signature;

	if (wire.len > sizeof(ret->wire) || typed_decode(&typed_price, wire, &ret->price, &signature) != ERR_OK)
		return ERR_CORRUPT;
	memcpy(ret->wire, wire.data, wire.len);
	ret->len = wire.len;
	ret->state = (enum ask_state)query_get_int(q, 1);
	snprintf(ret->why, sizeof(ret->why), "%s", query_get_text(q, 2));
	return ERR_OK;
}

enum err papers_asks(struct papers *papers, const struct address *satellite, struct papers_ask **ret, size_t *ret_count)
{
	struct query *q = database_query(papers->db, "SELECT signed, state, why FROM asks WHERE satellite = $satellite "
						     "ORDER BY begins");
	struct papers_ask *list = NULL;
	size_t count = 0, room = 0;
	bool row = false;
	enum err err;

	bind_address(q, "satellite", satellite);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		list = memory_grow(list, &room, count + 1, sizeof(*list));
		err = read_ask(q, &list[count]);
		if (err != ERR_OK)
			break;
		count++;
	}
	query_reset(q);
	if (err != ERR_OK) {
		free(list);
		return err;
	}
	*ret = list;
	*ret_count = count;
	return ERR_OK;
}

struct moving {
	struct keeping price;
	enum ask_state state;
	const char *why;
};

/* A command may have put another in its place meanwhile. */
static enum err move_ask(struct database *db, void *arg)
{
	struct moving *m = arg;
	struct query *q = database_query(db, "UPDATE asks SET state = $state, why = $why WHERE satellite = $satellite "
					     "AND begins = $begins AND signed = $signed");
	enum err err;

	bind_address(q, "satellite", m->price.satellite);
	query_int(q, "begins", m->price.number);
	query_bytes(q, "signed", m->price.wire);
	query_int(q, "state", m->state);
	query_text(q, "why", m->why);
	err = query_run(q);
	if (err == ERR_OK && database_changes(db) == 0)
		return fail(ERR_CONFLICT, m->price.why, "the ask was replaced meanwhile");
	return err == ERR_OK && m->state == ASK_ACCEPTED ? insert_price(db, &m->price) : err;
}

enum err papers_move_ask(struct papers *papers, const struct address *satellite, const struct papers_ask *ask,
			 enum ask_state state, const char *why)
{
	char words[PAPERS_MESSAGE];
	struct moving moving = {.price = {.satellite = satellite,
					  .party = &ask->price.party,
					  .number = ask->price.from,
					  .wire = bytes_of(ask->wire, ask->len),
					  .why = words},
				.state = state,
				.why = why};

	return database_transaction(papers->db, move_ask, &moving);
}

struct first_day {
	const struct address *satellite;
	uint32_t day;
};

static enum err find_next_day(struct database *db, void *arg)
{
	struct first_day *first = arg;
	struct query *q = database_query(db, "SELECT day FROM progress WHERE satellite = $satellite");
	enum err err;

	bind_address(q, "satellite", first->satellite);
	err = query_one(q);
	if (err == ERR_OK)
		first->day = (uint32_t)query_get_int(q, 0);
	query_reset(q);
	return err == ERR_NOT_FOUND ? set_progress(db, first->satellite, first->day) : err;
}

enum err papers_next_day(struct papers *papers, const struct address *satellite, uint32_t first, uint32_t *ret)
{
	struct first_day day = {satellite, first};
	enum err err = database_transaction(papers->db, find_next_day, &day);

	if (err == ERR_OK)
		*ret = day.day;
	return err;
}

enum err papers_known_until(struct papers *papers, const struct address *satellite, uint32_t *ret)
{
	struct query *q = database_query(papers->db, "SELECT day FROM progress WHERE satellite = $satellite");
	enum err err;

	bind_address(q, "satellite", satellite);
	err = query_one(q);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	*ret = err == ERR_OK ? (uint32_t)query_get_int(q, 0) : 0;
	query_reset(q);
	return ERR_OK;
}

enum err papers_last_period(struct papers *papers, const struct address *satellite, uint32_t *ret)
{
	struct query *q = database_query(papers->db, "SELECT COALESCE(MAX(period), 0) FROM statements WHERE satellite "
						     "= $satellite");
	enum err err;

	bind_address(q, "satellite", satellite);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = (uint32_t)query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

enum err papers_prices(struct papers *papers, const struct address *satellite, const struct address *party,
		       uint64_t from, uint64_t until,
		       enum err (*each)(void *arg, const struct price *price, struct bytes signed_price), void *arg)
{
	struct query *q = database_query(
		papers->db, "SELECT signed FROM prices WHERE satellite = $satellite AND party = $party AND begins < "
			    "$until AND begins >= (SELECT COALESCE(MAX(begins), 0) FROM prices WHERE satellite = "
			    "$satellite AND party = $party AND begins <= $from) ORDER BY begins");
	struct signature signature; /* checked when it was kept */
	struct price price;
	bool row = false;
	enum err err;

	bind_address(q, "satellite", satellite);
	bind_address(q, "party", party);
	query_int(q, "from", from);
	query_int(q, "until", until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = typed_decode(&typed_price, query_get_bytes(q, 0), &price, &signature);
		if (err == ERR_OK)
			err = each(arg, &price, query_get_bytes(q, 0));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err visit_day(struct query *q,
			  enum err (*each)(void *arg, const struct usage *usage, const struct papers_day *paper),
			  void *arg)
{
	struct papers_day paper = {.signed_usage = query_get_bytes(q, 0), .rows = query_get_bytes(q, 3)};
	struct signature signature;
	struct usage usage;
	struct reader r;
	enum err err = typed_decode(&typed_usage, paper.signed_usage, &usage, &signature);

	paper.carried.bytes = query_get_int(q, 1);
	reader_init(&r, query_get_bytes(q, 2));
	paper.carried.debt = byte_seconds_from(read_u128(&r));
	return err == ERR_OK ? each(arg, &usage, &paper) : err;
}

enum err papers_days(struct papers *papers, const struct address *satellite, uint32_t from, uint32_t until,
		     enum err (*each)(void *arg, const struct usage *usage, const struct papers_day *paper), void *arg)
{
	struct query *q = database_query(papers->db, "SELECT signed, bytes, debt, rows FROM days WHERE satellite = "
						     "$satellite AND day >= $from AND day < $until ORDER BY day");
	bool row = false;
	enum err err;

	bind_address(q, "satellite", satellite);
	query_int(q, "from", from);
	query_int(q, "until", until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = visit_day(q, each, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err papers_statements(struct papers *papers, const struct address *satellite, uint32_t from, uint32_t to,
			   enum err (*each)(void *arg, const struct statement *statement, struct bytes signed_statement,
					    struct bytes sheet),
			   void *arg)
{
	struct query *q = database_query(papers->db, "SELECT signed, sheet FROM statements WHERE (satellite = "
						     "$satellite OR length($satellite) = 0) AND period >= $from AND "
						     "period <= $to ORDER BY period, satellite");
	struct signature signature;
	struct statement statement;
	bool row = false;
	enum err err;

	query_bytes(q, "satellite", satellite == NULL ? bytes_of("", 0) : bytes_of(satellite->b, sizeof(satellite->b)));
	query_int(q, "from", from);
	query_int(q, "to", to);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = typed_decode(&typed_statement, query_get_bytes(q, 0), &statement, &signature);
		if (err == ERR_OK)
			err = each(arg, &statement, query_get_bytes(q, 0), query_get_bytes(q, 1));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

/* Claims. */

static enum err write_claim(struct database *db, void *arg)
{
	const struct papers_claim *claim = arg;
	struct query *q = database_query(db, "INSERT INTO claims (satellite, hash, at, amount) "
					     "VALUES ($satellite, $hash, $at, $amount) ON CONFLICT DO NOTHING");

	query_address(q, "satellite", &claim->satellite);
	query_text(q, "hash", claim->transaction);
	query_int(q, "at", claim->at);
	query_int(q, "amount", amount_units(claim->amount));
	return query_run(q);
}

enum err papers_keep_claim(struct papers *papers, const struct papers_claim *claim)
{
	struct papers_claim copy = *claim;

	return database_transaction(papers->db, write_claim, &copy);
}

enum err papers_claims(struct papers *papers, enum err (*each)(void *arg, const struct papers_claim *claim), void *arg)
{
	struct query *q =
		database_query(papers->db, "SELECT satellite, hash, at, amount FROM claims ORDER BY at, hash");
	bool row = false;
	enum err err = query_step(q, &row);

	while (err == ERR_OK && row) {
		struct papers_claim claim = {.at = query_get_int(q, 2), .amount = amount_of(query_get_int(q, 3))};

		snprintf(claim.transaction, sizeof(claim.transaction), "%s", query_get_text(q, 1));
		err = query_get_exact(q, 0, claim.satellite.b, sizeof(claim.satellite.b));
		if (err == ERR_OK)
			err = each(arg, &claim);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}
