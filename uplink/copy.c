/* The engine's puts and gets, with descriptors at the other end. */
#include "uplink/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "uplink/expiry.h"
#include "uplink/stream.h"

struct upload {
	struct client *client;
	struct object_put *put;
	struct stream stream;
};

static void cancel_put(void *arg)
{
	struct upload *upload = arg;

	object_put_cancel(upload->put);
}

static uint64_t count_put(void *arg)
{
	struct upload *upload = arg;

	return object_put_progress(upload->put);
}

static void on_put_done(void *arg, enum err err, const char *why)
{
	struct upload *upload = arg;

	client_finish(upload->client, err, why);
}

static void start_progress(struct client *client, const char *label, uint64_t (*count)(void *arg), void *arg)
{
	if (!option_flag(client->options, "quiet"))
		client->progress = progress_new(client->uplink->loop, label, count, arg);
}

static void end_progress(struct client *client)
{
	progress_free(client->progress);
	client->progress = NULL;
}

static int fail_file(const char *file)
{
	fprintf(stderr, "granary: %s: %s\n", file, strerror(errno));
	return 1;
}

/* From a descriptor; `total` bytes, 0 when not known. */
static enum err put(struct client *client, int fd, struct object_name *name, struct object_put_request request,
		    uint64_t total)
{
	struct upload upload = {.client = client};
	enum err err;

	stream_init(&upload.stream, fd);
	request.source = (struct object_source){stream_read, stream_stop, &upload.stream};
	upload.put = object_put_start(client->uplink, name, &request, on_put_done, &upload);
	start_progress(client, "put", count_put, &upload);
	progress_set_total(client->progress, total);
	client->cancel = cancel_put;
	client->cancel_arg = &upload;
	err = client_wait(client);
	end_progress(client);
	stream_clear(&upload.stream);
	return err;
}

int copy_expires(const struct client *client, uint64_t *ret)
{
	const char *text = option_text(client->options, "expires");
	enum err err = text == NULL ? ERR_OK : expiry_parse(text, clock_wall(), ret);

	if (err == ERR_FORMAT)
		return client_usage("--expires %s: not an age as 12h or 30d, nor a UTC date as 2027-01-31", text);
	if (err != ERR_OK)
		return client_usage("--expires %s: not between a minute and a hundred years from now", text);
	return 0;
}

int copy_up(struct client *client, const char *file, const struct location *to)
{
	bool pipe = strcmp(file, "-") == 0;
	struct object_put_request request = {.type = option_text(client->options, "type")};
	struct object_name name;
	const char *why = "";
	struct stat st;
	int fd = STDIN_FILENO, status = 0;

	status = copy_expires(client, &request.expires);
	if (status != 0)
		return status;
	if (object_name_make(client->access, to->bucket, to->path, &name, &why) != ERR_OK)
		return client_usage("%s%s/%s: %s", LOCATION_SCHEME, to->bucket, to->path, why);
	if (!pipe)
		fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		object_name_clear(&name);
		return fail_file(file);
	}
	if (!pipe && S_ISDIR(st.st_mode)) {
		object_name_clear(&name);
		close(fd);
		return client_usage("%s: a directory; copy all that is in it with --recursive", file);
	}
	if (S_ISREG(st.st_mode))
		request.modified = (uint64_t)st.st_mtime;
	if (put(client, fd, &name, request, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0) != ERR_OK)
		status = client_fail(client, "cannot store %s%s/%s", LOCATION_SCHEME, to->bucket, to->path);
	if (!pipe)
		close(fd);
	return status;
}

struct download {
	struct client *client;
	struct object_get *get;
	struct stream stream;
	uint64_t modified;
};

static void cancel_get(void *arg)
{
	struct download *download = arg;

	object_get_cancel(download->get);
}

static uint64_t count_get(void *arg)
{
	struct download *download = arg;

	return object_get_progress(download->get);
}

static void on_get_begin(void *arg, const struct object_facts *facts, uint64_t bytes)
{
	struct download *download = arg;

	download->modified = facts->modified;
	progress_set_total(download->client->progress, bytes);
}

