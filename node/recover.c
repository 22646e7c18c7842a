/* Check, rename, tell. */
#include "node/recover.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/database.h"
#include "common/file.h"
#include "common/log.h"

#define MARK ".damaged-"

/* SQLite's log and its index belong to the file, and go with it; they may be missing. */
static enum err put_aside(const char *path, uint64_t now)
{
	static const char *const tails[] = {"-wal", "-shm", ""}; /* the file last: until then it is found again */
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < sizeof(tails) / sizeof(tails[0]); i++) {
		char *from = NULL, *to = NULL;

		if (asprintf(&from, "%s%s", path, tails[i]) < 0 ||
		    asprintf(&to, "%s" MARK "%" PRIu64 "%s", path, now, tails[i]) < 0)
			abort();
		if (rename(from, to) != 0 && errno != ENOENT)
			err = err_from_errno(errno);
		free(from);
		free(to);
	}
	return err;
}

enum err recover_database(const char *dir, const char *name)
{
	char *path = file_join(dir, name), why[DATABASE_MESSAGE] = "", quoted[DATABASE_MESSAGE + 64];
	enum err err = ERR_OK;

	if (file_exists(path))
		err = database_check(path, why);
	if (err == ERR_CORRUPT) {
		err = put_aside(path, clock_wall());
		log_event(LOG_ERROR, "database_damaged", "name=%s result=%s why=%s", name, err_name(err),
			  log_quote(why, quoted, sizeof(quoted)));
	} else if (err == ERR_BUSY) {
		err = ERR_OK; /* a command reads it; whoever opens it next waits */
	}
	if (err == ERR_OK)
		err = file_sync_dir(dir);
	free(path);
	return err;
}

bool recover_find_damaged(const char *dir, char ret_name[RECOVER_NAME])
{
	DIR *list = opendir(dir);
	const struct dirent *entry;
	bool found = false;

	while (list != NULL && !found && (entry = readdir(list)) != NULL) {
		size_t len = strlen(entry->d_name);

		found = strstr(entry->d_name, ".db" MARK) != NULL && len < RECOVER_NAME &&
			strcmp(entry->d_name + len - 4, "-wal") != 0 && strcmp(entry->d_name + len - 4, "-shm") != 0;
		if (found)
			memcpy(ret_name, entry->d_name, len + 1);
	}
	if (list != NULL)
		closedir(list);
	return found;
}
