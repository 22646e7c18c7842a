/* Dispatch of requests. */
#include "satellite/verbs.h"

#include "common/log.h"
#include "satellite/allocate.h"
#include "satellite/buckets.h"
#include "satellite/clients.h"
#include "satellite/commit.h"
#include "satellite/customers.h"
#include "satellite/exits.h"
#include "satellite/listing.h"
#include "satellite/losses.h"
#include "satellite/objects.h"
#include "satellite/papers.h"
#include "satellite/proofs.h"
#include "satellite/registry.h"
#include "satellite/reports.h"
#include "satellite/scores.h"
#include "satellite/usages.h"

static const struct verb table[] = {
	{MSG_LOSS, VERB_NODE, losses_report},
	{MSG_EXIT, VERB_NODE, exits_answer},
	{MSG_ENROL, VERB_ANYONE, clients_enrol},
	{MSG_MAKE_BUCKET, VERB_CLIENT, buckets_make},
	{MSG_REMOVE_BUCKET, VERB_CLIENT, buckets_remove},
	{MSG_LIST_BUCKETS, VERB_CLIENT, buckets_list},
	{MSG_BEGIN_OBJECT, VERB_CLIENT, objects_begin},
	{MSG_BEGIN_SEGMENT, VERB_CLIENT, allocate_begin_segment},
	{MSG_COMMIT_SEGMENT, VERB_CLIENT, commit_segment},
	{MSG_INLINE_SEGMENT, VERB_CLIENT, commit_inline_segment},
	{MSG_COMMIT_OBJECT, VERB_CLIENT, objects_commit},
	{MSG_ABORT_OBJECT, VERB_CLIENT, objects_abort},
	{MSG_GET_OBJECT, VERB_CLIENT, objects_get},
	{MSG_LIST_OBJECTS, VERB_CLIENT, listing_list},
	{MSG_GET_SEGMENT, VERB_CLIENT, allocate_get_segment},
	{MSG_REMOVE_OBJECT, VERB_CLIENT, objects_remove},
	{MSG_ASK_ACCOUNT, VERB_CLIENT, customers_answer},
	{MSG_REPORT, VERB_CLIENT, reports_take},
	{MSG_ASK_PRICES, VERB_NODE, papers_tell_prices},
	{MSG_ASK_USAGE, VERB_NODE, usages_answer},
	{MSG_ASK_STATEMENTS, VERB_NODE, papers_tell_statements},
	{MSG_OFFER_PRICE, VERB_NODE, papers_take_offer},
	{MSG_ASK_PAYOUT, VERB_NODE, proofs_tell},
	{MSG_ASK_STANDING, VERB_NODE, scores_tell},
};

const struct verb *verbs_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type)
			return &table[i];
	return NULL;
}

static enum err check_who(enum verb_who who, struct work *work)
{
	bool known = false;
	enum err err = ERR_OK;

	switch (who) {
	case VERB_ANYONE:
		return ERR_OK;
	case VERB_CLIENT:
		err = clients_known(work->desk->db, &work->caller->address, &known);
		if (err == ERR_OK && !known)
			err = work_refuse(work, REFUSAL_CLIENT_UNKNOWN, "this key is not enrolled here");
		break;
	case VERB_NODE:
		err = registry_known(work->desk->db, &work->caller->address, &known);
		if (err == ERR_OK && !known)
			err = work_refuse(work, REFUSAL_DENIED, "this key never checked in as a node");
		break;
	}
	return err;
}

void verbs_run(const struct verb *verb, struct work *work)
{
	enum err err = check_who(verb->who, work);

	if (err == ERR_OK)
		err = verb->run(work);
	verbs_conclude(work, err);
}

void verbs_conclude(struct work *work, enum err err)
{
	const struct message_spec *spec = message_find(work->message->type);
	char quoted[300];

	if (err == ERR_OK)
		return;
	if (err == ERR_CANCELLED && work->refusal != REFUSAL_NONE) {
		reply_set_error(work->reply, work->refusal, work->why);
		return;
	}
	log_event(LOG_ERROR, "request_failed", "type=%s error=%s database=%s", spec->fields.name, err_name(err),
		  log_quote(database_message(work->desk->db), quoted, sizeof(quoted)));
	reply_set_error(work->reply, refusal_from_err(err), NULL);
}
