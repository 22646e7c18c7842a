/* One view, one message. */
#include "satellite/scores.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/notices.h"

#define NEXT_AUDITS 1000 /* of so many, how many may fail */
#define NOTICE_ROOM 400	 /* bytes of any notice */

uint64_t scores_grace(const struct reputation_rules *rules, const struct reputed *reputed)
{
	if (reputed->state == STATE_SUSPENDED)
		return reputed->model.suspended + rules->unknown_grace;
	if (reputed->state == STATE_OFFLINE)
		return reputed->model.review + rules->offline_grace + rules->tracking;
	return 0;
}

static void fill(const struct reputation_rules *rules, const struct reputed *reputed, uint64_t now,
		 struct msg_standing *ret)
{
	const struct reputation *model = &reputed->model;

	*ret = (struct msg_standing){
		.state = (uint8_t)reputed->state,
		.since = reputed->since,
		.audit = reputation_audit_score(model),
		.unknown = reputation_unknown_score(model),
		.online = reputation_online_score(rules, model, now),
		.proven = model->proven,
		.failed = model->failed,
		.audits_left = reputation_audits_left(rules, model, NEXT_AUDITS),
		.offline_left = reputation_offline_left(rules, model, now),
		.grace_until = scores_grace(rules, reputed),
	};
	if (text_is_printable(bytes_of_text(reputed->reason)))
		ret->reason = bytes_of_text(reputed->reason);
	if (model->vetted != 0)
		return;
	ret->vetting_left = model->proven < rules->vetting_audits ? rules->vetting_audits - model->proven : 0;
	ret->vetting_until = model->since + rules->vetting_age;
}

struct telling {
	struct work *work;
	struct writer list;
	uint32_t count;
};

/* Words come from here or from an operator; what could not be sent is left out. */
static enum err add_notice(const struct notice *notice, void *arg)
{
	struct telling *telling = arg;
	struct bytes words = bytes_of_text(notice->words);
	struct item_notice item = {notice->number,  notice->at,	   (uint8_t)notice->kind, notice->state,
				   notice->verdict, notice->piece, notice->challenge,	  bytes_of("", 0)};

	if (words.len <= MESSAGE_NOTICE_WORDS && text_is_printable(words))
		item.words = words;
	fields_encode(&item_notice_fields, &item, &telling->list);
	telling->count++;
	return telling->list.err;
}

static enum err tell(struct database *db, void *arg)
{
	struct telling *telling = arg;
	struct work *work = telling->work;
	const struct reputation_rules *rules = &work->desk->settings->reputation;
	struct message answer = {.type = MSG_STANDING};
	struct reputed reputed;
	enum err err = reputations_read(db, rules, &work->caller->address, &reputed);

	if (err != ERR_OK)
		return err;
	fill(rules, &reputed, clock_wall(), &answer.standing);
	telling->count = 0;
	telling->list.len = 0;
	err = notices_each(db, &work->caller->address, work->message->ask_standing.after, MESSAGE_NOTICES, add_notice,
			   telling);
	if (err != ERR_OK)
		return err;
	answer.standing.notices = list_of(&telling->list, telling->count);
	answer.standing.last = telling->count < MESSAGE_NOTICES;
	work->reply->len = 0;
	reply_add(work->reply, &answer);
	return ERR_OK;
}

enum err scores_tell(struct work *work)
{
	struct telling telling = {.work = work};
	size_t room = (size_t)MESSAGE_NOTICES * NOTICE_ROOM;
	uint8_t *buffer;
	enum err err;

	if (work->message->ask_standing.after > INT64_MAX)
		return work_refuse(work, REFUSAL_MALFORMED, "after: more than 2^63 - 1");
	buffer = memory_new(room, 1);
	writer_init(&telling.list, buffer, room);
	err = database_view(work->desk->db, tell, &telling);
	free(buffer);
	return err;
}
