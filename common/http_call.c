/* One request to a daemon on this host, for command-line tools: the cookie shown, JSON back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/file.h"
#include "common/http.h"
#include "common/http_cookie.h"
#include "common/http_exchange.h"

#define ANSWER_MAX (16 * 1024 * 1024)

/* The daemon serves all addresses: this host's own is one of them. */
static const char *reachable_host(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

/* What a request that was not answered came to. */
static enum err explain(enum err err, const char *at, char *why, size_t room)
{
	if (err == ERR_TIMEOUT)
		snprintf(why, room, "no answer in time from the daemon at %s", at);
	else if (err == ERR_LIMIT)
		snprintf(why, room, "the answer from %s is larger than %d MiB", at, ANSWER_MAX >> 20);
	else if (err == ERR_UNREACHABLE)
		snprintf(why, room, "no daemon listens at %s", at);
	else
		snprintf(why, room, "the daemon at %s hung up without an answer", at);
	return err == ERR_LIMIT ? ERR_PROTOCOL : err;
}

/* What the answer says. */
static enum err judge(const struct http_reply *reply, const char *at, json_t **ret, char *why, size_t room)
{
	json_t *json = reply->body == NULL ? NULL : json_loadb(reply->body, reply->len, JSON_DECODE_ANY, NULL);
	const char *message = json_string_value(json_object_get(json, "error"));
	enum err err = ERR_OK;

	if (reply->status >= 300) {
		snprintf(why, room, "%s", message != NULL ? message : "the daemon refused without a word");
		err = reply->status == 401 || reply->status == 403 ? ERR_DENIED : ERR_REMOTE;
	} else if (json == NULL) {
		snprintf(why, room, "what answers at %s does not speak JSON", at);
		err = ERR_PROTOCOL;
	} else {
		*ret = json;
		json = NULL;
	}
	json_decref(json);
	return err;
}

/* The exchange itself, the cookie put into its header. */
static enum err exchange(const struct http_question *bare, const char *cookie, struct http_reply *ret)
{
	struct http_question question = *bare;
	char token[sizeof(HTTP_COOKIE_SCHEME) + HTTP_COOKIE_TEXT];
	enum err err;

	if (cookie != NULL) {
		snprintf(token, sizeof(token), "%s%s", HTTP_COOKIE_SCHEME, cookie);
		question.authorization = token;
	}
	err = http_exchange(&question, ret);
	sodium_memzero(token, sizeof(token));
	return err;
}

enum err http_call(const char *method, const struct hostport *at, const char *path, const char *dir,
		   unsigned timeout_ms, json_t **ret, char *why, size_t room)
{
	struct http_question question = {
		.method = method, .path = path, .answer_most = ANSWER_MAX, .timeout_ms = timeout_ms};
	struct http_reply reply = {0};
	char *file = file_join(dir, HTTP_COOKIE_FILE), *cookie = NULL, shown[HOSTPORT_TEXT];
	size_t len = 0;
	enum err err = file_read(file, HTTP_COOKIE_TEXT - 1, &cookie, &len);

	/* Without a cookie many pages answer all the same, and the daemon knows best which. */
	if (err != ERR_OK && err != ERR_NOT_FOUND && strcmp(method, "POST") == 0) {
		snprintf(why, room, "cannot read %s: %s", file, err_text(err));
	} else {
		question.to.port = at->port;
		snprintf(question.to.host, sizeof(question.to.host), "%s", reachable_host(at->host));
		hostport_print(&question.to, shown);
		err = exchange(&question, cookie, &reply);
		err = err == ERR_OK ? judge(&reply, shown, ret, why, room) : explain(err, shown, why, room);
	}
	free(reply.body);
	if (cookie != NULL)
		sodium_memzero(cookie, len);
	free(cookie);
	free(file);
	return err;
}
