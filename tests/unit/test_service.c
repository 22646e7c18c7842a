/* A daemon's directory, its lock, its signals and what it tells systemd. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/memory.h"
#include "common/service.h"

static const struct option_spec option_table[] = {
	{.name = "dir", .type = OPTION_PATH, .value = "DIR", .help = "Where."},
	{.name = "workers", .type = OPTION_INT, .max = 9, .value = "N", .fallback = "2", .help = "How many."},
	{.name = "json", .type = OPTION_FLAG, .help = "JSON.", .command_only = true},
};

static struct key *made;
static enum err init_err;
static char init_why[512];

static int run_init(struct options *options)
{
	init_err = service_init(options, "workers", &made, init_why, sizeof(init_why));
	return init_err == ERR_OK ? 0 : 1;
}

static const struct command commands[] = {
	{"init", "", "Make it.", NULL, "dir workers", 0, 0, run_init},
	{"id", "", "Say who.", NULL, "dir json", 0, 0, service_print_id},
};
static const struct program program = {"granary-test", "Tests.", option_table, 3, commands, 2, "test"};

struct fixture {
	char dir[64];
	char *home; /* dir/home, not there at first */
	char *key, *config, *lock;
};

static int call(struct fixture *f, const char *command, const char *flag)
{
	char *argv[] = {(char *)"granary-test", (char *)command, (char *)"--dir", f->home, (char *)flag, NULL};

	return program_main(&program, flag == NULL ? 4 : 5, argv);
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->home = file_join(f->dir, "home");
	f->key = file_join(f->home, "key");
	f->config = file_join(f->home, "config.ini");
	f->lock = file_join(f->home, "LOCK");
	made = NULL;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	key_free(made);
	unlink(f->key);
	unlink(f->config);
	unlink(f->lock);
	rmdir(f->home);
	assert_int_equal(rmdir(f->dir), 0);
	free(f->home);
	free(f->key);
	free(f->config);
	free(f->lock);
	free(f);
	return 0;
}

static void test_init(void **state)
{
	struct fixture *f = *state;
	struct key *loaded = NULL;
	struct stat st;
	char why[512], expected[600], *text;
	size_t len;

	assert_int_equal(call(f, "init", "--workers=3"), 0);
	assert_int_equal(stat(f->home, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(f->key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(service_key(f->home, &loaded, why, sizeof(why)), ERR_OK);
	assert_true(id_equal(key_id(loaded), key_id(made)));
	key_free(loaded);
	assert_int_equal(file_read(f->config, 1000, &text, &len), ERR_OK);
	assert_non_null(strstr(text, "\nworkers = 3\n"));
	free(text);

	assert_int_equal(call(f, "init", NULL), 1);
	assert_int_equal(init_err, ERR_EXISTS);
	snprintf(expected, sizeof(expected), "%s exists already; a directory is made once", f->key);
	assert_string_equal(init_why, expected);
}

static void test_init_keeps_config(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->home, 0700), 0);
	assert_int_equal(file_create(f->config, bytes_of_text("workers = 5\n"), 0600), ERR_OK);
	assert_int_equal(call(f, "init", NULL), 1);
	assert_int_equal(init_err, ERR_EXISTS);
	assert_non_null(strstr(init_why, "config.ini: already exists"));
	assert_false(file_exists(f->key));
}

static void test_key_refusals(void **state)
{
	struct fixture *f = *state;
	struct key *key = NULL;
	char why[512];

	assert_int_equal(service_key(f->home, &key, why, sizeof(why)), ERR_NOT_FOUND);
	assert_non_null(strstr(why, "its disk mounted?"));
	assert_int_equal(service_key(f->dir, &key, why, sizeof(why)), ERR_NOT_FOUND);
	assert_non_null(strstr(why, " init --dir "));
	assert_int_equal(call(f, "id", "--json"), 1);
	assert_int_equal(call(f, "init", NULL), 0);
	assert_int_equal(chmod(f->key, 0640), 0);
	assert_int_equal(service_key(f->home, &key, why, sizeof(why)), ERR_DENIED);
	assert_non_null(strstr(why, "chmod 600 "));
	assert_int_equal(file_replace(f->key, bytes_of_text("no key\n"), 0600), ERR_OK);
	assert_int_equal(service_key(f->home, &key, why, sizeof(why)), ERR_FORMAT);
	assert_non_null(strstr(why, "64 hex digits"));
	assert_null(key);
}

static void test_print_id(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "output"), *text, expected[300], id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];
	int out = dup(STDOUT_FILENO);
	size_t len;

	assert_int_equal(call(f, "init", NULL), 0);
	fflush(stdout);
	assert_non_null(freopen(path, "w", stdout));
	assert_int_equal(call(f, "id", "--json"), 0);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	assert_int_equal(file_read(path, 1000, &text, &len), ERR_OK);
	id_to_hex(key_id(made), id);
	address_to_text(key_address(made), address);
	snprintf(expected, sizeof(expected), "{\"id\": \"%s\", \"address\": \"%s\"}\n", id, address);
	assert_string_equal(text, expected);
	free(text);
	unlink(path);
	free(path);
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	char why[512], expected[600];

	assert_int_equal(service_lock(f->home, why, sizeof(why)), ERR_NOT_FOUND);
	assert_int_equal(mkdir(f->home, 0700), 0);
	assert_int_equal(service_lock(f->home, why, sizeof(why)), ERR_OK);
	assert_int_equal(service_lock(f->home, why, sizeof(why)), ERR_BUSY);
	snprintf(expected, sizeof(expected), "a daemon (process %ld) already runs in %s", (long)getpid(), f->home);
	assert_string_equal(why, expected);
}

struct counts {
	struct loop *loop;
	int stops, reloads;
};

static void count_stop(void *arg)
{
	struct counts *counts = arg;

	counts->stops++;
	loop_stop(counts->loop);
}

static void count_reload(void *arg)
{
	struct counts *counts = arg;

	counts->reloads++;
	raise(SIGPIPE); /* ignored */
	raise(SIGTERM);
}

static void raise_hup(void *arg)
{
	(void)arg;
	raise(SIGHUP);
}

static void test_signals(void **state)
{
	struct counts counts = {loop_new(), 0, 0};
	struct service_signals *signals = service_signals_new(counts.loop, count_stop, count_reload, &counts);

	(void)state;
	loop_post(counts.loop, raise_hup, NULL);
	loop_run(counts.loop);
	assert_int_equal(counts.reloads, 1);
	assert_int_equal(counts.stops, 1);
	service_signals_free(signals);
	service_signals_free(NULL);
	loop_free(counts.loop);
}

static void expect_notified(struct fixture *f, const char *name, bool abstract)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[64];
	ssize_t len;

	(void)f;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", name);
	if (abstract)
		at.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	service_notify("READY=1");
	len = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	assert_int_equal(len, 7);
	assert_memory_equal(got, "READY=1", 7);
	close(fd);
}

static void test_notify(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "socket"), name[100];

	expect_notified(f, path, false);
	unlink(path);
	service_notify("READY=1"); /* nobody listens: no harm */
	snprintf(name, sizeof(name), "@%s", f->dir);
	expect_notified(f, name, true);
	unsetenv("NOTIFY_SOCKET");
	service_notify("READY=1");
	free(path);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_init),	 WITH_FIXTURE(test_init_keeps_config),
		WITH_FIXTURE(test_key_refusals), WITH_FIXTURE(test_print_id),
		WITH_FIXTURE(test_lock),	 WITH_FIXTURE(test_notify),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
