/* Gathering the parts of settlements. */
#include "satellite/settling.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "satellite/job.h"
#include "satellite/registry.h"
#include "satellite/settle.h"

#define SETTLINGS_AT_ONCE 4

struct settling {
	struct session *session;
	struct settling *next;
	uint32_t request;
	struct message settle; /* SETTLE; its view points into wire */
	uint8_t wire[MESSAGE_SIGNED_MAX];
	uint64_t hour;
	struct settle_order *orders;
	size_t room;
	uint32_t count;	   /* orders so far, those still being checked included */
	unsigned checking; /* parts in workers */
	bool complete;	   /* the last part has come */
	bool dropped;	   /* refused or abandoned: freed once no part is in a worker */
	struct job job;	   /* that counts, once complete */
};

/* A part in a worker: its orders go to `checked`, and from there to their place in the settlement. */
struct part {
	struct job job;
	struct settling *settling;
	uint32_t first;
	uint32_t count;
	enum refusal refusal; /* of the whole settlement */
	struct settle_order checked[];
};

static struct settling *find(struct session *session, uint32_t request)
{
	struct settling *settling = *session_settlings(session);

	while (settling != NULL && settling->request != request)
		settling = settling->next;
	return settling;
}

static void unlink_settling(struct settling *settling)
{
	struct settling **at = session_settlings(settling->session);

	while (*at != settling)
		at = &(*at)->next;
	*at = settling->next;
}

static void free_settling(struct settling *settling)
{
	free(settling->orders);
	free(settling);
}

static void drop(struct settling *settling)
{
	unlink_settling(settling);
	settling->dropped = true;
	if (settling->checking == 0)
		free_settling(settling);
}

void settling_drop_all(struct session *session)
{
	struct settling *settling = *session_settlings(session), *next;

	for (; settling != NULL; settling = next) {
		next = settling->next;
		if (!settling->complete)
			drop(settling);
	}
}

void settling_begin(struct session *session, const struct message *message)
{
	struct settling *settling;
	struct settlement settlement;
	struct signature signature; /* checked when the orders are counted */
	unsigned open = 0;

	for (settling = *session_settlings(session); settling != NULL; settling = settling->next)
		open++;
	if (open >= SETTLINGS_AT_ONCE) {
		session_answer_refusal(session, message->request, REFUSAL_BUSY, "too many settlements at once");
		return;
	}
	if (find(session, message->request) != NULL) {
		session_answer_refusal(session, message->request, REFUSAL_PROTOCOL,
				       "a settlement has this request number");
		return;
	}
	if (typed_decode(&typed_settlement, message->settle.settlement, &settlement, &signature) != ERR_OK) {
		session_answer_refusal(session, message->request, REFUSAL_MALFORMED,
				       "settlement: not a signed Settlement");
		return;
	}
	settling = memory_new(1, sizeof(*settling));
	settling->hour = settlement.hour;
	settling->session = session;
	settling->request = message->request;
	settling->settle = *message;
	memcpy(settling->wire, message->settle.settlement.data, message->settle.settlement.len);
	settling->settle.settle.settlement = bytes_of(settling->wire, message->settle.settlement.len);
	settling->next = *session_settlings(session);
	*session_settlings(session) = settling;
}

static void run_count(struct desk *desk, void *arg)
{
	struct settling *settling = arg;
	struct work work = job_work(&settling->job, desk);

	verbs_conclude(&work, settle_finish(&work, work.message->settle.settlement, settling->orders, settling->count));
}

static void end_count(void *arg)
{
	struct settling *settling = arg;

	unlink_settling(settling);
	job_end(&settling->job);
	free_settling(settling);
}

/* Strangers get no signature checked, and nothing of theirs is kept. */
static enum refusal check_caller(struct desk *desk, const struct part *part)
{
	bool known = false;

	if (registry_known(desk->db, &part->job.caller.address, &known) != ERR_OK)
		return REFUSAL_INTERNAL;
	return known ? REFUSAL_NONE : REFUSAL_DENIED;
}

static void check_part(struct desk *desk, void *arg)
{
	struct part *part = arg;
	const struct list *list = &part->job.message.settle_orders.orders;
	struct reader r;

	part->refusal = check_caller(desk, part);
	reader_init(&r, list->raw);
	for (uint32_t i = 0; i < part->count && part->refusal == REFUSAL_NONE; i++) {
		struct item_order item;

		list_next(&item_order_fields, &r, &item);
		if (!settle_check(desk, &part->job.caller.address, part->settling->hour, &item, &part->checked[i]))
			part->refusal = REFUSAL_MALFORMED;
	}
}

static const char *why_of(enum refusal refusal)
{
	if (refusal == REFUSAL_DENIED)
		return "this key never checked in as a node";
	return refusal == REFUSAL_MALFORMED ? "orders: not signed Allocations and Orders" : NULL;
}

static void end_part(void *arg)
{
	struct part *part = arg;
	struct settling *settling = part->settling;

	settling->checking--;
	if (settling->dropped) {
		if (settling->checking == 0)
			free_settling(settling);
	} else if (part->refusal != REFUSAL_NONE) {
		session_answer_refusal(settling->session, settling->request, part->refusal, why_of(part->refusal));
		drop(settling);
	} else {
		if (part->count > 0)
			memcpy(settling->orders + part->first, part->checked, part->count * sizeof(*part->checked));
		if (settling->complete && settling->checking == 0) {
			job_init(&settling->job, settling->session, &settling->settle);
			server_submit(session_server(settling->session), run_count, end_count, settling);
		}
	}
	job_end(&part->job);
	free(part);
}

void settling_add(struct session *session, const struct message *message)
{
	struct settling *settling = find(session, message->request);
	uint32_t count = message->settle_orders.orders.count;
	struct part *part;

	if (settling == NULL || settling->complete) {
		session_answer_refusal(session, message->request, REFUSAL_PROTOCOL,
				       "no SETTLE with this request number");
		return;
	}
	if (count > SETTLE_ORDERS_MAX - settling->count) {
		session_answer_refusal(session, message->request, REFUSAL_TOO_LONG,
				       "orders: too many for one settlement");
		drop(settling);
		return;
	}
	part = memory_new(1, sizeof(*part) + count * sizeof(part->checked[0]));
	part->settling = settling;
	part->first = settling->count;
	part->count = count;
	settling->count += count;
	settling->orders = memory_grow(settling->orders, &settling->room, settling->count, sizeof(*settling->orders));
	settling->complete = message->settle_orders.last == 1;
	settling->checking++;
	job_init(&part->job, session, message);
	server_submit(session_server(session), check_part, end_part, part);
}
