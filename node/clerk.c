/* One conversation, question after question. */
#include "node/clerk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/leave.h"

#define ROWS_MOST (64u << 20) /* bytes of one day's rows that are taken: a million changes */

struct clerk {
	struct papers *papers;
	const struct key *key;
	struct errand *errand;
	struct clerk_outcome *outcome;
};

/* An answer in parts: `take` gets each and says whether it was the last. */
struct hearing {
	struct clerk *clerk;
	enum message_type type;
	enum err (*take)(struct hearing *hearing, const struct message *message, bool *ret_last);
	void *arg;
	bool done;
	enum err err;
};

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct hearing *l = arg;
	bool last = false;

	if (message == NULL || message->type != l->type)
		l->err = errand_explain(message, err, l->clerk->outcome->why);
	else
		l->err = l->take(l, message, &last);
	l->done = last || l->err != ERR_OK;
	if (l->done && message != NULL && message->type != MSG_ERROR)
		peer_forget(peer, message->request);
}

static enum err hear(struct hearing *l, struct message *question)
{
	struct errand *errand = l->clerk->errand;
	uint32_t request;

	l->done = false;
	if (errand_peer(errand) == NULL)
		return errand_lost(errand, l->clerk->outcome->why);
	request = peer_ask(errand_peer(errand), question, ERRAND_TIMEOUT_MS, on_answer, l);
	if (errand_wait(errand, &l->done))
		return l->err;
	if (errand_peer(errand) != NULL)
		peer_forget(errand_peer(errand), request);
	return errand_lost(errand, l->clerk->outcome->why);
}

static enum err take_prices(struct hearing *l, const struct message *message, bool *ret_last)
{
	struct clerk *clerk = l->clerk;
	const struct satellite *satellite = &clerk->outcome->satellite;
	struct reader r;
	enum err err = ERR_OK;

	reader_init(&r, message->prices.prices.raw);
	for (uint32_t i = 0; i < message->prices.prices.count && err == ERR_OK; i++) {
		struct item_signed item;

		list_next(&item_signed_fields, &r, &item);
		err = papers_keep_price(clerk->papers, satellite, &satellite->address, item.signed_thing,
					clerk->outcome->why);
	}
	*ret_last = message->prices.last;
	return err;
}

static enum err fetch_prices(struct clerk *clerk, uint32_t day)
{
	struct hearing l = {.clerk = clerk, .type = MSG_PRICES, .take = take_prices};
	struct message ask = {.type = MSG_ASK_PRICES, .ask_prices = {day}};

	return hear(&l, &ask);
}

/* A day that is being told, over several answers perhaps. */
struct telling {
	uint8_t usage[MESSAGE_SIGNED_MAX];
	struct papers_day paper;
	uint8_t *rows;
	size_t room;
	bool begun;
	bool more;
};

static enum err take_usage(struct hearing *l, const struct message *message, bool *ret_last)
{
	struct telling *t = l->arg;
	const struct msg_usage *m = &message->usage;
	size_t len = t->paper.rows.len;

	if (!t->begun) {
		memcpy(t->usage, m->usage.data, m->usage.len); /* bounded by the message's table */
		t->paper.signed_usage = bytes_of(t->usage, m->usage.len);
		t->paper.carried = (struct usage_carried){m->bytes, byte_seconds_from(m->debt)};
		t->begun = true;
	}
	if (m->rows.len > ROWS_MOST - len || (m->more && m->rows.len < USAGE_ROW)) {
		snprintf(l->clerk->outcome->why, ERRAND_MESSAGE, "a usage without end");
		return ERR_PROTOCOL;
	}
	t->rows = memory_grow(t->rows, &t->room, len + m->rows.len + 1, 1);
	if (m->rows.len > 0)
		memcpy(t->rows + len, m->rows.data, m->rows.len);
	t->paper.rows = bytes_of(t->rows, len + m->rows.len);
	t->more = m->more;
	*ret_last = m->last || m->more;
	return ERR_OK;
}

