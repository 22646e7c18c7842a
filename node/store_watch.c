/* Compares with what was seen last, and logs the difference. */
#include "node/store_watch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/memory.h"

struct store_watch {
	struct store *store;
	struct event *timer;
	bool read_only;
	uint64_t found;	 /* damaged pieces */
	uint64_t rounds; /* of the scrubber */
	uint64_t bad;	 /* other damage, in this round */
};

static void look_at_health(struct store_watch *watch)
{
	char quoted[STORE_MESSAGE + 64];
	struct store_space space;

	store_space(watch->store, &space);
	if (space.read_only && !watch->read_only)
		log_event(LOG_ERROR, "store_read_only", "why=%s", log_quote(space.reason, quoted, sizeof(quoted)));
	watch->read_only = space.read_only;
}

static void look_at_damage(struct store_watch *watch)
{
	struct store_damage damage;

	store_damage(watch->store, &damage);
	if (damage.found != watch->found)
		log_event(LOG_WARN, "pieces_damaged", "found=%" PRIu64 " damaged=%" PRIu64 " untold=%" PRIu64,
			  damage.found - watch->found, damage.pieces, damage.untold);
	watch->found = damage.found;
}

static void look_at_scrub(struct store_watch *watch)
{
	struct store_scrub scrub;
	uint64_t bad;

	store_scrub(watch->store, &scrub);
	bad = scrub.now.records_bad + scrub.now.segments_bad + scrub.now.footers_bad;
	if (bad > watch->bad)
		log_event(LOG_WARN, "segments_damaged", "headers=%" PRIu64 " footers=%" PRIu64 " records=%" PRIu64,
			  scrub.now.segments_bad, scrub.now.footers_bad, scrub.now.records_bad);
	watch->bad = bad;
	if (scrub.rounds != watch->rounds)
		log_event(LOG_INFO, "scrubbed",
			  "bytes=%" PRIu64 " pieces=%" PRIu64 " damaged=%" PRIu64 " seconds=%" PRIu64, scrub.now.bytes,
			  scrub.now.pieces, scrub.now.damaged, scrub.finished - scrub.started);
	watch->rounds = scrub.rounds;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_watch *watch = arg;

	(void)fd;
	(void)what;
	look_at_health(watch);
	look_at_damage(watch);
	look_at_scrub(watch);
}

struct store_watch *store_watch_start(struct loop *loop, struct store *store)
{
	const struct timeval every = {1, 0};
	struct store_watch *watch = memory_new(1, sizeof(*watch));
	struct store_damage damage;
	struct store_scrub scrub;

	watch->store = store;
	store_damage(store, &damage);
	store_scrub(store, &scrub);
	watch->rounds = scrub.rounds;
	watch->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, watch);
	event_add(watch->timer, &every);
	if (damage.pieces > 0)
		log_event(LOG_WARN, "pieces_damaged", "found=0 damaged=%" PRIu64 " untold=%" PRIu64, damage.pieces,
			  damage.untold);
	look_at_health(watch);
	return watch;
}

void store_watch_stop(struct store_watch *watch)
{
	if (watch == NULL)
		return;
	event_free(watch->timer);
	free(watch);
}
