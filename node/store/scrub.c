/* Pace and bookmark of the scrubber. */
#include "node/store/scrub.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define VERSION 1
#define AT_CRC (SCRUB_FILE - 4)
#define PERIOD (30 * 86400ull)
#define STRIDE (1u << 20)    /* bytes that are worth a step */
#define CREDIT_MOST_MS 60000 /* of pace that are saved up while upkeep does other things */
#define HASTE 4		     /* times the even pace, at most */
#define SAVE_SECONDS 300     /* between two bookmarks */
#define SECOND 1000000000ull
#define COUNTS 10

static const char magic[8] = "GRANSCRB";

struct scrub {
	struct store *store;
	struct store_check *check; /* the round under way; NULL between two */
	uint64_t credit;	   /* bytes that may be read by now */
	uint64_t counted;	   /* monotonic, when credit was last added to */
	uint64_t saved;		   /* monotonic, when the bookmark was last written */
	struct verify_place place; /* as last told */
	pthread_mutex_t lock;	   /* of state */
	struct store_scrub state;
};

static uint64_t period_of(const struct store *store)
{
	return store->options.scrub_seconds == 0 ? PERIOD : store->options.scrub_seconds;
}

static uint32_t crc_of(const uint8_t file[SCRUB_FILE])
{
	/* ISA-L takes no const; it reads only. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)file, AT_CRC, UINT32_MAX);
}

/* The counts in the order of the file. */
static void list_counts(struct store_checked *counts, uint64_t *ret[COUNTS])
{
	uint64_t *const list[COUNTS] = {
		&counts->bytes,	  &counts->total, &counts->segments,	&counts->records,      &counts->pieces,
		&counts->damaged, &counts->found, &counts->records_bad, &counts->segments_bad, &counts->footers_bad};

	memcpy(ret, list, sizeof(list));
}

static void encode(const struct store_scrub *state, const struct verify_place *place, uint8_t out[SCRUB_FILE])
{
	struct store_checked now = state->now;
	uint64_t *counts[COUNTS];
	struct writer w;

	memset(out, 0, SCRUB_FILE);
	writer_init(&w, out, AT_CRC);
	write_raw(&w, magic, sizeof(magic));
	write_u16(&w, VERSION);
	write_u16(&w, state->under_way ? (uint16_t)place->kind : 0);
	write_u32(&w, place->segment);
	write_u32(&w, place->offset);
	write_u64(&w, state->rounds);
	write_u64(&w, state->started);
	write_u64(&w, state->finished);
	list_counts(&now, counts);
	for (size_t i = 0; i < COUNTS; i++)
		write_u64(&w, *counts[i]);
	put_be32(out + AT_CRC, crc_of(out));
}

bool scrub_decode(const uint8_t from[SCRUB_FILE], struct store_scrub *ret, struct verify_place *ret_place)
{
	uint64_t *counts[COUNTS];
	struct reader r;
	uint16_t kind;

	reader_init(&r, bytes_of(from + sizeof(magic), AT_CRC - sizeof(magic)));
	if (memcmp(from, magic, sizeof(magic)) != 0 || read_u16(&r) != VERSION ||
	    get_be32(from + AT_CRC) != crc_of(from))
		return false;
	kind = read_u16(&r);
	ret->under_way = kind != 0;
	ret_place->kind = kind == SEGMENT_TRANSFERS ? SEGMENT_TRANSFERS : SEGMENT_PIECES;
	ret_place->segment = read_u32(&r);
	ret_place->offset = read_u32(&r);
	ret->rounds = read_u64(&r);
	ret->started = read_u64(&r);
	ret->finished = read_u64(&r);
	list_counts(&ret->now, counts);
	for (size_t i = 0; i < COUNTS; i++)
		*counts[i] = read_u64(&r);
	return r.err == ERR_OK;
}

static void path_of(const struct store *store, const char *suffix, char out[SEGMENT_PATH])
{
	snprintf(out, SEGMENT_PATH, "%s/index/scrub%s", store->dir, suffix);
}

/* A full disk, or one that fails, costs a bookmark and nothing else. */
static void save(struct scrub *scrub)
{
	const struct seam *seam = scrub->store->seam;
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH];
	uint8_t raw[SCRUB_FILE];
	enum err err;
	int fd;

	scrub->saved = clock_monotonic();
	if (health_failed(&scrub->store->health))
		return;
	path_of(scrub->store, "", path);
	path_of(scrub->store, ".new", temporary);
	encode(&scrub->state, &scrub->place, raw);
	if (seam_open_file(seam, temporary, O_RDWR | O_CREAT | O_TRUNC, &fd) != ERR_OK)
		return;
	err = seam_write_full(seam, fd, raw, sizeof(raw), 0);
	if (err == ERR_OK)
		err = seam_sync_file(seam, fd);
	seam->close(seam, fd);
	if (err == ERR_OK)
		err = seam_rename_file(seam, temporary, path);
	if (err != ERR_OK)
		(void)!seam_unlink_file(seam, temporary);
}

static void load(struct scrub *scrub)
{
	const struct seam *seam = scrub->store->seam;
	struct store_scrub state = {.rounds = 0};
	struct verify_place place;
	char path[SEGMENT_PATH];
	uint8_t raw[SCRUB_FILE];
	struct seam_stat st;
	enum err err;
	int fd;

	path_of(scrub->store, "", path);
	if (seam_stat_path(seam, path, &st) != ERR_OK || st.size != SCRUB_FILE ||
	    seam_open_file(seam, path, O_RDWR, &fd) != ERR_OK)
		return;
	err = seam_read_full(seam, fd, raw, sizeof(raw), 0);
	seam->close(seam, fd);
	if (err != ERR_OK || !scrub_decode(raw, &state, &place))
		return;
	scrub->state = state;
	scrub->place = place;
	if (state.under_way)
		scrub->check = verify_new(scrub->store, &place, &state.now);
}

