/* Counters per node, in a hash table by id. */
#include "uplink/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "common/memory.h"

#define REASON_MAX 200

static const char *const count_names[TRACE_COUNTS] = {
	[TRACE_PIECES_PUT] = "pieces_put",	   [TRACE_PIECES_GOT] = "pieces_got", [TRACE_BYTES_SENT] = "bytes_sent",
	[TRACE_BYTES_RECEIVED] = "bytes_received", [TRACE_FAILURES] = "failures",
};

struct row {
	struct id id;
	uint64_t counts[TRACE_COUNTS];
	char last_failure[REASON_MAX];
	UT_hash_handle hh;
};

struct trace {
	struct row *rows;
	trace_report *report;
	void *arg;
};

struct trace *trace_new(trace_report *report, void *arg)
{
	struct trace *trace = memory_new(1, sizeof(*trace));

	trace->report = report;
	trace->arg = arg;
	return trace;
}

void trace_free(struct trace *trace)
{
	struct row *row, *next;

	if (trace == NULL)
		return;
	HASH_ITER (hh, trace->rows, row, next) {
		HASH_DEL(trace->rows, row);
		free(row);
	}
	free(trace);
}

static struct row *row_of(struct trace *trace, const struct id *node)
{
	struct row *row;

	HASH_FIND(hh, trace->rows, node, sizeof(*node), row);
	if (row != NULL)
		return row;
	row = memory_new(1, sizeof(*row));
	row->id = *node;
	HASH_ADD(hh, trace->rows, id, sizeof(row->id), row);
	return row;
}

void trace_contact(struct trace *trace, const struct id *node)
{
	size_t before = trace_nodes(trace);

	row_of(trace, node);
	if (trace_nodes(trace) > before)
		trace_event(trace, node, TRACE_EVENT, "contacted");
}

void trace_add(struct trace *trace, const struct id *node, enum trace_count count, uint64_t n)
{
	row_of(trace, node)->counts[count] += n;
}

void trace_event(struct trace *trace, const struct id *node, enum trace_level level, const char *format, ...)
{
	char text[REASON_MAX];
	struct row *row;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (level != TRACE_EVENT) {
		row = row_of(trace, node);
		row->counts[TRACE_FAILURES]++;
		memcpy(row->last_failure, text, sizeof(text));
	}
	if (trace->report != NULL)
		trace->report(node, level, text, trace->arg);
}

enum err trace_refusal(const struct msg_error *error, char *out, size_t room)
{
	enum err err = refusal_to_err((enum refusal)error->code);

	if (error->text.len > 0)
		snprintf(out, room, "%.*s", (int)error->text.len, (const char *)error->text.data);
	else
		snprintf(out, room, "%s", refusal_text((enum refusal)error->code));
	return err == ERR_OK ? ERR_REMOTE : err;
}

uint64_t trace_total(const struct trace *trace, enum trace_count count)
{
	uint64_t total = 0;

	for (const struct row *row = trace->rows; row != NULL; row = row->hh.next)
		total += row->counts[count];
	return total;
}

size_t trace_nodes(const struct trace *trace)
{
	return HASH_COUNT(trace->rows);
}

static json_t *row_json(const struct row *row)
{
	json_t *json = json_object();
	char hex[KEY_ID_HEX];

	id_to_hex(&row->id, hex);
	json_object_set_new(json, "id", json_string(hex));
	for (int i = 0; i < TRACE_COUNTS; i++)
		json_object_set_new(json, count_names[i], json_integer((json_int_t)row->counts[i]));
	if (row->last_failure[0] != '\0')
		json_object_set_new(json, "last_failure", json_string(row->last_failure));
	return json;
}

json_t *trace_json(const struct trace *trace)
{
	json_t *json = json_object(), *nodes = json_array();

	json_object_set_new(json, "nodes_contacted", json_integer((json_int_t)trace_nodes(trace)));
	for (int i = 0; i < TRACE_COUNTS; i++)
		json_object_set_new(json, count_names[i],
				    json_integer((json_int_t)trace_total(trace, (enum trace_count)i)));
	for (const struct row *row = trace->rows; row != NULL; row = row->hh.next)
		json_array_append_new(nodes, row_json(row));
	json_object_set_new(json, "nodes", nodes);
	return json;
}
