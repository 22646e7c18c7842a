/* Sessions in, sessions out. */
#include "node/dashboard/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/http_cookie.h"
#include "common/memory.h"
#include "node/dashboard/frame.h"
#include "node/dashboard/html.h"

#define COOKIE_NAME 32
#define PATH_MOST 120
#define PEER_MOST 64

static void cookie_name(const struct visit *visit, char out[COOKIE_NAME])
{
	snprintf(out, COOKIE_NAME, "granary_%u", visit->port);
}

bool visit_session(const struct visit *visit, struct http_request *request, char out[LOGIN_TOKEN_TEXT])
{
	char name[COOKIE_NAME];

	cookie_name(visit, name);
	return http_browser_cookie(request, name, out, LOGIN_TOKEN_TEXT);
}

static bool shows_token(const struct visit *visit, struct http_request *request)
{
	const char *header = http_header(request, "Authorization");

	return header != NULL && strncasecmp(header, HTTP_COOKIE_SCHEME, strlen(HTTP_COOKIE_SCHEME)) == 0 &&
	       login_has_token(visit->login, header + strlen(HTTP_COOKIE_SCHEME));
}

enum http_access visit_allows(struct http_request *request, void *arg)
{
	const struct visit *visit = arg;
	char session[LOGIN_TOKEN_TEXT];
	const char *form;

	if (shows_token(visit, request))
		return HTTP_READ;
	if (!visit_session(visit, request, session) || !login_has_session(visit->login, session, clock_wall()))
		return HTTP_OPEN;
	form = http_header(request, "X-Form-Token");
	if (form == NULL && http_read_form(request) == ERR_OK)
		form = http_parameter(request, "form");
	return form != NULL && login_form_fits(session, form) ? HTTP_WRITE : HTTP_READ;
}

