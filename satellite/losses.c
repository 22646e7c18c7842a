/* Rules and SQL of LOSS. */
#include "satellite/losses.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "payments/rules.h"
#include "satellite/audits.h"
#include "satellite/reputations.h"
#include "satellite/storage.h"

struct report {
	struct work *work;
	struct loss loss;
	struct bytes32 hash;
	uint64_t at; /* when its pieces stop earning */
	uint64_t now;
	uint64_t news; /* pieces that were not known to be lost */
	struct state_change change;
};

static enum err check(struct report *report)
{
	struct work *work = report->work;
	const struct msg_loss *m = &work->message->loss;
	struct loss *loss = &report->loss;
	struct signature signature;
	enum refusal refusal;

	if (typed_decode(&typed_loss, m->loss, loss, &signature) != ERR_OK)
		return work_refuse(work, REFUSAL_MALFORMED, "loss: not a signed Loss");
	if (m->pieces.count == 0)
		return work_refuse(work, REFUSAL_MALFORMED, "pieces: none");
	if (!address_equal(&loss->satellite, key_address(work->desk->key)))
		return work_refuse(work, REFUSAL_SATELLITE, "loss: for another satellite");
	if (!address_equal(&loss->node, &work->caller->address))
		return work_refuse(work, REFUSAL_NODE, "loss: of another node than the channel's peer");
	if (loss->at == 0 || (loss->at > report->now && loss->at - report->now > RULES_SKEW))
		return work_refuse(work, REFUSAL_EARLY, "loss: at is %" PRIu64 ", which is not yet", loss->at);
	if (rules_check_pieces(&m->pieces, &loss->pieces) != REFUSAL_NONE)
		return work_refuse(work, REFUSAL_COMMITMENT, "pieces: not those that the loss commits to");
	refusal = typed_verify(&typed_loss, loss, &work->desk->settings->domain, &signature, &work->caller->address);
	if (refusal != REFUSAL_NONE)
		return work_refuse(work, refusal, "loss: the signature is not this node's");
	typed_hash(&typed_loss, loss, &report->hash);
	/* A clock that is ahead earns nothing. */
	report->at = loss->at < report->now ? loss->at : report->now;
	return ERR_OK;
}

static enum err mark(struct database *db, struct report *report, const struct bytes32 *piece)
{
	struct query *q;
	enum err err = storage_end_piece(db, &report->loss.node, piece, report->at);

	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE pieces SET lost = $at WHERE node = $node AND piece = $piece AND lost = 0");
	query_int(q, "at", report->at);
	query_address(q, "node", &report->loss.node);
	query_bytes32(q, "piece", piece);
	err = query_run(q);
	if (err == ERR_OK)
		report->news += database_changes(db);
	return err;
}

/* Kept when it tells anything new. */
static enum err keep(struct database *db, const struct report *report)
{
	const struct msg_loss *m = &report->work->message->loss;
	struct query *q = database_query(db, "INSERT INTO losses (loss, node, at, received, signed, pieces) VALUES "
					     "($loss, $node, $at, $received, $signed, $pieces) "
					     "ON CONFLICT (loss) DO NOTHING");

	query_bytes32(q, "loss", &report->hash);
	query_address(q, "node", &report->loss.node);
	query_int(q, "at", report->at);
	query_int(q, "received", report->now);
	query_bytes(q, "signed", m->loss);
	query_bytes(q, "pieces", m->pieces.raw);
	return query_run(q);
}

/* Honest words cost a node less than silence would, as long as they are few. */
static enum err weigh(struct database *db, struct report *report)
{
	const struct sighting sighting = {&report->work->desk->settings->reputation, &report->loss.node, report->now,
					  NULL};
	uint64_t pieces, bytes;
	enum err err = audits_holdings(db, &report->loss.node, &pieces, &bytes);

	return err == ERR_OK ? reputations_note_losses(db, &sighting, report->news, pieces + report->news,
						       &report->change)
			     : err;
}

static enum err record(struct database *db, void *arg)
{
	struct report *report = arg;
	const struct list *pieces = &report->work->message->loss.pieces;
	struct reader r;
	enum err err = ERR_OK;

	report->news = 0;
	reader_init(&r, pieces->raw);
	for (uint32_t i = 0; i < pieces->count && err == ERR_OK; i++) {
		struct item_piece item;

		list_next(&item_piece_fields, &r, &item);
		err = mark(db, report, &item.piece);
	}
	if (err != ERR_OK || report->news == 0)
		return err;
	err = keep(db, report);
	return err == ERR_OK ? weigh(db, report) : err;
}

enum err losses_report(struct work *work)
{
	struct report report = {.work = work, .now = clock_wall()};
	char node[KEY_ADDRESS_TEXT];
	enum err err = check(&report);

	if (err == ERR_OK)
		err = database_transaction(work->desk->db, record, &report);
	if (err != ERR_OK)
		return err;
	if (report.news > 0) {
		address_to_text(&report.loss.node, node);
		log_event(LOG_WARN, "pieces_lost", "node=%s pieces=%" PRIu64, node, report.news);
		reputations_log(&report.loss.node, &report.change);
	}
	reply_done(work->reply);
	return ERR_OK;
}
