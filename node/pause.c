/* One number in a file. */
#include "node/pause.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/options.h"

struct pause {
	char *path;
	atomic_uint_fast64_t until;
};

struct pause *pause_open(const char *dir)
{
	struct pause *pause = memory_new(1, sizeof(*pause));
	uint64_t until = 0;
	char *text = NULL;
	size_t len = 0;

	pause->path = file_join(dir, "pause");
	if (file_read(pause->path, 32, &text, &len) == ERR_OK && len > 0 && text[len - 1] == '\n') {
		text[len - 1] = '\0';
		/* A clock that was wrong when it was set must not stop the node for years. */
		if (option_parse_size(text, &until) != ERR_OK || until > clock_wall() + PAUSE_MOST)
			until = 0;
	}
	free(text);
	atomic_store(&pause->until, until);
	return pause;
}

void pause_free(struct pause *pause)
{
	if (pause == NULL)
		return;
	free(pause->path);
	free(pause);
}

enum err pause_set(struct pause *pause, uint64_t until)
{
	char text[32];
	enum err err;

	snprintf(text, sizeof(text), "%" PRIu64 "\n", until);
	err = file_replace(pause->path, bytes_of_text(text), 0600);
	if (err == ERR_OK)
		atomic_store(&pause->until, until);
	return err;
}

uint64_t pause_until(const struct pause *pause, uint64_t now)
{
	uint64_t until = pause == NULL ? 0 : atomic_load(&pause->until);

	return until > now ? until : 0;
}
