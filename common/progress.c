/* The rate is smoothed over a few seconds, so that the time left does not jump. */
#include "common/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/options.h"

#define REDRAW_MS 200
#define SMOOTHING 15 /* redraws: three seconds */
#define LINE_MAX_BYTES 200
#define CLEAR "\r\033[K"

struct progress {
	struct event *timer;
	char label[64];
	uint64_t (*count)(void *arg);
	void *arg;
	uint64_t total;
	uint64_t last_bytes;
	uint64_t last_time; /* monotonic nanoseconds */
	uint64_t rate;	    /* bytes per second */
};

char *progress_format(const char *label, uint64_t bytes, uint64_t total, uint64_t rate, char *out, size_t room)
{
	char done[16], all[16], speed[16];
	uint64_t left;

	option_print_size(bytes, done);
	option_print_size(rate, speed);
	if (total == 0) {
		snprintf(out, room, "%s  %s  %s/s", label, done, speed);
		return out;
	}
	option_print_size(total, all);
	left = rate == 0 || bytes >= total ? 0 : (total - bytes) / rate;
	snprintf(out, room, "%s  %s of %s  %3" PRIu64 " %%  %s/s  %" PRIu64 ":%02" PRIu64 " left", label, done, all,
		 bytes >= total ? 100 : bytes * 100 / total, speed, left / 60, left % 60);
	return out;
}

static void on_redraw(evutil_socket_t fd, short what, void *arg)
{
	struct progress *progress = arg;
	uint64_t now = clock_monotonic(), bytes = progress->count(progress->arg);
	uint64_t elapsed_ms = (now - progress->last_time) / 1000000, current;
	char line[LINE_MAX_BYTES];

	(void)fd;
	(void)what;
	if (elapsed_ms == 0)
		return;
	current = bytes > progress->last_bytes ? (bytes - progress->last_bytes) * 1000 / elapsed_ms : 0;
	progress->rate = (progress->rate * (SMOOTHING - 1) + current) / SMOOTHING;
	if (progress->last_bytes == 0)
		progress->rate = current;
	progress->last_bytes = bytes;
	progress->last_time = now;
	fprintf(stderr, CLEAR "%s",
		progress_format(progress->label, bytes, progress->total, progress->rate, line, sizeof(line)));
	fflush(stderr);
}

struct progress *progress_new(struct loop *loop, const char *label, uint64_t (*count)(void *arg), void *arg)
{
	const struct timeval interval = {.tv_usec = REDRAW_MS * 1000};
	struct progress *progress;

	if (!isatty(STDERR_FILENO))
		return NULL;
	progress = memory_new(1, sizeof(*progress));
	snprintf(progress->label, sizeof(progress->label), "%s", label);
	progress->count = count;
	progress->arg = arg;
	progress->last_time = clock_monotonic();
	progress->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_redraw, progress);
	event_add(progress->timer, &interval);
	return progress;
}

void progress_set_total(struct progress *progress, uint64_t total)
{
	if (progress != NULL)
		progress->total = total;
}

void progress_clear(struct progress *progress)
{
	if (progress != NULL)
		fprintf(stderr, CLEAR);
}

void progress_free(struct progress *progress)
{
	if (progress == NULL)
		return;
	progress_clear(progress);
	event_free(progress->timer);
	free(progress);
}
