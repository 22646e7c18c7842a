/* Asking everybody once. */
#include "node/condition.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "node/recover.h"
#include "node/store_facts.h"

/* One satellite, and the words that its entry points to. */
struct told {
	char address[KEY_ADDRESS_TEXT];
	struct checkin_state state;
};

static void look_at_disk(const char *dir, struct finding_figures *ret)
{
	char *path = file_join(dir, "store");
	struct statvfs st;

	if (statvfs(path, &st) == 0) {
		ret->disk_total = (uint64_t)st.f_blocks * st.f_frsize;
		ret->disk_free = (uint64_t)st.f_bavail * st.f_frsize;
		ret->inodes_total = st.f_files;
		ret->inodes_free = st.f_favail;
	}
	free(path);
}

/* The key may have been made readable while the node ran. */
static const char *look_at_key(const char *dir)
{
	char *path = file_join(dir, "key");
	struct stat st;
	const char *wrong = NULL;

	if (stat(path, &st) != 0)
		wrong = "The key's file is gone; the node goes on with the copy in its memory, but could not start "
			"again";
	else if ((st.st_mode & 077) != 0)
		wrong = "The key can be read by others than its owner, so the node would not start again";
	free(path);
	return wrong;
}

static void look_at_port(const struct portmap_state *state, struct finding_figures *ret)
{
	ret->mapping_shared = state->phase == PORTMAP_SHARED;
	if (state->phase == PORTMAP_FAILED)
		ret->mapping_failed = state->why;
}

static uint64_t count_held(struct store *store)
{
	struct store_held *held;
	size_t count = store_collect_held(store, &held);

	free(held);
	return count;
}

static void look_at_store(struct store *store, const struct store_space *space, struct finding_figures *ret)
{
	struct store_damage damage;

	store_damage(store, &damage);
	ret->read_only = space->read_only;
	ret->read_only_reason = space->reason;
	ret->allocation = space->allocation;
	ret->used = store_facts_used(space) + space->reserved + space->free;
	ret->damaged = damage.pieces;
	ret->gone_files = damage.gone_files;
	ret->gone_pieces = damage.gone_pieces;
	ret->held = count_held(store);
}

static void look_at_satellite(const struct api_sources *sources, const struct satellite *satellite, struct told *told,
			      struct finding_satellite *ret)
{
	struct holdings holdings;

	address_to_text(&satellite->address, told->address);
	checkin_state(sources->checkin, &satellite->address, &told->state);
	*ret = (struct finding_satellite){
		.address = told->address,
		.since = told->state.at,
		.answered = told->state.at > 0 && told->state.err == ERR_OK,
		.reachable = told->state.reachable,
		.other_domain = told->state.err == ERR_CONFLICT,
		.reason = told->state.reason,
		.skew = told->state.skew,
		.status = told->state.status,
	};
	if (books_holdings(sources->books, &satellite->address, &holdings) && !holdings_agree(&holdings)) {
		ret->unlisted_pieces = holdings.unlisted.pieces;
		ret->unlisted_bytes = holdings.unlisted.bytes;
		ret->otherwise = holdings.other_size + holdings.other_time;
	}
}

void condition_find(const struct api_sources *sources, struct findings *findings)
{
	struct store *store = sources->parts->store;
	struct overdue_state overdue = books_overdue(sources->books);
	struct satellite *satellites;
	size_t count = trust_list(sources->parts->trust, &satellites);
	struct told *told = memory_new(count + 1, sizeof(*told));
	struct finding_satellite *list = memory_new(count + 1, sizeof(*list));
	struct portmap_state port;
	char damaged[RECOVER_NAME] = "";
	struct store_space space;
	struct finding_figures figures = {
		.now = clock_wall(),
		.started = sources->started,
		.missing = storage_missing(sources->storage),
		.orders = (int)overdue.level,
		.orders_since = overdue.since,
		.orders_until = overdue.until,
		.ledger_behind = books_behind(sources->books),
		.paused_until = pause_until(sources->parts->pause, clock_wall()),
		.satellites = list,
		.satellite_count = count,
	};

	figures.key_wrong = look_at_key(sources->dir);
	if (recover_find_damaged(sources->dir, damaged))
		figures.damaged_database = damaged;
	portmap_state(sources->portmap, &port);
	look_at_port(&port, &figures);
	for (size_t i = 0; i < count; i++)
		look_at_satellite(sources, &satellites[i], &told[i], &list[i]);
	if (store != NULL) {
		store_space(store, &space);
		look_at_store(store, &space, &figures);
		look_at_disk(sources->dir, &figures);
	}
	findings_judge(findings, &figures);
	free(list);
	free(told);
	free(satellites);
}
