/* granary cp, cat: what is meant by the two words, and directories. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/memory.h"
#include "uplink/commands.h"
#include "uplink/copy.h"
#include "uplink/names.h"

static char *join(const char *a, const char *b, const char *c)
{
	size_t room = strlen(a) + strlen(b) + strlen(c) + 1;
	char *out = memory_new(1, room);

	snprintf(out, room, "%s%s%s", a, b, c);
	return out;
}

static bool ends_open(const char *path)
{
	return path[0] == '\0' || path[strlen(path) - 1] == '/';
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int copy_file_up(struct client *client, const char *file, struct location to)
{
	char *path;
	int status;

	if (!ends_open(to.path))
		return copy_up(client, file, &to);
	if (strcmp(file, "-") == 0)
		return client_usage("cp: stdin needs a name in the network");
	path = join(to.path, location_base(file), "");
	to.path = path;
	status = copy_up(client, file, &to);
	free(path);
	return status;
}

/* Every regular file below a directory. */
static int copy_tree_up(struct client *client, const char *directory, struct location to)
{
	char *roots[] = {(char *)(uintptr_t)directory, NULL};
	size_t skip = strlen(directory);
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	int status = 0;
	FTSENT *entry;

	if (fts == NULL)
		return client_usage("%s: %s", directory, strerror(errno));
	while (!client->interrupted && (entry = fts_read(fts)) != NULL) {
		const char *below = entry->fts_path + skip;
		struct location one = to;
		char *path;

		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
			fprintf(stderr, "granary: %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
			status = 1;
		}
		if (entry->fts_info != FTS_F)
			continue;
		below += strspn(below, "/");
		path = join(to.path, ends_open(to.path) ? "" : "/", below);
		one.path = path;
		if (copy_up(client, entry->fts_path, &one) != 0)
			status = 1;
		free(path);
	}
	fts_close(fts);
	return status;
}

static int copy_file_down(struct client *client, const struct location *from, const struct object_range *range,
			  const char *file)
{
	char *path;
	int status;

	if (strcmp(file, "-") == 0 || !(ends_open(file) || is_directory(file)))
		return copy_down(client, from, range, file);
	path = join(file, ends_open(file) ? "" : "/", location_base(from->path));
	status = copy_down(client, from, range, path);
	free(path);
	return status;
}

static int copy_below(struct client *client, struct location from, const char *below, const char *directory)
{
	const struct object_range all = {0, UINT64_MAX};
	char *file, *slash;
	int status;
	enum err err;

	if (!location_is_safe_path(below)) {
		fprintf(stderr, "granary: %s%s/%s: not fetched: no file can have this name\n", LOCATION_SCHEME,
			from.bucket, from.path);
		return 1;
	}
	file = join(directory, ends_open(directory) ? "" : "/", below);
	slash = strrchr(file, '/');
	*slash = '\0';
	err = file_make_dirs(file, 0777);
	*slash = '/';
	if (err != ERR_OK) {
		fprintf(stderr, "granary: %s: %s\n", file, err_text(err));
		status = 1;
	} else {
		status = copy_down(client, &from, &all, file);
	}
	free(file);
	return status;
}

static int copy_tree_down(struct client *client, const struct location *from, const char *directory)
{
	struct location one = *from;
	struct names names;
	size_t skip;
	int status;

	status = names_list(client, from, &names);
	if (status == 0 && names.count == 0)
		status = names_none(from);
	skip = names.folder[0] == '\0' ? 0 : strlen(names.folder) + 1;
	for (size_t i = 0; i < names.count && !client->interrupted; i++) {
		one.path = names.path[i];
		if (copy_below(client, one, names.path[i] + skip, directory) != 0)
			status = 1;
	}
	names_clear(&names);
	return status;
}

static int copy(struct client *client, const struct location *from, const struct location *to,
		const struct object_range *range)
{
	bool recursive = option_flag(client->options, "recursive");
	uint64_t expires;
	int status = copy_expires(client, &expires);

	if (status != 0)
		return status;
	if (to->remote && recursive)
		return copy_tree_up(client, from->path, *to);
	if (to->remote)
		return copy_file_up(client, from->path, *to);
	if (recursive)
		return copy_tree_down(client, from, to->path);
	return copy_file_down(client, from, range, to->path);
}

int command_copy(struct options *options)
{
	const char *words[2] = {options_argument(options, 0), options_argument(options, 1)};
	struct location from, to;
	struct object_range range;
	struct client client;
	const char *why = "";
	int status;

	if (location_parse(words[0], &from, &why) != ERR_OK)
		return client_usage("%s: %s", words[0], why);
	if (location_parse(words[1], &to, &why) != ERR_OK)
		return client_usage("%s: %s", words[1], why);
	if (from.remote == to.remote)
		return client_usage("cp: one of FROM and TO must be in the network, as %sBUCKET/PATH", LOCATION_SCHEME);
	if ((from.remote ? from.bucket : to.bucket)[0] == '\0')
		return client_usage("cp: the bucket is missing after %s", LOCATION_SCHEME);
	if ((from.remote ? to.path : from.path)[0] == '\0')
		return client_usage("cp: the name of the file here is empty");
	if (from.remote && from.path[0] == '\0' && !option_flag(options, "recursive"))
		return client_usage("%s: an object's path is missing after the bucket", words[0]);
	if (location_parse_range(option_text(options, "range"), &range) != ERR_OK ||
	    (to.remote && option_given(options, "range")))
		return client_usage("--range: FIRST-LAST or FIRST- is asked for, when fetching");
	if (option_flag(options, "recursive") && option_given(options, "range"))
		return client_usage("--range: of one object only, not with --recursive");
	status = client_open(options, &client);
	if (status != 0)
		return status;
	return client_close(&client, copy(&client, &from, &to, &range));
}

int command_cat(struct options *options)
{
	struct location from;
	struct object_range range;
	struct client client;
	int status;

	status = client_location(options_argument(options, 0), CLIENT_OBJECT, &from);
	if (status != 0)
		return status;
	if (location_parse_range(option_text(options, "range"), &range) != ERR_OK)
		return client_usage("--range: FIRST-LAST or FIRST- is asked for");
	status = client_open(options, &client);
	if (status != 0)
		return status;
	return client_close(&client, copy_down(&client, &from, &range, "-"));
}
