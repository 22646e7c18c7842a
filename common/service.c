/* A daemon's dealings with its directory, its signals and its supervisor. */
#include "common/service.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"

#define KEY_FILE "key"
#define LOCK_FILE "LOCK"

enum err service_init(const struct options *options, const char *saved_options, struct key **ret_key, char *why,
		      size_t room)
{
	const char *dir = options_dir(options);
	char *path = file_join(dir, KEY_FILE);
	struct key *key = NULL;
	enum err err = ERR_EXISTS;

	if (file_exists(path)) {
		snprintf(why, room, "%s exists already; a directory is made once", path);
		goto out;
	}
	err = file_make_dirs(dir, 0700);
	if (err != ERR_OK) {
		snprintf(why, room, "cannot make %s: %s", dir, err_text(err));
		goto out;
	}
	err = options_save(options, saved_options);
	if (err != ERR_OK) {
		snprintf(why, room, "cannot write %s/config.ini: %s", dir, err_text(err));
		goto out;
	}
	/* The key comes last: a directory with a key is a whole one. */
	key = key_generate();
	err = key_save(key, path);
	if (err != ERR_OK) {
		snprintf(why, room, "cannot write %s: %s", path, err_text(err));
		goto out;
	}
	*ret_key = key;
	key = NULL;
out:
	key_free(key);
	free(path);
	return err;
}

enum err service_key(const char *dir, struct key **ret, char *why, size_t room)
{
	char *path = file_join(dir, KEY_FILE);
	enum err err = key_load(path, ret);

	if (err == ERR_NOT_FOUND && !file_exists(dir))
		snprintf(why, room, "there is no %s: is --dir right, its disk mounted? %s init makes a new one", dir,
			 program_invocation_short_name);
	else if (err == ERR_NOT_FOUND)
		snprintf(why, room, "no key in %s; make one with: %s init --dir %s", dir, program_invocation_short_name,
			 dir);
	else if (err == ERR_DENIED && access(path, R_OK) == 0)
		snprintf(why, room, "%s can be read by others than its owner; mend it with: chmod 600 %s", path, path);
	else if (err == ERR_FORMAT)
		snprintf(why, room, "%s does not hold a key: 64 hex digits", path);
	else if (err != ERR_OK)
		snprintf(why, room, "cannot read %s: %s", path, err_text(err));
	free(path);
	return err;
}

/* Who holds the lock, by what it wrote there. */
static long lock_owner(const char *dir)
{
	char *path = file_join(dir, LOCK_FILE), *text = NULL;
	size_t len = 0;
	long pid = 0;

	if (file_read(path, 32, &text, &len) == ERR_OK)
		pid = strtol(text, NULL, 10);
	free(text);
	free(path);
	return pid;
}

enum err service_lock(const char *dir, char *why, size_t room)
{
	int fd;
	enum err err = file_lock(dir, LOCK_FILE, &fd);

	if (err == ERR_BUSY) {
		snprintf(why, room, "a daemon (process %ld) already runs in %s", lock_owner(dir), dir);
		return err;
	}
	if (err != ERR_OK) {
		snprintf(why, room, "cannot lock %s/%s: %s", dir, LOCK_FILE, err_text(err));
		return err;
	}
	/* The descriptor stays open for the life of the process. The number in the file only informs people. */
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		snprintf(why, room, "cannot write %s/%s: %s", dir, LOCK_FILE, strerror(errno));
		close(fd);
		return ERR_IO;
	}
	return ERR_OK;
}

static const int heeded[] = {SIGTERM, SIGINT, SIGHUP};
#define HEEDED (sizeof(heeded) / sizeof(heeded[0]))

struct service_signals {
	void (*stop)(void *arg);
	void (*reload)(void *arg);
	void *arg;
	bool stopping;
	struct event *events[HEEDED];
};

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct service_signals *signals = arg;

	(void)what;
	if (number == SIGHUP) {
		signals->reload(signals->arg);
		return;
	}
	if (signals->stopping) {
		/* Asked twice: die of it, as if it had never been heeded. */
		signal((int)number, SIG_DFL);
		raise((int)number);
	}
	signals->stopping = true;
	signals->stop(signals->arg);
}

void service_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

struct service_signals *service_signals_new(struct loop *loop, void (*stop)(void *arg), void (*reload)(void *arg),
					    void *arg)
{
	struct service_signals *signals = memory_new(1, sizeof(*signals));

	signals->stop = stop;
	signals->reload = reload;
	signals->arg = arg;
	for (size_t i = 0; i < HEEDED; i++) {
		signals->events[i] = evsignal_new(loop_base(loop), heeded[i], on_signal, signals);
		if (signals->events[i] == NULL || event_add(signals->events[i], NULL) != 0)
			abort();
	}
	signal(SIGPIPE, SIG_IGN);
	return signals;
}

void service_signals_free(struct service_signals *signals)
{
	if (signals == NULL)
		return;
	for (size_t i = 0; i < HEEDED; i++)
		event_free(signals->events[i]);
	free(signals);
}

void service_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	/* An abstract name starts with a NUL and has no NUL at its end (unix(7)). */
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* A supervisor that does not listen is its own loss. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len);
	close(fd);
}

int service_print_id(struct options *options)
{
	char why[512], id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];
	struct key *key = NULL;

	if (service_key(options_dir(options), &key, why, sizeof(why)) != ERR_OK) {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
		return 1;
	}
	id_to_hex(key_id(key), id);
	address_to_text(key_address(key), address);
	key_free(key);
	if (option_flag(options, "json"))
		printf("{\"id\": \"%s\", \"address\": \"%s\"}\n", id, address);
	else
		printf("id       %s\naddress  %s\n", id, address);
	return 0;
}