/* ERR_NOT_FOUND: nothing happened on it; ERR_EARLY: it is not closed yet. */
static enum err fetch_day(struct clerk *clerk, uint32_t day, struct telling *t)
{
	struct hearing l = {.clerk = clerk, .type = MSG_USAGE, .take = take_usage, .arg = t};
	struct message ask = {.type = MSG_ASK_USAGE, .ask_usage = {.day = day}};
	enum err err = hear(&l, &ask);

	while (err == ERR_OK && t->more) {
		memcpy(ask.ask_usage.after.b, t->rows + t->paper.rows.len - USAGE_ROW, sizeof(ask.ask_usage.after.b));
		err = hear(&l, &ask);
	}
	return err;
}

static enum err keep_day(struct clerk *clerk, uint32_t day)
{
	struct clerk_outcome *outcome = clerk->outcome;
	struct telling *t = memory_new(1, sizeof(*t));
	enum err err = fetch_day(clerk, day, t);

	if (err == ERR_NOT_FOUND) {
		err = papers_skip_day(clerk->papers, &outcome->satellite, day, outcome->why);
	} else if (err == ERR_OK) {
		err = papers_keep_usage(clerk->papers, &outcome->satellite, key_address(clerk->key), day, &t->paper,
					outcome->why);
		outcome->days += err == ERR_OK;
	}
	free(t->rows);
	free(t);
	return err;
}

/* All days that are over and closed. */
static enum err fetch_days(struct clerk *clerk, uint32_t next)
{
	uint64_t today = clock_wall() / USAGE_DAY;
	enum err err = ERR_OK;

	for (uint32_t day = next; err == ERR_OK && day < today; day++)
		err = keep_day(clerk, day);
	if (err != ERR_EARLY)
		return err;
	clerk->outcome->why[0] = '\0'; /* it will come */
	return ERR_OK;
}

struct counting {
	uint32_t got;
	uint32_t period; /* of the last */
};

static enum err take_statement(struct hearing *l, const struct message *message, bool *ret_last)
{
	struct counting *counting = l->arg;
	struct clerk *clerk = l->clerk;
	const struct msg_statement *m = &message->statement;
	struct statement statement;
	struct signature signature;
	enum err err;

	*ret_last = m->last;
	if (m->last && m->statement.len == 0)
		return ERR_OK;
	err = papers_keep_statement(clerk->papers, &clerk->outcome->satellite, key_address(clerk->key), m->statement,
				    m->sheet, clerk->outcome->why);
	if (err == ERR_OK)
		err = typed_decode(&typed_statement, m->statement, &statement, &signature);
	if (err == ERR_OK && statement.period <= counting->period) {
		snprintf(clerk->outcome->why, ERRAND_MESSAGE, "statements out of order");
		err = ERR_PROTOCOL;
	}
	if (err != ERR_OK)
		return err;
	counting->period = statement.period;
	counting->got++;
	clerk->outcome->statements++;
	return ERR_OK;
}

static enum err fetch_statements(struct clerk *clerk)
{
	struct counting counting = {0};
	struct hearing l = {.clerk = clerk, .type = MSG_STATEMENT, .take = take_statement, .arg = &counting};
	struct message ask = {.type = MSG_ASK_STATEMENTS};
	enum err err = papers_last_period(clerk->papers, &clerk->outcome->satellite.address, &counting.period);

	do {
		counting.got = 0;
		ask.ask_statements.period = counting.period;
		if (err == ERR_OK)
			err = hear(&l, &ask);
	} while (err == ERR_OK && counting.got > 0);
	return err;
}

static void take_done(const struct message *answer, void *arg)
{
	(void)answer;
	(void)arg;
}

/* What no later try would change: another price from that day on, a day that has begun, a signature. */
static bool is_final(enum err err)
{
	return err == ERR_CONFLICT || err == ERR_RANGE || err == ERR_SIGNATURE;
}

