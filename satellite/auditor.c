/* The auditor's turns. */
#include "satellite/auditor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/random.h"
#include "satellite/asking.h"
#include "satellite/containment.h"
#include "satellite/transcripts.h"
#include "satellite/verdicts.h"

#define BATCH 100 /* pieces in a challenge of the continuous round */
#define LEASE_SECONDS 900
#define CLAIM_TRIES 8	  /* nodes to try when others are being audited */
#define PAUSE_MS 1000	  /* when nothing is due */
#define EMPTY_SECONDS 600 /* until a node without pieces is looked at again */
#define REST 9		  /* a node rests so many times as long as it was at work for us */
#define SECOND UINT64_C(1000000000)

static void tell(const struct audit_batch *batch)
{
	char address[KEY_ADDRESS_TEXT];
	const uint32_t *n = batch->verdicts;
	uint32_t bad = n[AUDITED_MISSING] + n[AUDITED_CORRUPT];

	address_to_text(&batch->node, address);
	if (batch->contained)
		log_event(LOG_WARN, "audit_contained", "node=%s pieces=%u tries=%u end=%s", address, batch->count,
			  batch->tries + (batch->end == AUDIT_SILENT), err_name(batch->result));
	else
		log_event(bad > 0 ? LOG_WARN : LOG_INFO, "audited",
			  "node=%s proven=%u missing=%u corrupt=%u late=%u unreachable=%u unknown=%u end=%s", address,
			  n[AUDITED_PROVEN], n[AUDITED_MISSING], n[AUDITED_CORRUPT], n[AUDITED_LATE],
			  n[AUDITED_UNREACHABLE], n[AUDITED_UNKNOWN], err_name(batch->result));
}

enum err auditor_challenge(struct round *round, struct audit_batch *batch)
{
	struct state_change change;
	enum err err = asking_run(round, batch);

	if (err != ERR_OK)
		return err;
	if (batch->first_asked == 0)
		batch->first_asked = batch->at;
	err = verdicts_record(round->desk, batch, &change);
	if (err == ERR_OK) {
		tell(batch);
		reputations_log(&batch->node, &change);
	}
	return err;
}

enum err auditor_repeat(struct round *round, const struct address *node, struct audit_batch *ret_batch)
{
	struct audit_batch batch;
	enum err err = containment_read(round->desk->db, node, &batch);

	if (err != ERR_OK)
		return err;
	err = auditor_challenge(round, &batch);
	if (err == ERR_OK)
		*ret_batch = batch;
	else
		audits_batch_free(&batch);
	return err;
}

static const char *work_of(const struct address *node, char out[64])
{
	char hex[41];

	hex_encode(bytes_of(node->b, sizeof(node->b)), hex);
	snprintf(out, 64, "audit %s", hex);
	return out;
}

enum err auditor_claim(struct round *round, const struct address *node, bool *ret_taken)
{
	char work[64];

	return lease_take(round->desk->db, &round->holder, work_of(node, work), clock_wall(), LEASE_SECONDS, ret_taken);
}

enum err auditor_release(struct round *round, const struct address *node)
{
	char work[64];

	return lease_give_back(round->desk->db, &round->holder, work_of(node, work));
}

/* A lease on the node that has waited longest and that nobody else is at. Whoever had it may have done the work
 * meanwhile, so that it is looked up once more. */
static enum err claim_due(struct round *round, struct audit_round *ret)
{
	struct database *db = round->desk->db;
	bool taken = false;
	enum err err = ERR_OK;

	for (uint32_t skip = 0; skip < CLAIM_TRIES && err == ERR_OK && !taken; skip++) {
		struct audit_round seen;

		err = audits_due(db, clock_wall(), skip, ret);
		if (err == ERR_OK)
			err = auditor_claim(round, &ret->node, &taken);
		if (err != ERR_OK || !taken)
			continue;
		seen = *ret;
		err = audits_due(db, clock_wall(), skip, ret);
		if (err == ERR_OK && address_equal(&seen.node, &ret->node) && seen.due == ret->due)
			break;
		taken = false;
		if (err == ERR_OK || err == ERR_NOT_FOUND)
			err = auditor_release(round, &seen.node);
	}
	return err != ERR_OK ? err : taken ? ERR_OK : ERR_NOT_FOUND;
}

static bool by_chance(unsigned percent)
{
	return random_below(100) < percent;
}

static bool is_slow(const struct settings *settings, const struct audit_round *turn)
{
	return turn->piece_us > settings->audit_piece_ms * UINT64_C(1000) / 2;
}

