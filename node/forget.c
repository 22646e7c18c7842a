/* Weighing and deleting. */
#include "node/forget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/earnings.h"
#include "payments/month.h"

#define AT_ONCE 65536 /* pieces of one step */

/* Sums over statements; a released amount was held before. */
struct statements {
	uint64_t held, given_back, rolled;
	uint32_t last; /* period */
	bool absurd;
};

static void add(struct statements *s, uint64_t *sum, uint64_t amount)
{
	s->absurd = s->absurd || amount > UINT64_MAX - *sum;
	*sum += amount;
}

static enum err add_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
			      struct bytes sheet)
{
	struct statements *s = arg;

	(void)signed_statement;
	(void)sheet;
	add(s, &s->held, statement->held);
	add(s, &s->given_back, statement->released);
	add(s, &s->given_back, statement->forfeited);
	if (statement->period >= s->last) {
		s->last = statement->period;
		s->rolled = statement->rolled;
	}
	return ERR_OK;
}

/* The months that have no statement, by our own books. */
static enum err add_own_months(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
			       const struct address *node, uint64_t now, struct forget_stake *stake)
{
	struct earned_month *month = memory_new(1, sizeof(*month));
	uint64_t at = 0;
	uint32_t period;
	enum err err = earnings_first(ledger, papers, satellite, now, &period);

	if (err == ERR_OK)
		err = month_of_period(period, &at);
	for (; err == ERR_OK && at <= now; at = month_end(at)) {
		err = earnings_month(ledger, papers, satellite, node, month_period(at), now, month);
		if (err != ERR_OK || month->has_statement || amount_units(month->own.sums.earned) == 0)
			continue;
		err = amount_add(stake->unpaid, month->own.sums.earned, &stake->unpaid);
		stake->months++;
	}
	free(month);
	return err;
}

enum err forget_weigh(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
		      const struct address *node, uint64_t now, struct forget_stake *ret)
{
	struct statements s = {0};
	struct forget_stake stake = {0};
	struct ledger_totals totals;
	enum err err = papers_statements(papers, &satellite->address, 0, UINT32_MAX, add_statement, &s);

	if (err == ERR_OK)
		err = add_own_months(ledger, papers, satellite, node, now, &stake);
	if (err == ERR_OK && s.absurd)
		err = ERR_OVERFLOW;
	if (err != ERR_OK)
		return err;
	ledger_totals(ledger, &satellite->address, &totals);
	stake.orders = totals.orders[LEDGER_UNSETTLED];
	stake.order_bytes = totals.bytes[LEDGER_UNSETTLED];
	stake.held = amount_of(s.held > s.given_back ? s.held - s.given_back : 0);
	stake.rolled = amount_of(s.rolled);
	*ret = stake;
	return ERR_OK;
}

bool forget_is_free(const struct forget_stake *stake)
{
	return stake->orders == 0 && amount_units(stake->unpaid) == 0 && amount_units(stake->held) == 0 &&
	       amount_units(stake->rolled) == 0;
}

/* Pieces of one satellite, as many as there is room for; or counted only. */
struct gathering {
	uint16_t satellite;
	struct bytes32 *pieces; /* NULL: count */
	size_t count;
	struct forgotten sum;
};

static bool gather(void *arg, const struct store_key *key, uint64_t size)
{
	struct gathering *g = arg;

	if (key->satellite != g->satellite)
		return true;
	g->sum.pieces++;
	g->sum.bytes += size;
	if (g->pieces == NULL)
		return true;
	g->pieces[g->count++] = key->piece;
	return g->count < AT_ONCE;
}

enum err forget_count(struct store *store, uint16_t satellite, struct forgotten *ret)
{
	struct gathering g = {.satellite = satellite};
	enum err err = store_each(store, gather, &g);

	if (err == ERR_OK)
		*ret = g.sum;
	return err;
}

/* Tombstones on their way, and what came of them. */
struct deleting {
	pthread_mutex_t lock;
	pthread_cond_t back;
	size_t waiting;
	enum err err; /* the first failure */
};

static void one_is_back(void *arg, enum err err)
{
	struct deleting *d = arg;

	pthread_mutex_lock(&d->lock);
	if (err != ERR_OK && err != ERR_NOT_FOUND && d->err == ERR_OK)
		d->err = err;
	if (--d->waiting == 0)
		pthread_cond_signal(&d->back);
	pthread_mutex_unlock(&d->lock);
}

static enum err delete_all(struct store *store, const struct gathering *g)
{
	struct deleting d = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, g->count + 1, ERR_OK};

	for (size_t i = 0; i < g->count; i++) {
		const struct store_key key = {g->satellite, g->pieces[i]};
		enum err err = store_delete(store, &key, NULL, one_is_back, &d);

		if (err != ERR_OK)
			one_is_back(&d, err);
	}
	one_is_back(&d, ERR_OK);
	pthread_mutex_lock(&d.lock);
	while (d.waiting > 0)
		pthread_cond_wait(&d.back, &d.lock);
	pthread_mutex_unlock(&d.lock);
	return d.err;
}

enum err forget_some(struct store *store, uint16_t satellite, struct forgotten *sum, bool *ret_more)
{
	struct gathering g = {.satellite = satellite, .pieces = memory_new(AT_ONCE, sizeof(*g.pieces))};
	enum err err = store_each(store, gather, &g);

	if (err == ERR_OK)
		err = delete_all(store, &g);
	if (err == ERR_OK) {
		sum->pieces += g.sum.pieces;
		sum->bytes += g.sum.bytes;
		*ret_more = g.count == AT_ONCE;
	}
	free(g.pieces);
	return err;
}
