/*
 * Further tables of routes, the guard, forms, browsers' cookies, files and streams, against a real socket.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/http.h"
#include "common/memory.h"

struct fixture {
	char dir[64];
	struct loop *loop;
	struct http *http;
	uint16_t port;
	struct http_stream *stream;
	atomic_int gone; /* streams of which we were told */
};

static void echo_form(struct http_request *request, void *arg)
{
	enum err err = http_read_form(request);
	const char *a = http_parameter(request, "a"), *b = http_parameter(request, "b");

	(void)arg;
	if (err != ERR_OK)
		http_answer_error(request, err == ERR_LIMIT ? 413 : 400, err_name(err));
	else
		http_answer_json(request, 200, json_pack("{s:s, s:s}", "a", a != NULL ? a : "-", "b", b ? b : "-"));
}

static void echo_cookie(struct http_request *request, void *arg)
{
	char value[9];

	(void)arg;
	http_add_header(request, "X-Peer", http_peer(request));
	if (http_browser_cookie(request, "session", value, sizeof(value)))
		http_answer_text(request, 200, "text/plain", value);
	else
		http_answer_text(request, 200, "text/plain", "none");
}

static void see_other(struct http_request *request, void *arg)
{
	(void)arg;
	http_answer_see(request, "/login");
}

static void send_file(struct http_request *request, void *arg)
{
	const struct http_file file = {"text/css", "abc123", bytes_of_text("plain text"), bytes_of_text("squeezed")};

	(void)arg;
	http_answer_file(request, &file);
}

static void on_gone(void *arg)
{
	struct fixture *f = arg;

	f->stream = NULL;
	atomic_fetch_add(&f->gone, 1);
}

static void begin_stream(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	f->stream = http_stream_begin(request, "text/event-stream", on_gone, f);
	if (f->stream != NULL)
		http_stream_send(f->stream, "data: first\n\n");
}

static void end_stream(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	if (f->stream != NULL) {
		http_stream_send(f->stream, "data: last\n\n");
		http_stream_end(f->stream);
	}
	f->stream = NULL;
	http_answer_text(request, 200, "text/plain", "ended");
}

/* More than a peer that reads nothing can be sent. */
static void flood_stream(struct http_request *request, void *arg)
{
	struct fixture *f = arg;
	char *line = memory_new(1, 64 * 1024);

	memset(line, 'x', 64 * 1024 - 1);
	for (int i = 0; i < 10000 && f->stream != NULL; i++)
		http_stream_send(f->stream, line);
	free(line);
	http_answer_text(request, 200, "text/plain", f->stream == NULL ? "cut" : "open");
}

static const struct http_route first[] = {
	{"GET", "/", see_other, HTTP_OPEN},
};
static const struct http_route second[] = {
	{"GET", "/look", echo_cookie, HTTP_READ},    {"POST", "/form", echo_form, HTTP_OPEN},
	{"POST", "/command", echo_form, HTTP_WRITE}, {"GET", "/cookie", echo_cookie, HTTP_OPEN},
	{"GET", "/file", send_file, HTTP_OPEN},	     {"GET", "/stream", begin_stream, HTTP_OPEN},
	{"GET", "/end", end_stream, HTTP_OPEN},	     {"GET", "/flood", flood_stream, HTTP_OPEN},
};

static enum http_access allows(struct http_request *request, void *arg)
{
	const char *pass = http_header(request, "X-Pass");

	(void)arg;
	if (pass == NULL)
		return HTTP_OPEN;
	return strcmp(pass, "write") == 0 ? HTTP_WRITE : strcmp(pass, "read") == 0 ? HTTP_READ : HTTP_OPEN;
}

static int set_up(void **state)
{
	const struct http_guard guard = {allows, NULL, "log in"};
	struct fixture *f = memory_new(1, sizeof(*f));
	struct hostport at;

	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->loop = loop_new();
	assert_int_equal(hostport_parse("127.0.0.1:0", &at), ERR_OK);
	assert_int_equal(http_serve(f->loop, &at, f->dir, first, 1, NULL, &f->http), ERR_OK);
	http_add_routes(f->http, second, sizeof(second) / sizeof(second[0]), f);
	http_set_guard(f->http, &guard);
	f->port = http_port(f->http);
	loop_start(f->loop, "http");
	*state = f;
	return 0;
}

static void stop(struct fixture *f)
{
	if (f->loop == NULL)
		return;
	loop_stop(f->loop);
	loop_join(f->loop);
	http_free(f->http);
	loop_free(f->loop);
	f->loop = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char *cookie = file_join(f->dir, "cookie");

	stop(f);
	unlink(cookie);
	assert_int_equal(rmdir(f->dir), 0);
	free(cookie);
	free(f);
	return 0;
}

static int send_request(const struct fixture *f, const char *text)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(file_write_all(fd, bytes_of_text(text)), ERR_OK);
	return fd;
}

/* Read until `mark` has come, or, NULL, until the end. */
static void read_until(int fd, const char *mark, char *out, size_t room)
{
	size_t len = 0;
	ssize_t got = 1;

	out[0] = '\0';
	while (len < room - 1 && got > 0 && (mark == NULL || strstr(out, mark) == NULL)) {
		got = read(fd, out + len, mark == NULL ? room - 1 - len : 1);
		len += got > 0 ? (size_t)got : 0;
		out[len] = '\0';
	}
}