struct scrub *scrub_new(struct store *store)
{
	struct scrub *scrub = memory_new(1, sizeof(*scrub));

	scrub->store = store;
	scrub->counted = scrub->saved = clock_monotonic();
	scrub->place = (struct verify_place){SEGMENT_PIECES, 0, 0};
	pthread_mutex_init(&scrub->lock, NULL);
	load(scrub);
	return scrub;
}

void scrub_free(struct scrub *scrub)
{
	if (scrub == NULL)
		return;
	if (scrub->check != NULL)
		save(scrub);
	store_check_free(scrub->check);
	pthread_mutex_destroy(&scrub->lock);
	free(scrub);
}

/* Tell the others where the round is. */
static void publish(struct scrub *scrub)
{
	struct store_checked now;

	store_checked(scrub->check, &now);
	verify_place(scrub->check, &scrub->place);
	pthread_mutex_lock(&scrub->lock);
	scrub->state.now = now;
	pthread_mutex_unlock(&scrub->lock);
}

static void begin_round(struct scrub *scrub)
{
	scrub->check = store_check_begin(scrub->store);
	pthread_mutex_lock(&scrub->lock);
	scrub->state.under_way = true;
	scrub->state.started = clock_wall();
	scrub->state.now = (struct store_checked){.bytes = 0};
	pthread_mutex_unlock(&scrub->lock);
	publish(scrub);
	scrub->credit = 0;
}

static void end_round(struct scrub *scrub)
{
	publish(scrub);
	store_check_free(scrub->check);
	scrub->check = NULL;
	pthread_mutex_lock(&scrub->lock);
	scrub->state.rounds++;
	scrub->state.finished = clock_wall();
	scrub->state.under_way = false;
	scrub->place = (struct verify_place){SEGMENT_PIECES, 0, 0};
	pthread_mutex_unlock(&scrub->lock);
	save(scrub);
}

/* The next round begins when the time of the last is over, by a clock that may have been set. */
static bool is_due(const struct scrub *scrub)
{
	uint64_t now = clock_wall(), started = scrub->state.started;

	return now < started || now - started >= period_of(scrub->store);
}

uint64_t scrub_allowance(const struct scrub_pace *pace, uint64_t ms)
{
	uint128 most = (uint128)pace->total * ms * HASTE / ((uint128)pace->period * 1000), fitting = most;

	if (pace->gone < pace->period)
		fitting = (uint128)pace->rest * ms / ((uint128)(pace->period - pace->gone) * 1000);
	if (fitting > most)
		fitting = most;
	return fitting < UINT64_MAX ? (uint64_t)fitting + 1 : UINT64_MAX;
}

/* Add what the time since the last look allows. *ret_rest is what is left to read. */
static void add_credit(struct scrub *scrub, uint64_t *ret_rest)
{
	uint64_t now = clock_monotonic(), wall = clock_wall(), ms = (now - scrub->counted) / (SECOND / 1000);
	struct scrub_pace pace = {.period = period_of(scrub->store)};
	struct store_checked counts;

	scrub->counted = now;
	store_checked(scrub->check, &counts);
	pace.total = counts.total;
	pace.rest = counts.total - counts.bytes;
	pace.gone = wall > scrub->state.started ? wall - scrub->state.started : 0;
	scrub->credit += scrub_allowance(&pace, ms < CREDIT_MOST_MS ? ms : CREDIT_MOST_MS);
	if (scrub->credit > pace.rest + STRIDE)
		scrub->credit = pace.rest + STRIDE;
	*ret_rest = pace.rest;
}

/* One step, whatever the pace; false when the round is over, or the disk does not answer. */
static bool run(struct scrub *scrub, uint64_t *budget)
{
	bool more = true;
	enum err err = store_check_step(scrub->check, budget, &more);

	publish(scrub);
	if (err != ERR_OK)
		return false;
	if (!more)
		end_round(scrub);
	else if (clock_monotonic() - scrub->saved > SAVE_SECONDS * SECOND)
		save(scrub);
	return more;
}

enum upkeep_turn scrub_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	struct scrub *scrub = store->scrub;
	uint64_t allowed, before, rest, worth;
	bool more;

	if (scrub == NULL || store->options.scrub_seconds == STORE_SCRUB_NEVER)
		return UPKEEP_REST;
	if (scrub->check == NULL) {
		if (!is_due(scrub))
			return UPKEEP_REST;
		begin_round(scrub);
	}
	add_credit(scrub, &rest);
	worth = rest < STRIDE ? rest : STRIDE;
	if (scrub->credit < worth)
		return UPKEEP_REST;
	before = allowed = scrub->credit < *budget ? scrub->credit : *budget;
	more = run(scrub, &allowed);
	*budget -= before - allowed;
	scrub->credit -= before - allowed;
	return more && scrub->credit >= worth ? UPKEEP_MORE : UPKEEP_REST;
}

bool store_scrub_step(struct store *store, uint64_t bytes)
{
	bool more;

	upkeep_enter(store->upkeep);
	if (store->scrub->check == NULL)
		begin_round(store->scrub);
	more = run(store->scrub, &bytes);
	upkeep_leave(store->upkeep);
	return more;
}

void store_scrub(struct store *store, struct store_scrub *ret)
{
	struct scrub *scrub = store->scrub;

	pthread_mutex_lock(&scrub->lock);
	*ret = scrub->state;
	pthread_mutex_unlock(&scrub->lock);
	ret->period = store->options.scrub_seconds == STORE_SCRUB_NEVER ? 0 : period_of(store);
}
