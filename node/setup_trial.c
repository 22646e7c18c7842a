/* A daemon for the time of a check, asked over HTTP like any other. */
#include "node/setup_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/http.h"
#include "node/dashboard/login.h"
#include "node/doctor.h"
#include "node/settings.h"

#define CALL_MS 5000
#define START_MS 60000 /* to answer at all */
#define DIAL_MS 20000  /* for all satellites to have dialled back, and the router to have answered */
#define LOOK_MS 100

struct trial {
	const struct options *options;
	pid_t pid; /* 0: another one runs already */
	bool running;
};

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

static void rest(void)
{
	(void)poll(NULL, 0, LOOK_MS);
}

static json_t *ask(const struct trial *trial, const char *method, const char *path)
{
	char why[SETTINGS_MESSAGE];
	json_t *json = NULL;

	return http_call(method, option_hostport(trial->options, "http"), path, options_dir(trial->options), CALL_MS,
			 &json, why, sizeof(why)) == ERR_OK
		       ? json
		       : NULL;
}

/* In the child: its log goes to DIR/setup.log. Options that were flags here are in config.ini by now. */
static void become_node(const char *dir)
{
	char *log = file_join(dir, "setup.log");
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
	    none = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && none >= 0 && dup2(none, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2)
		execl("/proc/self/exe", "granary-node", "run", "--dir", dir, (char *)NULL);
	_exit(127);
}

static bool has_ended(struct trial *trial)
{
	int status;

	if (trial->pid == 0 || waitpid(trial->pid, &status, WNOHANG) != trial->pid)
		return false;
	trial->pid = 0;
	trial->running = false;
	return true;
}

/* What it said before it ended. */
static void print_log(const char *dir)
{
	char *path = file_join(dir, "setup.log"), *text = NULL, *last;
	size_t len;

	if (file_read(path, 1024 * 1024, &text, &len) == ERR_OK && len > 1) {
		text[len - 1] = '\0';
		last = strrchr(text, '\n');
		fprintf(stderr, "%s\n", last == NULL ? text : last + 1);
	}
	free(text);
	free(path);
}

static void begin(struct trial *trial)
{
	uint64_t end = now_ms() + START_MS;
	json_t *status = ask(trial, "POST", "/api/v1/reload");

	trial->running = status != NULL;
	if (status == NULL) {
		fflush(stdout);
		trial->pid = fork();
		if (trial->pid == 0)
			become_node(options_dir(trial->options));
		if (trial->pid < 0)
			trial->pid = 0;
	}
	while (trial->pid != 0 && status == NULL && now_ms() < end && !has_ended(trial)) {
		rest();
		status = ask(trial, "GET", "/api/v1/status");
	}
	trial->running = status != NULL;
	json_decref(status);
}

/* Every satellite has dialled back, and the router, if one is asked, has said something. */
static bool is_settled(const json_t *status)
{
	const char *phase = json_string_value(json_object_get(json_object_get(status, "port_mapping"), "phase"));
	const json_t *satellite;
	size_t i;

	json_array_foreach(json_object_get(status, "satellites"), i, satellite) {
		if (!json_is_true(json_object_get(satellite, "connected")) ||
		    !json_is_true(json_object_get(satellite, "reachable")))
			return false;
	}
	return phase == NULL || strcmp(phase, "searching") != 0;
}

static void await_satellites(struct trial *trial)
{
	uint64_t end = now_ms() + DIAL_MS;
	bool settled = false;

	printf("Asking each satellite to dial back …\n");
	fflush(stdout);
	while (trial->running && !settled && now_ms() < end && !has_ended(trial)) {
		json_t *status = ask(trial, "GET", "/api/v1/status");

		settled = status != NULL && is_settled(status);
		json_decref(status);
		if (!settled)
			rest();
	}
}

/* Read all that is stored, as an auditor would want it read; of a store that has been at work, that takes hours. */
static void audit_self(struct trial *trial)
{
	json_t *status = ask(trial, "GET", "/api/v1/status"), *chore = NULL;
	const json_t *result;
	json_int_t pieces = json_integer_value(json_object_get(json_object_get(status, "space"), "pieces"));
	uint64_t end = now_ms() + DIAL_MS;

	if (status != NULL && pieces > 0)
		printf("The store has %lld pieces; granary-node store check reads them all.\n", (long long)pieces);
	else if (status != NULL)
		chore = ask(trial, "POST", "/api/v1/store/check?rate=0");
	while (chore != NULL && now_ms() < end &&
	       strcmp(json_string_value(json_object_get(chore, "state")), "running") == 0) {
		json_decref(chore);
		rest();
		chore = ask(trial, "GET", "/api/v1/store/chore");
	}
	result = json_object_get(chore, "result");
	if (json_is_object(result))
		printf("Audited itself: the store reads as it was written, %lld damaged pieces.\n",
		       (long long)json_integer_value(json_object_get(result, "damaged")));
	json_decref(chore);
	json_decref(status);
}

static void end(struct trial *trial)
{
	int status;

	if (trial->pid == 0)
		return;
	kill(trial->pid, SIGTERM);
	while (waitpid(trial->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	trial->pid = 0;
}

int setup_trial(const struct options *options)
{
	struct trial trial = {.options = options};
	struct doctor_report report;
	int level;

	begin(&trial);
	if (!trial.running) {
		fprintf(stderr, "granary-node: setup: the node does not run; its log is %s/setup.log. It ends with:\n",
			options_dir(options));
		print_log(options_dir(options));
		end(&trial);
		return 1;
	}
	await_satellites(&trial);
	audit_self(&trial);
	doctor_look(options, &report);
	doctor_print(&report);
	level = findings_level(report.findings);
	doctor_free(&report);
	end(&trial);
	return level > 1 ? 1 : 0;
}

void setup_print_next(const struct options *options)
{
	const char *dir = options_dir(options);
	struct login *login = login_new(dir);
	char code[LOGIN_CODE_TEXT], at[HOSTPORT_TEXT];

	hostport_print(option_hostport(options, "http"), at);
	printf("\nRun it:        granary-node run --dir %s\nLook at it:    http://%s/", dir, at);
	if (login_make_code(login, LOGIN_TO_ENTER, clock_wall(), code) == ERR_OK)
		printf("login?code=%s\n               (works once, within %d minutes; then: granary-node dashboard "
		       "code)\n",
		       code, LOGIN_CODE_SECONDS / 60);
	else
		putchar('\n');
	login_free(login);
}