static void on_get_done(void *arg, enum err err, const char *why)
{
	struct download *download = arg;

	client_finish(download->client, err, why);
}

static enum err write_get(void *arg, const uint8_t *data, size_t len, const char **ret_why)
{
	struct download *download = arg;

	return stream_write(&download->stream, data, len, ret_why);
}

static void stop_get(void *arg)
{
	struct download *download = arg;

	stream_stop(&download->stream);
}

/* Into a descriptor; *ret_modified is the time that the file had. */
static enum err get(struct client *client, struct object_name *name, const struct object_range *range, int fd,
		    uint64_t *ret_modified)
{
	struct download download = {.client = client};
	const struct object_sink sink = {on_get_begin, write_get, stop_get, &download};
	enum err err;

	stream_init(&download.stream, fd);
	if (!isatty(fd)) /* the two would mix */
		start_progress(client, "get", count_get, &download);
	download.get = object_get_start(client->uplink, name, range, &sink, on_get_done);
	client->cancel = cancel_get;
	client->cancel_arg = &download;
	err = client_wait(client);
	end_progress(client);
	stream_clear(&download.stream);
	*ret_modified = download.modified;
	return err;
}

/* The mode that `file` has, or that open(2) would give it. */
static mode_t mode_for(const char *file)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	return stat(file, &st) == 0 ? st.st_mode & 07777 : 0666 & ~mask;
}

static bool sync_parent(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir = slash == NULL ? memory_copy(".", 1) : memory_copy(file, (size_t)(slash - file) + 1);
	bool synced = file_sync_dir(dir) == ERR_OK;

	free(dir);
	return synced;
}

/* What was fetched gets its time and its name. */
static int keep_file(int fd, const char *temporary, const char *file, uint64_t modified)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)modified}};

	if (modified > 0 && futimens(fd, times) != 0)
		return fail_file(file);
	if (fchmod(fd, mode_for(file)) != 0 || fsync(fd) != 0 || rename(temporary, file) != 0 || !sync_parent(file))
		return fail_file(file);
	return 0;
}

/* In the place of what `file` names in the end: a symbolic link stays one. */
static int get_file(struct client *client, struct object_name *name, const struct object_range *range, const char *link)
{
	char *target = realpath(link, NULL);
	const char *file = target != NULL ? target : link;
	size_t room = strlen(file) + sizeof(".granary-XXXXXX");
	char *temporary = memory_new(1, room);
	uint64_t modified;
	int fd, status;

	snprintf(temporary, room, "%s.granary-XXXXXX", file);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		object_name_clear(name);
		status = fail_file(file);
		goto out;
	}
	if (get(client, name, range, fd, &modified) != ERR_OK)
		status = -1;
	else
		status = keep_file(fd, temporary, file, modified);
	if (status != 0)
		unlink(temporary);
	close(fd);
out:
	free(temporary);
	free(target);
	return status;
}

/* A device or a pipe is written to; putting a file in its place would take it from everybody. */
static bool is_special(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int get_special(struct client *client, struct object_name *name, const struct object_range *range,
		       const char *file)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY), status;
	uint64_t modified;

	if (fd < 0) {
		object_name_clear(name);
		return fail_file(file);
	}
	status = get(client, name, range, fd, &modified) == ERR_OK ? 0 : -1;
	close(fd);
	return status;
}

int copy_down(struct client *client, const struct location *from, const struct object_range *range, const char *file)
{
	struct object_name name;
	const char *why = "";
	uint64_t modified;
	int status = 0;

	if (object_name_make(client->access, from->bucket, from->path, &name, &why) != ERR_OK)
		return client_usage("%s%s/%s: %s", LOCATION_SCHEME, from->bucket, from->path, why);
	if (strcmp(file, "-") == 0)
		status = get(client, &name, range, STDOUT_FILENO, &modified) == ERR_OK ? 0 : -1;
	else if (is_special(file))
		status = get_special(client, &name, range, file);
	else
		status = get_file(client, &name, range, file);
	if (status < 0)
		status = client_fail(client, "cannot fetch %s%s/%s", LOCATION_SCHEME, from->bucket, from->path);
	return status;
}
