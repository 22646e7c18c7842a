/* Jobs for a pool of one thread, so that they never meet. */
#include "node/books.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/recover.h"
#include "payments/rules.h"

#define TICK_SECONDS 2 /* between two looks at the log */
#define TRIM_SECONDS 3600
#define TRIM_AFTER (RULES_GRACE + 24 * 3600) /* when an entry of the log can be of no use any more, seconds */

/* How a satellite's count compared with the store. */
struct compared {
	struct address satellite;
	struct holdings holdings;
};

struct books {
	struct loop *loop;
	const struct parts *parts;
	struct ledger *ledger;
	struct papers *papers;
	struct overdue *overdue;
	pthread_mutex_t lock; /* guards what was compared */
	struct compared *compared;
	size_t compared_count;
	size_t compared_room;
	struct pool *pool;
	struct event *timer;
	uint64_t interval;   /* between settlements, seconds; 0: on demand only */
	uint64_t settled_at; /* begun; wall clock, so that tests can set it ahead */
	atomic_bool stop;
	atomic_bool filling; /* a job is on its way */
	uint64_t trimmed_at; /* wall clock */
	size_t noted;	     /* pinned satellites whose papers have begun */
	atomic_int fill_err; /* of the last filling, so that trouble is logged when it begins */
};

/* Filling. */

static void report_fill(struct books *books, enum err err)
{
	if (err != ERR_OK && atomic_load(&books->fill_err) == ERR_OK)
		log_event(LOG_ERROR, "ledger_behind", "reason=%s", err_name(err));
	atomic_store(&books->fill_err, (int)err);
}

static enum err note_audits(struct books *books)
{
	struct taking taking;
	enum err err = ERR_OK;

	while (err == ERR_OK && takings_take(books->parts->takings, &taking))
		err = ledger_note_audits(books->ledger, &taking);
	return err;
}

static void fill(struct books *books)
{
	enum err err = note_audits(books);
	uint64_t now = clock_wall();

	/* A disk that is away keeps its log; what was settled goes on without it. */
	if (books->parts->store == NULL) {
		report_fill(books, err);
		return;
	}
	if (err == ERR_OK)
		err = ledger_fill(books->ledger, books->parts->store);
	if (err == ERR_OK && now - books->trimmed_at >= TRIM_SECONDS) {
		books->trimmed_at = now;
		err = store_transfers_trim(books->parts->store, ledger_sequence(books->ledger),
					   now > TRIM_AFTER ? now - TRIM_AFTER : 0);
	}
	report_fill(books, err);
}

static void watch_deadlines(struct books *books)
{
	struct ledger_oldest oldest;

	if (ledger_oldest(books->ledger, &oldest) == ERR_OK)
		overdue_see(books->overdue, &oldest);
}

/* The papers of a satellite begin with the day on which it is met, whenever they are first asked for. */
static void note_satellites(struct books *books)
{
	uint32_t today = (uint32_t)(clock_wall() / USAGE_DAY), next;
	struct satellite *satellites;
	size_t count = trust_list(books->parts->trust, &satellites), pinned = 0;

	for (size_t i = 0; i < count; i++)
		pinned += satellites[i].pinned;
	for (size_t i = 0; i < count && pinned != books->noted; i++) {
		if (satellites[i].pinned &&
		    papers_next_day(books->papers, &satellites[i].address, today, &next) != ERR_OK)
			pinned = 0; /* once more at the next tick */
	}
	books->noted = pinned;
	free(satellites);
}

static void work_fill(void *arg)
{
	struct books *books = arg;

	note_satellites(books);
	fill(books);
	watch_deadlines(books);
	atomic_store(&books->filling, false);
}

/* Settling. */

struct settling {
	struct books *books;
	struct books_outcome *outcomes;
	size_t count;
	books_settled *done;
	void *arg;
};

static void log_outcome(const struct settle_outcome *o)
{
	char address[KEY_ADDRESS_TEXT], why[ERRAND_MESSAGE + 32];

	address_to_text(&o->satellite.address, address);
	if (o->err != ERR_OK)
		log_event(LOG_WARN, "unsettled", "satellite=%s reason=%s why=%s", address, err_name(o->err),
			  log_quote(o->why, why, sizeof(why)));
	else if (o->settled + o->rejected > 0)
		log_event(LOG_INFO, "settled", "satellite=%s orders=%llu rejected=%llu bytes=%llu", address,
			  (unsigned long long)o->settled, (unsigned long long)o->rejected,
			  (unsigned long long)o->bytes);
}