/* The status; `out` gets all of the answer. */
static int ask(const struct fixture *f, const char *method, const char *path, const char *headers, const char *body,
	       char out[4096])
{
	char request[2048];
	int fd, status = 0;

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method,
		 path, headers, strlen(body), body);
	fd = send_request(f, request);
	read_until(fd, NULL, out, 4096);
	close(fd);
	sscanf(out, "HTTP/1.%*d %d", &status);
	return status;
}

static void test_tables_and_guard(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	assert_int_equal(ask(f, "GET", "/", "", "", out), 303);
	assert_non_null(strstr(out, "Location: /login\r\n"));
	assert_int_equal(ask(f, "GET", "/look", "", "", out), 401);
	assert_non_null(strstr(out, "log in"));
	assert_int_equal(ask(f, "GET", "/look", "X-Pass: read\r\n", "", out), 200);
	assert_non_null(strstr(out, "X-Peer: 127.0.0.1\r\n"));
	assert_int_equal(ask(f, "POST", "/command", "X-Pass: read\r\n", "", out), 401);
	assert_int_equal(ask(f, "POST", "/command", "X-Pass: write\r\n", "", out), 200);
	assert_int_equal(ask(f, "POST", "/look", "X-Pass: write\r\n", "", out), 405);
}

static void test_other_sites(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	assert_int_equal(ask(f, "POST", "/form", "Origin: http://localhost\r\n", "a=1", out), 200);
	assert_int_equal(ask(f, "POST", "/form", "Origin: http://evil.example\r\n", "a=1", out), 403);
	assert_int_equal(ask(f, "POST", "/form", "Origin: null\r\n", "a=1", out), 403);
	assert_int_equal(ask(f, "POST", "/command", "X-Pass: write\r\nOrigin: http://localhost:81\r\n", "", out), 403);
}

static void test_forms(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	assert_int_equal(ask(f, "POST", "/form?b=query", "", "a=one%20two%26%3D", out), 200);
	assert_non_null(strstr(out, "\"a\": \"one two&=\""));
	assert_non_null(strstr(out, "\"b\": \"query\""));
	assert_int_equal(ask(f, "POST", "/form", "", "a=1&b=x+y", out), 200);
	assert_non_null(strstr(out, "\"b\": \"x y\""));
	assert_int_equal(ask(f, "POST", "/form", "", "", out), 200);
	assert_int_equal(ask(f, "POST", "/form", "", "===&&", out), 400);
}

static void test_browser_cookies(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	ask(f, "GET", "/cookie", "Cookie: theme=dark; session=abc; x=1\r\n", "", out);
	assert_non_null(strstr(out, "\r\n\r\nabc"));
	ask(f, "GET", "/cookie", "Cookie: session=12345678\r\n", "", out);
	assert_non_null(strstr(out, "\r\n\r\n12345678"));
	ask(f, "GET", "/cookie", "Cookie: session=123456789\r\n", "", out); /* too long */
	assert_non_null(strstr(out, "\r\n\r\nnone"));
	ask(f, "GET", "/cookie", "Cookie: mysession=abc; session\r\n", "", out);
	assert_non_null(strstr(out, "\r\n\r\nnone"));
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	assert_int_equal(ask(f, "GET", "/file", "", "", out), 200);
	assert_non_null(strstr(out, "ETag: \"abc123\"\r\n"));
	assert_non_null(strstr(out, "\r\n\r\nplain text"));
	assert_int_equal(ask(f, "GET", "/file", "Accept-Encoding: br, gzip\r\n", "", out), 200);
	assert_non_null(strstr(out, "Content-Encoding: gzip\r\n"));
	assert_non_null(strstr(out, "\r\n\r\nsqueezed"));
	assert_int_equal(ask(f, "GET", "/file", "If-None-Match: W/\"x\", \"abc123\"\r\n", "", out), 304);
	assert_null(strstr(out, "plain text"));
	assert_int_equal(ask(f, "GET", "/file", "If-None-Match: \"abc12\"\r\n", "", out), 200);
}

static void test_stream(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	char out[4096], other[4096];

	read_until(fd, "data: first\n\n", out, sizeof(out));
	assert_non_null(strstr(out, "Content-Type: text/event-stream\r\n"));
	assert_int_equal(ask(f, "GET", "/end", "", "", other), 200);
	read_until(fd, "\r\n0\r\n\r\n", out, sizeof(out));
	assert_non_null(strstr(out, "data: last\n\n"));
	assert_int_equal(atomic_load(&f->gone), 0);
	close(fd);
}

static void wait_gone(struct fixture *f)
{
	char out[4096];

	while (atomic_load(&f->gone) == 0)
		ask(f, "GET", "/cookie", "", "", out);
}

static void test_stream_hang_up(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	char out[4096];

	read_until(fd, "data: first\n\n", out, sizeof(out));
	close(fd);
	wait_gone(f);
	assert_int_equal(atomic_load(&f->gone), 1);
}

static void test_stream_not_read(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	char out[4096];

	read_until(fd, "data: first\n\n", out, sizeof(out));
	ask(f, "GET", "/flood", "", "", out);
	assert_non_null(strstr(out, "\r\n\r\ncut"));
	assert_int_equal(atomic_load(&f->gone), 1);
	close(fd);
}

static void test_stream_at_the_stop(void **state)
{
	struct fixture *f = *state;
	int fd = send_request(f, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	char out[4096];

	read_until(fd, "data: first\n\n", out, sizeof(out));
	stop(f);
	assert_int_equal(atomic_load(&f->gone), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tables_and_guard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_sites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_browser_cookies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_hang_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_at_the_stop, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
