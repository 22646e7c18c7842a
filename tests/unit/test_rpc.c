/*
 * The JSON-RPC client against servers that answer, report errors, lie, babble, hang up and keep silent; and URLs.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/rpc.h"

#define PATIENCE_MS 20000

/* A server for one connection: reads a request of at most 4 KiB, writes `answer`, closes. */
struct server {
	int fd;
	char url[64];
	const char *answer; /* NULL: nothing, and the connection stays until the test ends it */
	size_t padding;	    /* so many spaces before the answer's last byte */
	char request[4096];
	pthread_t thread;
};

static bool is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");

	return end != NULL && length != NULL && strlen(end + 4) >= strtoul(length + 16, NULL, 10);
}

static void write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd = accept(server->fd, NULL, NULL);
	size_t len = 0;
	ssize_t n = 1;
	char space = ' ';

	while (n > 0 && !is_whole(server->request) && len < sizeof(server->request) - 1) {
		n = read(fd, server->request + len, sizeof(server->request) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		server->request[len] = '\0';
	}
	if (server->answer == NULL) {
		/* Until the other side gives up. */
		n = read(fd, &space, 1);
	} else {
		write_all(fd, server->answer, strlen(server->answer));
		for (size_t i = 0; i < server->padding; i += 4096) {
			char spaces[4096];

			memset(spaces, ' ', sizeof(spaces));
			write_all(fd, spaces, sizeof(spaces));
		}
	}
	close(fd);
	return NULL;
}

static void server_start(struct server *server, const char *answer)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);

	server->answer = answer;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server->fd, 1), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &len), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/v1?k=1", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->fd);
}

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

/* One call against such an answer. */
static enum err call(struct server *server, unsigned timeout_ms, struct rpc **ret_rpc, json_t **ret)
{
	char why[RPC_MESSAGE] = "";
	enum err err;

	assert_int_equal(rpc_open(server->url, timeout_ms, ret_rpc, why), ERR_OK);
	err = rpc_call(*ret_rpc, "eth_call", json_pack("[s]", "latest"), ret);
	server_stop(server);
	return err;
}

