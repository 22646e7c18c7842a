/*
 * One repair: claim, look, plan, write down what is about to be sent, move, commit. Whatever fails before the commit
 * leaves the segment as it was, and what was sent is deleted.
 */
#include "satellite/repairer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/memory.h"
#include "payments/rules.h"
#include "satellite/auditor.h"
#include "satellite/exits.h"
#include "satellite/rebuilds.h"
#include "satellite/repair_costs.h"
#include "satellite/repair_permits.h"
#include "satellite/repairs.h"
#include "uplink/rebuild.h"

#define PAUSE_MS 1000
#define LOOK_MS 100
#define IDLE_SECONDS 60	 /* until a segment that there is nothing to do about is looked at again */
#define AWAY_SECONDS 600 /* until a leaving node that is away is looked for again */

struct repair {
	struct round *round;
	struct uplink *uplink;
	struct bytes32 segment;
	struct repair_pace pace;
	struct segment_health health;
	struct repair_plan plan;
	struct permit sources[REDUNDANCY_TOTAL];
	struct permit targets[REDUNDANCY_TOTAL];
	/* under way */
	struct rebuild *rebuild;
	bool done;
	enum err err;
	char why[REPAIRS_WHY];
	struct rebuild_piece pieces[REDUNDANCY_TOTAL];
	bool source_failed[REDUNDANCY_TOTAL]; /* by number */
	const struct permit *suspect;	      /* a source that had no piece, or a wrong one */
	struct repair_sums sums;
};

/* As the satellite's own client. */
static struct uplink *open_uplink(const struct desk *desk)
{
	struct uplink *uplink = uplink_new(desk->key, NULL, NULL);

	uplink->satellite = *key_address(desk->key);
	uplink->domain = desk->settings->domain;
	uplink->hello.chain_id = desk->settings->domain.chain_id;
	uplink->hello.contract = desk->settings->domain.contract;
	return uplink;
}

static void on_source_failed(void *arg, const struct permit *source, enum err err, const char *why)
{
	struct repair *repair = arg;
	char node[KEY_ADDRESS_TEXT], quoted[300];

	repair->source_failed[source->number] = true;
	if (err == ERR_CORRUPT || err == ERR_NOT_FOUND)
		repair->suspect = source;
	address_to_text(&source->allocation.node, node);
	log_event(err == ERR_CORRUPT ? LOG_WARN : LOG_INFO, "repair_source_failed", "node=%s piece=%u why=%s", node,
		  source->number, log_quote(why, quoted, sizeof(quoted)));
}

static void on_target_failed(void *arg, const struct permit *target, enum err err, const char *why)
{
	char node[KEY_ADDRESS_TEXT], quoted[300];

	(void)arg;
	(void)err;
	address_to_text(&target->allocation.node, node);
	log_event(LOG_INFO, "repair_target_failed", "node=%s piece=%u why=%s", node, target->number,
		  log_quote(why, quoted, sizeof(quoted)));
}

static void on_done(void *arg, enum err err, const char *why, const struct rebuild_piece *pieces)
{
	struct repair *repair = arg;

	repair->done = true;
	repair->err = err;
	snprintf(repair->why, sizeof(repair->why), "%s", why);
	memcpy(repair->pieces, pieces, repair->plan.count * sizeof(*pieces));
	loop_stop(repair->uplink->loop);
}

/* The thread is to end: the repair is dropped. */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct repair *repair = arg;

	(void)fd;
	(void)what;
	if (repair->done || !patrol_is_stopping(repair->round))
		return;
	rebuild_cancel(repair->rebuild);
	repair->done = true;
	repair->err = ERR_CANCELLED;
	loop_stop(repair->uplink->loop);
}

static void fail(struct repair *repair, enum err err, const char *why)
{
	repair->err = err;
	snprintf(repair->why, sizeof(repair->why), "%s", why);
}

/* Move the data. What came of it is in repair->err and repair->pieces. */
static void move(struct repair *repair)
{
	static const struct rebuild_events events = {on_source_failed, on_target_failed, on_done};
	const struct timeval period = {.tv_usec = LOOK_MS * 1000};
	const struct redundancy *redundancy = &repair->health.redundancy;
	const struct rebuild_plan plan = {
		.policy = {redundancy->required, redundancy->repair, redundancy->success, redundancy->total},
		.plain_size = repair->health.plain_size,
		.sources = repair->sources,
		.source_count = repair->plan.source_count,
		.begin_with = repair->plan.begin_with,
		.targets = repair->targets,
		.target_count = repair->plan.count,
	};
	uint64_t before = trace_total(repair->uplink->trace, TRACE_BYTES_RECEIVED);
	struct event *look;

	if (rebuild_start(repair->uplink, &plan, &events, repair, &repair->rebuild) != ERR_OK) {
		fail(repair, ERR_RANGE, "the segment's size and policy do not fit together");
		return;
	}
	look = event_new(loop_base(repair->uplink->loop), -1, EV_PERSIST, on_look, repair);
	event_add(look, &period);
	while (!repair->done)
		loop_run(repair->uplink->loop);
	event_free(look);
	repair->sums.bytes_read = trace_total(repair->uplink->trace, TRACE_BYTES_RECEIVED) - before;
}

