/*
 * What a verb answers: encoded messages for one request, in order, made in a worker thread and sent by the loop.
 *
 * Long lists go out in parts: reply_list_* fills one message after another and flags the last.
 */
#ifndef GRANARY_SATELLITE_REPLY_H
#define GRANARY_SATELLITE_REPLY_H

#include "common/message.h"

struct reply {
	uint32_t request;
	uint8_t *data; /* per message: u32 length, then the message */
	size_t len;
	size_t room;
};

void reply_init(struct reply *reply, uint32_t request);
void reply_free(struct reply *reply);

/* Append a message, which gets the request's number. It must fit its limits: what it holds was checked. */
void reply_add(struct reply *reply, struct message *message);
/* Append DONE. */
void reply_done(struct reply *reply);
/* Drop all messages and put ERROR in their place; without words (NULL or "") it says the code's own phrase. Words that
 * are not printable are replaced too. */
void reply_set_error(struct reply *reply, enum refusal code, const char *why);
/* The message at *offset, which moves to the next one; an empty view after the last. */
struct bytes reply_next(const struct reply *reply, size_t *offset);

/* A message that carries a list, sent in as many parts as it takes. */
struct reply_list {
	struct reply *reply;
	struct message *message; /* the part being filled; the caller set what all parts share */
	struct list *list;	 /* its list member */
	uint8_t *last;		 /* its flag */
	const struct fields *items;
	uint32_t most; /* items in a part */
	struct writer w;
	uint8_t buffer[56 * 1024];
};

/* Start: `list` and `last` are members of *message. Items start at a fresh part. */
void reply_list_begin(struct reply_list *l, struct reply *reply, struct message *message, struct list *list,
		      uint8_t *last, const struct fields *items);
/* Set the most items of a part, when the message's table allows fewer than 1000. */
void reply_list_limit(struct reply_list *l, uint32_t most);
void reply_list_add(struct reply_list *l, const void *item);
/* Send the last part, even when empty. */
void reply_list_end(struct reply_list *l);

#endif
