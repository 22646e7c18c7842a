/* Building answers. */
#include "satellite/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

void reply_init(struct reply *reply, uint32_t request)
{
	memset(reply, 0, sizeof(*reply));
	reply->request = request;
}

void reply_free(struct reply *reply)
{
	free(reply->data);
	reply->data = NULL;
	reply->len = reply->room = 0;
}

void reply_add(struct reply *reply, struct message *message)
{
	const struct message_spec *spec = message_find(message->type);
	struct writer w;

	assert(spec != NULL);
	message->request = reply->request;
	reply->data = memory_grow(reply->data, &reply->room, reply->len + 4 + spec->max, 1);
	writer_init(&w, reply->data + reply->len + 4, spec->max);
	message_encode(message, &w);
	assert(w.err == ERR_OK);
	put_be32(reply->data + reply->len, (uint32_t)w.len);
	reply->len += 4 + w.len;
}

void reply_done(struct reply *reply)
{
	struct message done = {.type = MSG_DONE};

	reply_add(reply, &done);
}

void reply_set_error(struct reply *reply, enum refusal code, const char *why)
{
	struct message error = {.type = MSG_ERROR, .error = {.code = (uint16_t)code}};

	if (why == NULL || why[0] == '\0' || !text_is_printable(bytes_of_text(why)))
		why = refusal_text(code);
	error.error.text = bytes_of_text(why);
	reply->len = 0;
	reply_add(reply, &error);
}

struct bytes reply_next(const struct reply *reply, size_t *offset)
{
	struct bytes next = {NULL, 0};

	if (*offset < reply->len) {
		next = bytes_of(reply->data + *offset + 4, get_be32(reply->data + *offset));
		*offset += 4 + next.len;
	}
	return next;
}

void reply_list_begin(struct reply_list *l, struct reply *reply, struct message *message, struct list *list,
		      uint8_t *last, const struct fields *items)
{
	l->reply = reply;
	l->message = message;
	l->list = list;
	l->last = last;
	l->items = items;
	l->most = 1000;
	*list = (struct list){{NULL, 0}, 0};
	writer_init(&l->w, l->buffer, sizeof(l->buffer));
}

void reply_list_limit(struct reply_list *l, uint32_t most)
{
	l->most = most;
}

static void flush(struct reply_list *l, uint8_t last)
{
	l->list->raw = writer_bytes(&l->w);
	*l->last = last;
	reply_add(l->reply, l->message);
	l->list->count = 0;
	writer_init(&l->w, l->buffer, sizeof(l->buffer));
}

void reply_list_add(struct reply_list *l, const void *item)
{
	uint8_t scratch[4096];
	struct writer one;

	writer_init(&one, scratch, sizeof(scratch));
	fields_encode(l->items, item, &one);
	assert(one.err == ERR_OK);
	if (l->list->count == l->most || one.len > l->w.room - l->w.len)
		flush(l, 0);
	write_raw(&l->w, scratch, one.len);
	l->list->count++;
}

void reply_list_end(struct reply_list *l)
{
	flush(l, 1);
}