static void log_papers(const struct clerk_outcome *o)
{
	char address[KEY_ADDRESS_TEXT], why[ERRAND_MESSAGE + 32];

	address_to_text(&o->satellite.address, address);
	if (o->err != ERR_OK)
		log_event(LOG_WARN, "papers_missing", "satellite=%s reason=%s why=%s", address, err_name(o->err),
			  log_quote(o->why, why, sizeof(why)));
	if (o->days + o->statements > 0)
		log_event(LOG_INFO, "papers", "satellite=%s days=%llu statements=%llu", address,
			  (unsigned long long)o->days, (unsigned long long)o->statements);
	if (o->accepted + o->refused > 0)
		log_event(o->refused > 0 ? LOG_WARN : LOG_INFO, "asks", "satellite=%s accepted=%u refused=%u", address,
			  o->accepted, o->refused);
}

static struct compared *find_compared(struct books *books, const struct address *satellite)
{
	for (size_t i = 0; i < books->compared_count; i++)
		if (address_equal(&books->compared[i].satellite, satellite))
			return &books->compared[i];
	return NULL;
}

bool books_holdings(struct books *books, const struct address *satellite, struct holdings *ret)
{
	const struct compared *found;

	pthread_mutex_lock(&books->lock);
	found = find_compared(books, satellite);
	if (found != NULL)
		*ret = found->holdings;
	pthread_mutex_unlock(&books->lock);
	return found != NULL;
}

static void keep_holdings(struct books *books, const struct address *satellite, const struct holdings *holdings)
{
	struct compared *place;

	pthread_mutex_lock(&books->lock);
	place = find_compared(books, satellite);
	if (place == NULL) {
		books->compared = memory_grow(books->compared, &books->compared_room, books->compared_count + 1,
					      sizeof(*books->compared));
		place = &books->compared[books->compared_count++];
	}
	*place = (struct compared){*satellite, *holdings};
	pthread_mutex_unlock(&books->lock);
}

/* Whenever a day was signed, and once after the start. */
static void compare_holdings(struct books *books, const struct clerk_outcome *papers)
{
	const struct address *satellite = &papers->satellite.address;
	char address[KEY_ADDRESS_TEXT];
	struct holdings h;

	if (books->parts->store == NULL || (papers->days == 0 && books_holdings(books, satellite, &h)))
		return;
	if (holdings_compare(books->papers, books->parts->store, satellite, &h) != ERR_OK)
		return; /* nothing is signed yet; what ails the store is told by others */
	keep_holdings(books, satellite, &h);
	address_to_text(satellite, address);
	log_event(holdings_agree(&h) ? LOG_INFO : LOG_WARN, holdings_agree(&h) ? "holdings" : "holdings_differ",
		  "satellite=%s day=%u alike=%llu unlisted=%llu unlisted_bytes=%llu ended=%llu absent=%llu "
		  "other_size=%llu other_time=%llu",
		  address, h.day, (unsigned long long)h.alike.pieces, (unsigned long long)h.unlisted.pieces,
		  (unsigned long long)h.unlisted.bytes, (unsigned long long)h.ended.pieces,
		  (unsigned long long)h.absent.pieces, (unsigned long long)h.other_size,
		  (unsigned long long)h.other_time);
}

/* One that is not pinned yet has allocated nothing and signed nothing. */
static void settle_with(struct books *books, const struct satellite *satellite, struct books_outcome *ret)
{
	*ret = (struct books_outcome){.orders = {.satellite = *satellite}, .papers = {.satellite = *satellite}};
	if (!satellite->pinned)
		return;
	settler_run(books->ledger, books->parts->key, satellite, &books->stop, &ret->orders);
	log_outcome(&ret->orders);
	clerk_run(books->papers, books->parts->key, satellite, &books->stop, &ret->papers);
	log_papers(&ret->papers);
	compare_holdings(books, &ret->papers);
}

static void work_settle(void *arg)
{
	struct settling *settling = arg;
	struct books *books = settling->books;
	struct satellite *satellites;

	fill(books);
	settling->count = trust_list(books->parts->trust, &satellites);
	settling->outcomes = memory_new(settling->count + 1, sizeof(*settling->outcomes));
	for (size_t i = 0; i < settling->count; i++)
		settle_with(books, &satellites[i], &settling->outcomes[i]);
	watch_deadlines(books);
	free(satellites);
}

