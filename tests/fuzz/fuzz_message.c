/*
 * Hostile bytes as a message. What decodes is encoded to the same bytes again, in the size foretold; its lists can be
 * walked; and it is printed within any room.
 */
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int true_thing)
{
	if (!true_thing)
		abort();
}

static void encode_again(const struct message *message, struct bytes from)
{
	uint8_t *again = malloc(MESSAGE_MAX);
	struct writer w;

	require(again != NULL);
	writer_init(&w, again, MESSAGE_MAX);
	message_encode(message, &w);
	require(w.err == ERR_OK && bytes_equal(writer_bytes(&w), from));
	require(message_size(message) == from.len);
	free(again);
}

static void walk_list(const struct field *field, const struct message *message)
{
	const struct list *list = (const void *)((const uint8_t *)&message->empty + field->offset);
	uint64_t item[64];
	struct reader r;

	require(field->items->size <= sizeof(item));
	reader_init(&r, list->raw);
	for (uint32_t i = 0; i < list->count; i++)
		list_next(field->items, &r, item);
	require(reader_end(&r) == ERR_OK);
}

static void print_bounded(const struct message *message)
{
	static const size_t rooms[] = {1, 2, 16, 100, 700};
	char line[701];

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		memset(line, 'x', sizeof(line));
		message_print(message, line, rooms[i]);
		require(memchr(line, '\0', rooms[i]) != NULL && line[rooms[i]] == 'x');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;
	const struct message_spec *spec;
	const char *why = NULL;
	enum refusal refusal = message_decode(bytes_of(data, size), &message, &why);

	require(why != NULL);
	print_bounded(&message);
	if (refusal != REFUSAL_NONE)
		return 0;
	spec = message_find(message.type);
	require(spec != NULL && size <= spec->max);
	encode_again(&message, bytes_of(data, size));
	for (size_t i = 0; i < spec->fields.count; i++) {
		if (spec->fields.list[i].kind == FIELD_LIST)
			walk_list(&spec->fields.list[i], &message);
	}
	return 0;
}