static struct rebuild_place place_of(const struct permit *target)
{
	return (struct rebuild_place){target->allocation.node, target->allocation.piece};
}

/* Write down what is about to be sent, and count it. */
static enum err begin(struct database *db, void *arg)
{
	struct repair *repair = arg;
	uint64_t pieces = repair->plan.begin_with + repair->plan.count;
	enum err err = repairs_charge(db, &repair->pace, pieces * repair->health.piece_size);

	for (uint32_t i = 0; i < repair->plan.count && err == ERR_OK; i++) {
		struct rebuild_place place = place_of(&repair->targets[i]);

		err = rebuilds_begin(db, &repair->segment, &place, repair->health.piece_size,
				     repair->targets[i].allocation.expires);
	}
	return err;
}

/* It will be paid from that time on, so it must be within the repair. */
static bool is_stored(const struct repair *repair, uint32_t i)
{
	const struct rebuild_piece *piece = &repair->pieces[i];
	uint64_t stored = piece->receipt.storedAt;

	return piece->err == ERR_OK && repair->err == ERR_OK &&
	       stored + RULES_SKEW >= repair->targets[i].allocation.issued && stored <= clock_wall() + RULES_SKEW;
}

/* Bytes that had to be read for each piece. */
static uint64_t cost_of(const struct repair *repair)
{
	return repair->plan.begin_with * repair->health.piece_size / repair->plan.count;
}

static enum err take_piece(struct database *db, struct repair *repair, uint32_t i, uint64_t now)
{
	const struct permit *target = &repair->targets[i];
	const struct judged_piece *replaced = repair_plan_piece(&repair->health, target->number);
	const struct stored_piece piece = {
		.number = target->number,
		.node = target->allocation.node,
		.piece = target->allocation.piece,
		.root = repair->pieces[i].receipt.root,
		.size = repair->health.piece_size,
		.stored = repair->pieces[i].receipt.storedAt,
		.allocation = repair->pieces[i].receipt.allocation,
		.signature = repair->pieces[i].signature,
	};
	bool taken = false, moved;
	enum err err = rebuilds_commit(db, &repair->segment, replaced, &piece, now, &taken);

	if (err != ERR_OK || !taken)
		return err;
	moved = replaced != NULL && replaced->state == PIECE_EXITING && !repair->source_failed[target->number];
	repair->sums.moved += moved;
	repair->sums.rebuilt += !moved;
	repair->sums.bytes_stored += repair->health.piece_size;
	if (replaced == NULL)
		return ERR_OK;
	err = exits_count(db, &replaced->node, moved);
	if (err == ERR_OK && replaced->confessed)
		err = repair_costs_take(db, repair->round->desk->settings, &replaced->node, cost_of(repair), now);
	return err;
}

/* Judge the segment anew: it leaves the queue, or stays in it for another time. */
static enum err judge_again(struct database *db, struct repair *repair, uint64_t now)
{
	enum err err = segment_health_read(repair->round->desk, &repair->segment, now, &repair->health);

	if (err == ERR_NOT_FOUND)
		return repairs_forget(db, &repair->segment);
	if (err == ERR_OK)
		err = repairs_judge(db, &repair->health, now);
	if (err != ERR_OK)
		return err;
	if (repair->err == ERR_CANCELLED || repair->sums.moved + repair->sums.rebuilt > 0)
		return repairs_postpone(db, &repair->segment, now, "");
	return repairs_fail(db, &repair->segment, now, repair->why);
}

static enum err conclude(struct database *db, void *arg)
{
	struct repair *repair = arg;
	uint64_t now = clock_wall(), read = repair->sums.bytes_read;
	enum err err = ERR_OK;

	repair->sums = (struct repair_sums){.bytes_read = read};
	for (uint32_t i = 0; i < repair->plan.count && err == ERR_OK; i++) {
		struct rebuild_place place = place_of(&repair->targets[i]);

		err = is_stored(repair, i) ? take_piece(db, repair, i, now) : rebuilds_drop(db, &place, now);
	}
	repair->sums.segments = repair->sums.moved + repair->sums.rebuilt > 0;
	repair->sums.failed = repair->sums.segments == 0 && repair->err != ERR_CANCELLED;
	if (err == ERR_OK)
		err = repairs_count(db, now, &repair->sums);
	return err == ERR_OK ? judge_again(db, repair, now) : err;
}

static void tell(const struct repair *repair)
{
	char segment[65], quoted[400];

	hex_encode(bytes_of(repair->segment.b, sizeof(repair->segment.b)), segment);
	if (repair->sums.segments > 0)
		log_event(LOG_INFO, "repaired",
			  "segment=%s rebuilt=%" PRIu64 " moved=%" PRIu64 " healthy=%u read=%" PRIu64, segment,
			  repair->sums.rebuilt, repair->sums.moved, repair->health.health.healthy,
			  repair->sums.bytes_read);
	else if (repair->sums.failed > 0)
		log_event(LOG_WARN, "repair_failed", "segment=%s why=%s", segment,
			  log_quote(repair->why, quoted, sizeof(quoted)));
}