static enum err offer_ask(struct clerk *clerk, const struct papers_ask *ask)
{
	struct clerk_outcome *outcome = clerk->outcome;
	const struct address *satellite = &outcome->satellite.address;
	struct message offer = {.type = MSG_OFFER_PRICE, .offer_price = {bytes_of(ask->wire, ask->len)}};
	char why[ERRAND_MESSAGE] = "";
	enum err err = papers_move_ask(clerk->papers, satellite, ask, ASK_OFFERED, "");

	if (err != ERR_OK)
		return err;
	err = errand_ask(clerk->errand, &offer, MSG_DONE, take_done, NULL, why);
	outcome->accepted += err == ERR_OK;
	outcome->refused += is_final(err);
	if (err == ERR_OK)
		return papers_move_ask(clerk->papers, satellite, ask, ASK_ACCEPTED, "");
	if (is_final(err))
		return papers_move_ask(clerk->papers, satellite, ask, ASK_REFUSED, why);
	memcpy(outcome->why, why, sizeof(why));
	return err;
}

static enum err offer_asks(struct clerk *clerk)
{
	struct papers_ask *asks = NULL;
	size_t count = 0;
	enum err err = papers_asks(clerk->papers, &clerk->outcome->satellite.address, &asks, &count);

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		if (asks[i].state == ASK_WAITING || asks[i].state == ASK_OFFERED)
			err = offer_ask(clerk, &asks[i]);
	}
	free(asks);
	return err;
}

/* How far the node has come with leaving, when it does. */
static enum err follow_exit(struct clerk *clerk)
{
	struct clerk_outcome *outcome = clerk->outcome;
	struct leave_state state;
	struct papers_exit exit;
	enum err err = papers_exit(clerk->papers, &outcome->satellite.address, &exit);

	if (err == ERR_NOT_FOUND || (err == ERR_OK && exit.ended != 0))
		return ERR_OK;
	if (err == ERR_OK)
		err = leave_ask(clerk->errand, false, &state, outcome->why);
	if (err == ERR_OK)
		err = papers_keep_exit(clerk->papers, &outcome->satellite, key_address(clerk->key), &state.exit,
				       outcome->why);
	return err;
}

/* A satellite that takes no offer now is still asked for what it owes us. */
static enum err talk(struct clerk *clerk)
{
	const struct address *satellite = &clerk->outcome->satellite.address;
	enum err offered = offer_asks(clerk), err;
	uint32_t next;

	err = papers_next_day(clerk->papers, satellite, (uint32_t)(clock_wall() / USAGE_DAY), &next);
	if (err == ERR_OK)
		err = fetch_prices(clerk, next);
	if (err == ERR_OK)
		err = fetch_days(clerk, next);
	if (err == ERR_OK)
		err = fetch_statements(clerk);
	if (err == ERR_OK)
		err = follow_exit(clerk);
	return err == ERR_OK ? offered : err;
}

void clerk_run(struct papers *papers, const struct key *key, const struct satellite *satellite, const atomic_bool *stop,
	       struct clerk_outcome *ret)
{
	struct clerk clerk = {.papers = papers, .key = key, .outcome = ret};

	*ret = (struct clerk_outcome){.satellite = *satellite};
	ret->err = errand_open(key, &satellite->endpoint, stop, &clerk.errand, ret->why);
	if (ret->err == ERR_OK)
		ret->err = talk(&clerk);
	errand_close(clerk.errand);
	if (ret->err == ERR_DATABASE || ret->err == ERR_FULL || ret->err == ERR_CORRUPT)
		snprintf(ret->why, sizeof(ret->why), "papers: %s", papers_message(papers));
	else if (ret->err != ERR_OK && ret->why[0] == '\0')
		snprintf(ret->why, sizeof(ret->why), "%s", err_text(ret->err));
}