void visit_add_headers(struct http_request *request)
{
	/* The hash is of the one inline style of dygraphs, with which it measures a letter. */
	http_add_header(request, "Content-Security-Policy",
			"default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
			"style-src 'self' 'unsafe-hashes' 'sha256-MJyOH6fkfzWPCLv2CfAAYjOtxkqoLBYZsmiMyy1D4sc='; "
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
	http_add_header(request, "X-Frame-Options", "DENY");
	/* Not "no-referrer": browsers then send forms with the Origin "null". */
	http_add_header(request, "Referrer-Policy", "same-origin");
}

/* Only a path of our own; "/" otherwise. */
static const char *own_path(const char *path)
{
	bool own = path != NULL && path[0] == '/' && path[1] != '/' && path[1] != '\\' && strlen(path) < PATH_MOST;

	for (const char *at = own ? path : ""; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~')
			return "/";
	return own ? path : "/";
}

static void show_form(struct http_request *request, int status, const char *code, const char *to, const char *why)
{
	struct frame frame = {.title = "Log in", .status = status};
	FILE *body = frame_begin(&frame);

	fputs("<section class=\"login\"><h1>Granary node</h1>", body);
	if (why[0] != '\0')
		html_put(body, "<p class=\"bad\" role=\"alert\">$</p>", why);
	html_put(body,
		 "<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"to\" value=\"$\">"
		 "<label>One-time code <input name=\"code\" value=\"$\" autocomplete=\"one-time-code\" "
		 "autocapitalize=\"characters\" spellcheck=\"false\" placeholder=\"XXXX-XXXX\"></label>"
		 "<button>Log in</button></form>"
		 "<form method=\"post\" action=\"/login\"><input type=\"hidden\" name=\"to\" value=\"$\">"
		 "<label>or password <input type=\"password\" name=\"password\" autocomplete=\"current-password\">"
		 "</label><button>Log in</button></form>",
		 own_path(to), code, own_path(to));
	fputs("<p>On the node, <code>granary-node dashboard code</code> prints a code that works once, and "
	      "<code>granary-node dashboard password</code> sets a password.</p></section>",
	      body);
	frame_answer(&frame, request);
}

void visit_show_login(struct http_request *request, void *arg)
{
	const char *code = http_parameter(request, "code"), *to = http_parameter(request, "to");

	(void)arg;
	show_form(request, 200, code != NULL ? code : "", to != NULL ? to : "/", "");
}

/* Someone logs in. */
struct entry {
	struct visit visit;
	struct http_request *request;
	char *password; /* or NULL: by code */
	char code[32];
	char to[PATH_MOST];
	char peer[PEER_MOST];
	uint64_t now;
	enum err err;
	char session[LOGIN_TOKEN_TEXT];
};

static void work_log_in(void *arg)
{
	struct entry *entry = arg;
	struct login *login = entry->visit.login;

	entry->err = entry->password != NULL
			     ? login_by_password(login, entry->password, entry->peer, entry->now, entry->session)
			     : login_by_code(login, entry->code, entry->peer, entry->now, entry->session);
}

static void set_cookie(const struct visit *visit, struct http_request *request, const char *session, uint64_t seconds)
{
	char name[COOKIE_NAME], cookie[256];

	cookie_name(visit, name);
	snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; Max-Age=%llu; HttpOnly; SameSite=Strict", name, session,
		 (unsigned long long)seconds);
	http_add_header(request, "Set-Cookie", cookie);
}

static void logged_in(void *arg)
{
	struct entry *entry = arg;

	if (entry->err == ERR_OK) {
		set_cookie(&entry->visit, entry->request, entry->session, LOGIN_SESSION_SECONDS);
		http_answer_see(entry->request, entry->to);
	} else if (entry->err == ERR_LIMIT) {
		show_form(entry->request, 429, "", entry->to, "Too many tries. Wait a minute.");
	} else if (entry->err == ERR_DENIED) {
		show_form(entry->request, 401, "", entry->to,
			  entry->password != NULL ? "That is not the password."
						  : "That code is wrong, used or older than a quarter of an hour.");
	} else {
		show_form(entry->request, 500, "", entry->to, err_text(entry->err));
	}
	if (entry->password != NULL)
		sodium_memzero(entry->password, strlen(entry->password));
	free(entry->password);
	sodium_memzero(entry->session, sizeof(entry->session));
	free(entry);
}

void visit_log_in(struct http_request *request, void *arg)
{
	const struct visit *visit = arg;
	const char *password, *code;
	struct entry *entry;

	if (http_read_form(request) != ERR_OK) {
		http_answer_error(request, 400, "malformed form");
		return;
	}
	password = http_parameter(request, "password");
	code = http_parameter(request, "code");
	entry = memory_new(1, sizeof(*entry));
	entry->visit = *visit;
	entry->request = request;
	entry->now = clock_wall();
	if (password != NULL)
		entry->password = memory_copy(password, strlen(password));
	snprintf(entry->code, sizeof(entry->code), "%s", code != NULL ? code : "");
	snprintf(entry->to, sizeof(entry->to), "%s", own_path(http_parameter(request, "to")));
	snprintf(entry->peer, sizeof(entry->peer), "%s", http_peer(request));
	pool_submit(visit->pool, work_log_in, visit->loop, logged_in, entry);
}

void visit_log_out(struct http_request *request, void *arg)
{
	const struct visit *visit = arg;
	char session[LOGIN_TOKEN_TEXT];
	enum err err = ERR_OK;

	if (visit_session(visit, request, session))
		err = login_end_session(visit->login, session);
	if (err != ERR_OK) {
		http_answer_error(request, 500, err_text(err));
		return;
	}
	set_cookie(visit, request, "", 0);
	http_answer_see(request, "/login");
}

void visit_send_away(struct http_request *request, const char *path)
{
	char location[PATH_MOST + 16];

	snprintf(location, sizeof(location), "/login?to=%s", own_path(path));
	http_answer_see(request, location);
}