static void settled(void *arg)
{
	struct settling *settling = arg;

	settling->done(settling->outcomes, settling->count, settling->arg);
	free(settling->outcomes);
	free(settling);
}

void books_settle(struct books *books, books_settled *done, void *arg)
{
	struct settling *settling = memory_new(1, sizeof(*settling));

	books->settled_at = clock_wall();
	settling->books = books;
	settling->done = done;
	settling->arg = arg;
	pool_submit(books->pool, work_settle, books->loop, settled, settling);
}

static void settled_by_the_hour(const struct books_outcome *outcomes, size_t count, void *arg)
{
	(void)outcomes;
	(void)count;
	(void)arg;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct books *books = arg;

	(void)fd;
	(void)what;
	if (!atomic_exchange(&books->filling, true))
		pool_submit(books->pool, work_fill, NULL, NULL, books);
	if (books->interval > 0 && clock_wall() - books->settled_at >= books->interval)
		books_settle(books, settled_by_the_hour, NULL);
}

void books_set_interval(struct books *books, uint64_t seconds)
{
	books->interval = seconds;
}

/* Before anybody has them open. */
static enum err recover_both(const char *dir, char why[LEDGER_MESSAGE])
{
	static const char *const names[] = {"ledger.db", "papers.db"};
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < sizeof(names) / sizeof(names[0]); i++) {
		err = recover_database(dir, names[i]);
		if (err != ERR_OK)
			snprintf(why, LEDGER_MESSAGE, "%s cannot be read: %s", names[i], err_text(err));
	}
	return err;
}

enum err books_open(struct loop *loop, const char *dir, const struct parts *parts, struct books **ret,
		    char why[LEDGER_MESSAGE])
{
	const struct timeval every = {TICK_SECONDS, 0};
	struct books *books = memory_new(1, sizeof(*books));
	char *path = file_join(dir, "ledger.db");
	enum err err = recover_both(dir, why);

	if (err == ERR_OK)
		err = ledger_open(path, &books->ledger, why);

	free(path);
	if (err == ERR_OK)
		err = papers_open(dir, &books->papers, why);
	if (err != ERR_OK) {
		ledger_close(books->ledger);
		free(books);
		return err;
	}
	books->loop = loop;
	books->parts = parts;
	books->overdue = overdue_new();
	pthread_mutex_init(&books->lock, NULL);
	books->pool = pool_new(1, "books");
	books->settled_at = clock_wall();
	books->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, books);
	event_add(books->timer, &every);
	*ret = books;
	return ERR_OK;
}

void books_close(struct books *books)
{
	if (books == NULL)
		return;
	atomic_store(&books->stop, true);
	event_free(books->timer);
	pool_free(books->pool);
	(void)!note_audits(books); /* of the last seconds */
	ledger_close(books->ledger);
	papers_close(books->papers);
	overdue_free(books->overdue);
	pthread_mutex_destroy(&books->lock);
	free(books->compared);
	free(books);
}

bool books_behind(struct books *books)
{
	return atomic_load(&books->fill_err) != ERR_OK;
}

struct ledger *books_ledger(struct books *books)
{
	return books->ledger;
}

/* Telling. */

struct reporting {
	struct books *books;
	struct earnings_query query;
	json_t *report; /* NULL when it failed */
	books_reported *done;
	void *arg;
};

static void work_report(void *arg)
{
	struct reporting *reporting = arg;
	struct books *books = reporting->books;
	enum err err;

	fill(books);
	err = earnings_report(books->ledger, books->papers, &reporting->query, &reporting->report);
	if (err != ERR_OK)
		log_event(LOG_ERROR, "earnings_unknown", "reason=%s", err_name(err));
}

static void reported(void *arg)
{
	struct reporting *reporting = arg;

	reporting->done(reporting->report, reporting->arg);
	free(reporting);
}

void books_report(struct books *books, uint32_t from, uint32_t to, books_reported *done, void *arg)
{
	struct reporting *reporting = memory_new(1, sizeof(*reporting));

	reporting->books = books;
	reporting->query = (struct earnings_query){.node = key_address(books->parts->key),
						   .trust = books->parts->trust,
						   .from = from,
						   .to = to,
						   .with_days = true,
						   .now = clock_wall()};
	reporting->done = done;
	reporting->arg = arg;
	pool_submit(books->pool, work_report, books->loop, reported, reporting);
}

struct overdue_state books_overdue(struct books *books)
{
	return overdue_now(books->overdue);
}