/* When the batch after this one is due: all of a node's batches are spread over the period. */
static enum err find_pause(struct desk *desk, const struct audit_round *turn, const struct audit_batch *batch,
			   uint64_t *ret)
{
	const struct settings *settings = desk->settings;
	uint64_t pause, rest = REST * batch->took / SECOND + 1, pieces, bytes;
	enum err err = audits_holdings(desk->db, &turn->node, &pieces, &bytes);

	if (err != ERR_OK)
		return err;
	pause = pieces == 0 ? EMPTY_SECONDS : settings->audit_period / ((pieces + BATCH - 1) / BATCH);
	if (pause > settings->audit_period)
		pause = settings->audit_period;
	if (turn->vetting && pause > settings->audit_vetting)
		pause = settings->audit_vetting;
	/* The sample was an extra; it is still the node's turn. */
	if (batch->form == CHALLENGE_WHOLE)
		pause = 0;
	*ret = pause > rest ? pause : rest;
	return ERR_OK;
}

/* The next pieces; behind the last the round begins anew. */
static enum err choose_pieces(struct desk *desk, const struct audit_round *turn, struct audit_batch *batch)
{
	const struct settings *settings = desk->settings;
	uint8_t samples = (uint8_t)settings->audit_samples;
	enum err err = audits_next_pieces(desk->db, batch, &turn->after, samples);

	if (err == ERR_OK && batch->count == 0 && !bytes32_is_zero(&turn->after))
		err = audits_next_pieces(desk->db, batch, NULL, samples);
	if (is_slow(settings, turn) || by_chance(settings->audit_chained))
		batch->form = CHALLENGE_CHAINED;
	return err;
}

static enum err choose(struct desk *desk, const struct audit_round *turn, struct audit_batch *ret)
{
	if (!by_chance(desk->settings->audit_extra)) {
		audits_batch_init(ret, &turn->node, BATCH);
		return choose_pieces(desk, turn, ret);
	}
	audits_batch_init(ret, &turn->node, AUDITOR_SAMPLE);
	return audits_draw_pieces(desk->db, ret, AUDITOR_SAMPLE);
}

static void note_speed(struct audit_round *turn, const struct audit_batch *batch)
{
	uint64_t us;

	if (batch->end != AUDIT_ANSWERED || batch->count == 0)
		return;
	us = batch->took / 1000 / batch->count + 1;
	turn->piece_us = turn->piece_us == 0 ? us : turn->piece_us - turn->piece_us / 8 + us / 8;
}

static enum err do_turn(struct round *round, struct audit_round *turn, struct audit_batch *batch)
{
	uint64_t pause;
	enum err err = choose(round->desk, turn, batch);

	if (err == ERR_OK && batch->count > 0)
		err = auditor_challenge(round, batch);
	if (err == ERR_OK)
		err = find_pause(round->desk, turn, batch, &pause);
	if (err != ERR_OK)
		return err;
	note_speed(turn, batch);
	if (batch->form != CHALLENGE_WHOLE) {
		memset(&turn->after, 0, sizeof(turn->after));
		if (batch->count == batch->room)
			turn->after = batch->pieces[batch->count - 1].piece;
	}
	turn->due = clock_wall() + pause;
	return audits_set_round(round->desk->db, turn);
}

/* A contained node whose pause is over; the claim's order is that of claim_due. */
static enum err do_contained(struct round *round, struct audit_batch *ret_batch)
{
	struct address node;
	bool taken = false;
	enum err err = ERR_OK, given;

	for (uint32_t skip = 0; skip < CLAIM_TRIES && err == ERR_OK && !taken; skip++) {
		err = containment_due(round->desk->db, clock_wall(), skip, &node);
		if (err == ERR_OK)
			err = auditor_claim(round, &node, &taken);
	}
	if (err != ERR_OK || !taken)
		return err == ERR_OK ? ERR_NOT_FOUND : err;
	/* Somebody else may have asked it meanwhile. */
	err = containment_is_due(round->desk->db, &node, clock_wall());
	if (err == ERR_OK)
		err = auditor_repeat(round, &node, ret_batch);
	given = auditor_release(round, &node);
	if (err == ERR_OK && given != ERR_OK) {
		audits_batch_free(ret_batch);
		err = given;
	}
	return err;
}

enum err auditor_do_due(struct round *round, struct audit_batch *ret_batch)
{
	struct audit_batch batch = {.pieces = NULL};
	struct audit_round turn;
	enum err err = do_contained(round, ret_batch), given;

	if (err != ERR_NOT_FOUND)
		return err;
	err = claim_due(round, &turn);
	if (err != ERR_OK)
		return err;
	err = do_turn(round, &turn, &batch);
	given = auditor_release(round, &turn.node);
	if (err == ERR_OK)
		err = given;
	if (err == ERR_OK)
		*ret_batch = batch;
	else
		audits_batch_free(&batch);
	return err;
}

unsigned auditor_walk(struct round *round)
{
	struct audit_batch batch;
	enum err err = auditor_do_due(round, &batch);
	char quoted[300];

	if (err == ERR_OK) {
		audits_batch_free(&batch);
		return 0;
	}
	if (err == ERR_NOT_FOUND)
		err = transcripts_prune(round->desk->db, round->desk->settings, clock_wall());
	if (err == ERR_OK)
		return 0;
	if (err != ERR_NOT_FOUND && err != ERR_CANCELLED)
		log_event(LOG_ERROR, "audit_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