/* What is to be done, and with whom. ERR_NOT_FOUND when there is nothing to do now. */
static enum err plan(struct repair *repair)
{
	struct desk *desk = repair->round->desk;
	struct random_stream random;
	uint8_t seed[32];
	uint32_t count = 0;
	enum err err;

	random_bytes(seed, sizeof(seed));
	random_stream_init(&random, bytes_of(seed, sizeof(seed)));
	repair_plan_make(&repair->health, &random, &repair->plan);
	if (repair->plan.count == 0)
		return ERR_NOT_FOUND;
	repair_permits_read(desk, &repair->health, &repair->plan, repair->sources);
	err = repair_permits_store(desk, &repair->health, &repair->plan, repair->targets, &count);
	if (err == ERR_OK && count == 0)
		fail(repair, ERR_FULL, "no node fits: it needs room, and no other piece of the segment on its network");
	repair_plan_cut(&repair->plan, count);
	return err;
}

/* The row of a segment that there is nothing to do about. */
static enum err leave(struct database *db, void *arg)
{
	struct repair *repair = arg;
	uint64_t now = clock_wall();
	enum err err = segment_health_read(repair->round->desk, &repair->segment, now, &repair->health);

	if (err == ERR_NOT_FOUND)
		return repairs_forget(db, &repair->segment);
	if (err == ERR_OK)
		err = repairs_judge(db, &repair->health, now);
	if (err == ERR_OK && repair->plan.waits)
		return repairs_postpone(db, &repair->segment, now + AWAY_SECONDS, "a leaving node is away");
	return err == ERR_OK ? repairs_postpone(db, &repair->segment, now + IDLE_SECONDS, "") : err;
}

static enum err look(struct database *db, void *arg)
{
	struct repair *repair = arg;

	(void)db;
	return segment_health_read(repair->round->desk, &repair->segment, repair->pace.now, &repair->health);
}

static enum err run(struct repair *repair)
{
	struct database *db = repair->round->desk->db;
	enum err err = database_view(db, look, repair);

	if (err == ERR_OK)
		err = plan(repair);
	if (err == ERR_NOT_FOUND)
		return database_transaction(db, leave, repair);
	if (err == ERR_OK && repair->plan.count > 0) {
		err = database_transaction(db, begin, repair);
		if (err == ERR_OK)
			move(repair);
	}
	if (err == ERR_OK)
		err = database_transaction(db, conclude, repair);
	if (err == ERR_OK)
		tell(repair);
	return err;
}

/* A node that owes an answer gives that first, and then only that. */
static enum err challenge(const struct repair *repair, const struct permit *suspect)
{
	struct round *round = repair->round;
	struct audit_batch batch;
	enum err err = auditor_repeat(round, &suspect->allocation.node, &batch);

	if (err == ERR_OK)
		audits_batch_free(&batch);
	if (err != ERR_NOT_FOUND)
		return err;
	audits_batch_init(&batch, &suspect->allocation.node, 1);
	batch.pieces[batch.count++] = (struct audited_piece){
		.piece = suspect->allocation.piece,
		.root = suspect->root,
		.size = repair->health.piece_size,
		.samples = PROOF_SAMPLES,
	};
	err = auditor_challenge(round, &batch);
	audits_batch_free(&batch);
	return err;
}

/* What a node could not send us it is asked to prove, under its signature: that is what counts. */
static enum err audit_suspect(const struct repair *repair)
{
	const struct address *node = &repair->suspect->allocation.node;
	bool ours = false;
	enum err err = auditor_claim(repair->round, node, &ours), given;

	if (err != ERR_OK || !ours)
		return err;
	err = challenge(repair, repair->suspect);
	given = auditor_release(repair->round, node);
	return err == ERR_OK ? given : err;
}

static void read_pace(const struct round *round, struct repair_pace *ret)
{
	*ret = (struct repair_pace){
		.holder = round->holder,
		.now = clock_wall(),
		.bandwidth = round->desk->settings->repair_bandwidth,
	};
	ret->now_ms = ret->now * 1000;
}

/* The next of the queue; ERR_NOT_FOUND when there is nothing to do. */
static enum err repair_next(struct round *round, struct uplink **uplink)
{
	struct repair *repair = memory_new(1, sizeof(*repair));
	enum err err;

	repair->round = round;
	read_pace(round, &repair->pace);
	err = repairs_claim(round->desk->db, &repair->pace, &repair->segment);
	if (err == ERR_OK) {
		if (*uplink == NULL)
			*uplink = open_uplink(round->desk);
		repair->uplink = *uplink;
		err = run(repair);
		if (err == ERR_OK && repair->suspect != NULL)
			err = audit_suspect(repair);
	}
	free(repair);
	return err;
}

unsigned repairer_walk(struct round *round)
{
	struct uplink *uplink = NULL;
	char quoted[300];
	enum err err = ERR_OK;

	while (err == ERR_OK && !patrol_is_stopping(round))
		err = repair_next(round, &uplink);
	uplink_free(uplink);
	if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_CANCELLED)
		log_event(LOG_ERROR, "repairer_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
