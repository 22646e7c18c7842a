/*
 * `backup`: everything of a node but its pieces, copied while it runs.
 *
 * Databases are copied as they stand at one moment, by SQLite itself. All goes into a directory beside the one named,
 * which gets its name when it is whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/database.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/service.h"
#include "node/commands.h"
#include "node/settings.h"

#define FILE_MOST (1024 * 1024)

/* A node's key is what it cannot do without; of the others some may not be there yet. */
static const struct {
	const char *name;
	bool database;
} parts[] = {
	{"key", false},	     {"config.ini", false}, {"domains.json", false},   {"store.id", false},
	{"ledger.db", true}, {"papers.db", true},   {"dashboard.json", false}, {"history.db", true},
	{"events.db", true},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

struct backup {
	const char *from;
	char *to;	 /* as it is to be called */
	char *temporary; /* as it is called until then */
	char why[SETTINGS_MESSAGE];
};

static enum err copy_file(const char *from, const char *to)
{
	char *text = NULL;
	size_t len = 0;
	enum err err = file_read(from, FILE_MOST, &text, &len);

	if (err == ERR_OK)
		err = file_create(to, bytes_of(text, len), 0600);
	if (text != NULL)
		sodium_memzero(text, len); /* it may be the key */
	free(text);
	return err;
}

static enum err copy_part(struct backup *backup, size_t i)
{
	char *from = file_join(backup->from, parts[i].name), *to = file_join(backup->temporary, parts[i].name);
	char why[DATABASE_MESSAGE] = "";
	enum err err = ERR_OK;

	if (file_exists(from))
		err = parts[i].database ? database_copy(from, to, why) : copy_file(from, to);
	if (err != ERR_OK)
		snprintf(backup->why, sizeof(backup->why), "cannot copy %.200s: %s", from,
			 why[0] != '\0' ? why : err_text(err));
	free(to);
	free(from);
	return err;
}

static void remove_temporary(const struct backup *backup)
{
	for (size_t i = 0; i < PARTS; i++) {
		char *path = file_join(backup->temporary, parts[i].name);

		unlink(path);
		free(path);
	}
	rmdir(backup->temporary);
}

static enum err begin(struct backup *backup)
{
	char *key = file_join(backup->from, "key");
	enum err err = ERR_OK;

	if (!file_exists(key)) {
		snprintf(backup->why, sizeof(backup->why), "there is no node in %.200s", backup->from);
		err = ERR_NOT_FOUND;
	} else if (file_exists(backup->to)) {
		snprintf(backup->why, sizeof(backup->why), "%.200s exists already", backup->to);
		err = ERR_EXISTS;
	} else if (mkdir(backup->temporary, 0700) != 0) {
		err = err_from_errno(errno);
		snprintf(backup->why, sizeof(backup->why), "cannot make %.200s: %s", backup->temporary, err_text(err));
	}
	free(key);
	return err;
}

static enum err finish(struct backup *backup)
{
	enum err err = file_sync_dir(backup->temporary);

	if (err == ERR_OK && rename(backup->temporary, backup->to) != 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = file_sync_parent(backup->to); /* a stick is pulled soon after */
	if (err != ERR_OK)
		snprintf(backup->why, sizeof(backup->why), "cannot finish %.200s: %s", backup->to, err_text(err));
	return err;
}

int node_backup(struct options *options)
{
	const char *place = options_argument(options, 0);
	struct backup backup = {.from = options_dir(options)};
	size_t len = strlen(place);
	enum err err;

	while (len > 1 && place[len - 1] == '/') /* "PLACE/node/" is PLACE/node, and not something in it */
		len--;
	backup.to = memory_copy(place, len);
	if (asprintf(&backup.temporary, "%s.part", backup.to) < 0)
		abort();
	err = begin(&backup);
	if (err == ERR_OK) {
		for (size_t i = 0; err == ERR_OK && i < PARTS; i++)
			err = copy_part(&backup, i);
		if (err == ERR_OK)
			err = finish(&backup);
		if (err != ERR_OK)
			remove_temporary(&backup);
	}
	if (err != ERR_OK)
		fprintf(stderr, "granary-node: backup: %s\n", backup.why);
	else
		printf("%s holds the key, so keep it where nobody else can read it.\n"
		       "To restore: with no node running, copy its files into an empty --dir, link DIR/store to the "
		       "pieces, and\n"
		       "run the node. Never run two nodes with one key.\n",
		       backup.to);
	free(backup.temporary);
	free(backup.to);
	return err == ERR_OK ? 0 : 1;
}
