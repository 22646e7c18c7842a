/* A look at the status every two seconds; a line that says nothing now and then, so that proxies do not hang up. */
#include "node/dashboard/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/memory.h"

#define LOOK_SECONDS 2
#define IDLE_LOOKS 7
#define OPEN_MOST 32

struct streams;

struct stream {
	struct streams *streams;
	struct http_stream *http;
	struct stream *next, **link;
};

struct streams {
	json_t *(*status)(void *arg);
	void *arg;
	struct event *timer;
	struct stream *open;
	unsigned count;
	struct bytes32 seen; /* hash of the status */
	uint64_t changes;
	unsigned idle; /* looks without a change */
};

static void drop(struct stream *stream)
{
	*stream->link = stream->next;
	if (stream->next != NULL)
		stream->next->link = stream->link;
	stream->streams->count--;
	free(stream);
}

static void on_gone(void *arg)
{
	drop(arg);
}

/* What the time alone changes does not count. */
static bool has_changed(struct streams *streams)
{
	json_t *status = streams->status(streams->arg);
	struct bytes32 hash;
	char *text;

	json_object_del(status, "now");
	text = json_dumps(status, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		abort();
	hash_once("granary.status", text, strlen(text), &hash);
	free(text);
	json_decref(status);
	if (bytes32_equal(&hash, &streams->seen))
		return false;
	streams->seen = hash;
	return true;
}

static void send_all(struct streams *streams, const char *text)
{
	struct stream *next;

	for (struct stream *stream = streams->open; stream != NULL; stream = next) {
		next = stream->next;
		http_stream_send(stream->http, text);
	}
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct streams *streams = arg;
	char text[64];

	(void)fd;
	(void)what;
	if (streams->open == NULL)
		return;
	if (has_changed(streams)) {
		snprintf(text, sizeof(text), "data: %" PRIu64 "\n\n", ++streams->changes);
		send_all(streams, text);
		streams->idle = 0;
	} else if (++streams->idle >= IDLE_LOOKS) {
		send_all(streams, ": idle\n\n");
		streams->idle = 0;
	}
}

struct streams *streams_new(struct loop *loop, json_t *(*status)(void *arg), void *arg)
{
	const struct timeval every = {LOOK_SECONDS, 0};
	struct streams *streams = memory_new(1, sizeof(*streams));

	streams->status = status;
	streams->arg = arg;
	streams->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_look, streams);
	event_add(streams->timer, &every);
	return streams;
}

void streams_free(struct streams *streams)
{
	if (streams == NULL)
		return;
	event_free(streams->timer);
	while (streams->open != NULL)
		drop(streams->open);
	free(streams);
}

void streams_open(struct streams *streams, struct http_request *request)
{
	struct stream *stream;

	if (streams->count >= OPEN_MOST) {
		http_answer_error(request, 503, "too many pages are open");
		return;
	}
	stream = memory_new(1, sizeof(*stream));
	*stream = (struct stream){.streams = streams, .next = streams->open, .link = &streams->open};
	stream->http = http_stream_begin(request, "text/event-stream", on_gone, stream);
	if (stream->http == NULL) {
		free(stream);
		return;
	}
	if (stream->next != NULL)
		stream->next->link = &stream->next;
	streams->open = stream;
	if (++streams->count == 1)
		(void)has_changed(streams); /* the page is as of now */
	http_stream_send(stream->http, ": open\n\n");
}
