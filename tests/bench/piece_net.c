/* The satellite here answers CHECK_IN and nothing else. */
#include "tests/bench/piece_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"

#define CHAIN_ID 31337
#define START_SECONDS 30

static void die(const char *what) __attribute__((noreturn));

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, errno == 0 ? "failed" : strerror(errno));
	exit(1);
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct piece_net *net = arg;
	struct message answer = {.type = MSG_CHECKED_IN, .request = message->request};

	if (message->type != MSG_CHECK_IN) {
		peer_refuse(peer, message->request, REFUSAL_DENIED, NULL);
		return;
	}
	answer.checked_in.time = clock_wall();
	answer.checked_in.reachable = 1;
	answer.checked_in.status = 1;
	peer_send(peer, &answer);
	atomic_store(&net->checked_in, true);
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	(void)peer;
	(void)err;
	(void)why;
	(void)arg;
}

static const struct peer_events satellite_events = {.request = on_request, .closed = on_closed};
static const struct msg_hello satellite_hello = {.version = MESSAGE_VERSION, .chain_id = CHAIN_ID};

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct piece_net *net = arg;
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (connection >= 0)
		peer_accept(loop_base(net->loop), net->satellite, connection, NULL, &satellite_hello, &satellite_events,
			    net);
}

/* A loopback socket on a free port; listening, or only to find the port. */
static int bind_free(struct hostport *ret)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		die("loopback");
	snprintf(ret->host, sizeof(ret->host), "127.0.0.1");
	ret->port = ntohs(at.sin_port);
	return fd;
}

static void play_satellite(struct piece_net *net)
{
	const struct address nobody = {{0}};

	net->satellite = key_generate();
	domain_init(&net->domain, CHAIN_ID, &nobody);
	net->satellite_at.id = *key_id(net->satellite);
	net->fd = bind_free(&net->satellite_at.at);
	net->loop = loop_new();
	net->accept = event_new(loop_base(net->loop), net->fd, EV_READ | EV_PERSIST, on_accept, net);
	event_add(net->accept, NULL);
	loop_start(net->loop, "satellite");
}

/* Run `granary-node VERB --dir DIR …` with its output in DIR.log. */
static pid_t run_node(const struct piece_net *net, const char *const *words)
{
	char log[80];
	pid_t pid;
	int fd;

	snprintf(log, sizeof(log), "%s/log", net->dir);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	/* A bench that fails leaves no daemon behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execvp(words[0], (char *const *)(uintptr_t)words);
	_exit(127);
}

static void start_node(struct piece_net *net)
{
	char dir[80], satellite[ENDPOINT_TEXT], listen_at[HOSTPORT_TEXT], http_at[HOSTPORT_TEXT], path[100];
	struct hostport http;
	struct key *key;
	int status, fd, http_fd;

	snprintf(dir, sizeof(dir), "%s/node", net->dir);
	snprintf(path, sizeof(path), "%s/key", dir);
	endpoint_print(&net->satellite_at, satellite);
	fd = bind_free(&net->node.at);
	http_fd = bind_free(&http);
	hostport_print(&net->node.at, listen_at);
	hostport_print(&http, http_at);
	close(fd);
	close(http_fd);
	const char *const init[] = {"granary-node", "init",	  "--dir", dir,	       "--satellite",
				    satellite,	    "--allocate", "8GB",   "--listen", listen_at,
				    "--http",	    http_at,	  NULL};
	const char *const run[] = {"granary-node", "run", "--dir", dir, NULL};

	if (waitpid(run_node(net, init), &status, 0) < 0 || status != 0 || key_load(path, &key) != ERR_OK)
		die("granary-node init (is it in PATH?)");
	net->node.id = *key_id(key);
	key_free(key);
	net->node_pid = run_node(net, run);
}

static void wait_for_check_in(struct piece_net *net)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	uint64_t end = clock_monotonic() + START_SECONDS * UINT64_C(1000000000);

	while (!atomic_load(&net->checked_in)) {
		if (clock_monotonic() > end || waitpid(net->node_pid, NULL, WNOHANG) != 0)
			die("granary-node did not check in; see its log");
		nanosleep(&pause, NULL);
	}
}

static struct uplink *open_uplink(const struct piece_net *net, const struct key *key)
{
	struct uplink *uplink = uplink_new(key, NULL, NULL);

	uplink->satellite = *key_address(net->satellite);
	uplink->domain = net->domain;
	return uplink;
}

struct piece_net *piece_net_new(void)
{
	struct piece_net *net = memory_new(1, sizeof(*net));

	snprintf(net->dir, sizeof(net->dir), "/tmp/granary-bench-XXXXXX");
	if (mkdtemp(net->dir) == NULL)
		die(net->dir);
	net->client = key_generate();
	play_satellite(net);
	start_node(net);
	wait_for_check_in(net);
	net->uplink = open_uplink(net, net->client);
	net->satellite_uplink = open_uplink(net, net->satellite);
	return net;
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

void piece_net_free(struct piece_net *net)
{
	uplink_free(net->uplink);
	uplink_free(net->satellite_uplink);
	kill(net->node_pid, SIGTERM);
	waitpid(net->node_pid, NULL, 0);
	loop_stop(net->loop);
	loop_join(net->loop);
	event_free(net->accept);
	close(net->fd);
	nftw(net->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	key_free(net->client);
	/* The satellite's loop still has a channel; the process is about to end. */
}

void piece_net_permit(const struct piece_net *net, const struct bytes32 *piece, enum action action, uint64_t limit,
		      struct permit *ret)
{
	struct allocation *allocation = &ret->allocation;
	struct signature signature;
	uint8_t random[28];
	struct writer w;

	memset(ret, 0, sizeof(*ret));
	ret->endpoint = net->node;
	random_bytes(random, sizeof(random));
	allocation->issued = clock_wall();
	allocation->expires = allocation->issued + 3600;
	serial_make(allocation->expires, random, &allocation->serial);
	allocation->satellite = *key_address(net->satellite);
	allocation->client = *key_address(net->client);
	if (id_to_address(&net->node.id, &allocation->node) != ERR_OK)
		abort();
	allocation->piece = *piece;
	allocation->action = (uint8_t)action;
	allocation->limit = limit;
	typed_hash(&typed_allocation, allocation, &ret->hash);
	typed_sign(&typed_allocation, allocation, &net->domain, net->satellite, &signature);
	writer_init(&w, ret->wire, sizeof(ret->wire));
	typed_encode(&typed_allocation, allocation, &signature, &w);
	ret->wire_len = w.len;
}

/* The caller frees it. */
static char *read_proc(const struct piece_net *net, const char *name)
{
	char path[40], *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", net->node_pid, name);
	if (file_read(path, 16384, &text, &len) != ERR_OK)
		die(path);
	return text;
}

void piece_net_cpu(const struct piece_net *net, double *ret_client, double *ret_node)
{
	unsigned long user = 0, system = 0;
	struct rusage usage;
	char *text = read_proc(net, "stat");
	const char *after = strrchr(text, ')');

	/* proc(5): the 14th and 15th field, of which the second may hold spaces. */
	if (after == NULL ||
	    sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		die("/proc/PID/stat");
	free(text);
	*ret_node = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	getrusage(RUSAGE_SELF, &usage);
	*ret_client = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
		      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double piece_net_node_rss(const struct piece_net *net)
{
	char *text = read_proc(net, "status");
	const char *line = strstr(text, "VmRSS:");
	double kilobytes;

	if (line == NULL)
		die("VmRSS");
	kilobytes = strtod(line + 6, NULL);
	free(text);
	return kilobytes * 1024;
}