static void test_answer(void **state)
{
	struct server server = {0};
	struct rpc *rpc = NULL;
	json_t *json = NULL;

	(void)state;
	server_start(&server, HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x7a69\",\"more\":[]}");
	assert_int_equal(call(&server, PATIENCE_MS, &rpc, &json), ERR_OK);
	assert_string_equal(json_string_value(json), "0x7a69");
	assert_memory_equal(server.request, "POST /v1?k=1 HTTP/1.1\r\n", 23);
	assert_non_null(strstr(server.request, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(server.request,
			       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[\"latest\"]}"));
	json_decref(json);
	rpc_close(rpc);
}

static void test_null_result(void **state)
{
	struct server server = {0};
	struct rpc *rpc = NULL;
	json_t *json = NULL;

	(void)state;
	server_start(&server, HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
	assert_int_equal(call(&server, PATIENCE_MS, &rpc, &json), ERR_OK);
	assert_true(json_is_null(json));
	json_decref(json);
	rpc_close(rpc);
}

/* The server's error with all it says, of which nothing reaches the terminal raw; also under an HTTP error. */
static void test_error(void **state)
{
	static const char *const answers[] = {
		HEAD "{\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no \\u001b[31m\\u00e9\",\"data\":\"0x1234\"}}",
		"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n{\"id\":null,\"error\":{\"code\":-32000,\"message\":"
		"\"no \\u001b[31m\\u00e9\",\"data\":\"0x1234\"}}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server server = {0};
		struct rpc *rpc = NULL;
		json_t *json = NULL;

		server_start(&server, answers[i]);
		assert_int_equal(call(&server, PATIENCE_MS, &rpc, &json), ERR_REMOTE);
		assert_null(json);
		assert_int_equal(rpc_error_code(rpc), -32000);
		assert_string_equal(rpc_error_said(rpc), "no ?[31m??");
		assert_string_equal(json_string_value(rpc_error_data(rpc)), "0x1234");
		assert_non_null(strstr(rpc_message(rpc), ": eth_call: no ?[31m??"));
		assert_memory_equal(rpc_message(rpc), rpc_server(rpc), strlen(rpc_server(rpc)));
		rpc_close(rpc);
	}
}

static void test_nonsense(void **state)
{
	static const struct {
		const char *answer;
		enum err err;
		const char *said;
	} cases[] = {
		{HEAD "{\"id\":2,\"result\":\"0x1\"}", ERR_PROTOCOL, "no answer in JSON-RPC"}, /* to another call */
		{HEAD "{\"id\":\"1\",\"result\":\"0x1\"}", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "{\"id\":2,\"error\":{\"message\":\"x\"}}", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "{\"id\":1}", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "[]", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "{\"id\":1,\"result\":\"0x1\"", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "{\"id\":1,\"result\":\"\xff\"}", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{HEAD "", ERR_PROTOCOL, "no answer in JSON-RPC"},
		{"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>", ERR_PROTOCOL, "HTTP status 502"},
		{"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nConnection: close\r\n\r\n", ERR_PROTOCOL, "status 302"},
		{"SSH-2.0-OpenSSH\r\n", ERR_CLOSED, "hung up"},
		{"", ERR_CLOSED, "hung up"},
		{HEAD "{\"id\":1,\"error\":{}}", ERR_REMOTE, "no reason given"},
		{HEAD "{\"id\":1,\"error\":{\"code\":99999999999,\"message\":7}}", ERR_REMOTE, "no reason given"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server server = {0};
		struct rpc *rpc = NULL;
		json_t *json = NULL;

		server_start(&server, cases[i].answer);
		assert_int_equal(call(&server, PATIENCE_MS, &rpc, &json), cases[i].err);
		assert_null(json);
		assert_int_equal(rpc_error_code(rpc), 0);
		assert_non_null(strstr(rpc_message(rpc), cases[i].said));
		rpc_close(rpc);
	}
}

static void test_too_long(void **state)
{
	struct server server = {.padding = 5 * 1024 * 1024};
	struct rpc *rpc = NULL;
	json_t *json = NULL;

	(void)state;
	server_start(&server, HEAD "{\"id\":1,\"result\":1,");
	assert_int_equal(call(&server, PATIENCE_MS, &rpc, &json), ERR_PROTOCOL);
	assert_non_null(strstr(rpc_message(rpc), "too long"));
	rpc_close(rpc);
}

static void test_silence(void **state)
{
	struct server server = {0};
	struct rpc *rpc = NULL;
	json_t *json = NULL;

	(void)state;
	server_start(&server, NULL);
	assert_int_equal(call(&server, 50, &rpc, &json), ERR_TIMEOUT);
	assert_non_null(strstr(rpc_message(rpc), "no answer in time"));
	rpc_close(rpc);
}

static void test_nobody(void **state)
{
	struct server server = {0};
	char why[RPC_MESSAGE] = "";
	struct rpc *rpc = NULL;
	json_t *json = NULL;

	(void)state;
	/* Bound and not listening: the port is nobody else's meanwhile. */
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);

	assert_int_equal(bind(server.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &len), 0);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(rpc_open(server.url, PATIENCE_MS, &rpc, why), ERR_OK);
	assert_int_equal(rpc_call(rpc, "eth_chainId", json_array(), &json), ERR_UNREACHABLE);
	assert_non_null(strstr(rpc_message(rpc), "nothing answers there"));
	rpc_close(rpc);
	close(server.fd);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		enum err err;
		const char *server;
	} cases[] = {
		{"http://localhost", ERR_OK, "localhost:80"},
		{"HTTP://node.example:8545/v3/key", ERR_OK, "node.example:8545"},
		{"http://[::1]:8545/", ERR_OK, "[::1]:8545"},
		{"https://node.example/", ERR_UNSUPPORTED, NULL},
		{"http://me:pass@node.example/", ERR_UNSUPPORTED, NULL},
		{"ws://node.example/", ERR_FORMAT, NULL},
		{"node.example:8545", ERR_FORMAT, NULL},
		{"/var/run/geth.ipc", ERR_FORMAT, NULL},
		{"http://", ERR_FORMAT, NULL},
		{"http://node.example:0/", ERR_FORMAT, NULL},
		{"http://node.example:65536/", ERR_FORMAT, NULL},
		{"http://node.example/ x", ERR_FORMAT, NULL},
		{"http://node.example/\r\nHost: x", ERR_FORMAT, NULL},
		{"", ERR_FORMAT, NULL},
	};
	char why[RPC_MESSAGE], url[2048];
	struct rpc *rpc = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rpc = NULL;
		assert_int_equal(rpc_open(cases[i].url, 1, &rpc, why), cases[i].err);
		if (cases[i].err == ERR_OK)
			assert_string_equal(rpc_server(rpc), cases[i].server);
		rpc_close(rpc);
	}
	rpc = NULL;
	snprintf(url, sizeof(url), "http://%0300d/", 1); /* a host that is too long is not cut short */
	assert_int_equal(rpc_open(url, 1, &rpc, why), ERR_FORMAT);
	snprintf(url, sizeof(url), "http://h/%01100d", 1);
	assert_int_equal(rpc_open(url, 1, &rpc, why), ERR_FORMAT);
	assert_null(rpc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),	 cmocka_unit_test(test_null_result), cmocka_unit_test(test_error),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_too_long),    cmocka_unit_test(test_silence),
		cmocka_unit_test(test_nobody),	 cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
