/* One HTTP POST a call, and a strict look at what comes back. */
#include "common/rpc.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/http.h>

#include "common/http_exchange.h"
#include "common/memory.h"

#define ANSWER_MOST (4 * 1024 * 1024)
#define PATH_MOST 1024
#define HTTP_PORT 80
#define SERVER_TEXT (HOSTPORT_TEXT + 8)

struct rpc {
	struct hostport at;
	char server[SERVER_TEXT];
	char path[PATH_MOST];
	unsigned timeout_ms;
	int64_t id;    /* of the last call */
	json_t *error; /* of the last call, when the server reported one */
	char said[RPC_SAID + 1];
	char message[RPC_MESSAGE];
};

/* The parts of a URL that a request needs; a sentence in `why` when one cannot be had. */
static enum err read_url(const struct evhttp_uri *uri, struct rpc *rpc, char why[RPC_MESSAGE])
{
	const char *scheme = evhttp_uri_get_scheme(uri), *host = evhttp_uri_get_host(uri);
	const char *path = evhttp_uri_get_path(uri), *query = evhttp_uri_get_query(uri);
	int port = evhttp_uri_get_port(uri), len;

	if (scheme != NULL && strcasecmp(scheme, "https") == 0) {
		snprintf(why, RPC_MESSAGE,
			 "https is not spoken here: name an http:// URL, of a tunnel on this host "
			 "for instance");
		return ERR_UNSUPPORTED;
	}
	if (scheme == NULL || strcasecmp(scheme, "http") != 0 || host == NULL || host[0] == '\0') {
		snprintf(why, RPC_MESSAGE, "not a URL like http://127.0.0.1:8545/");
		return ERR_FORMAT;
	}
	if (evhttp_uri_get_userinfo(uri) != NULL) {
		snprintf(why, RPC_MESSAGE, "a name or password in the URL is not supported");
		return ERR_UNSUPPORTED;
	}
	len = snprintf(rpc->path, PATH_MOST, "%s%s%s", path == NULL || path[0] == '\0' ? "/" : path,
		       query == NULL ? "" : "?", query == NULL ? "" : query);
	snprintf(rpc->server, sizeof(rpc->server), "%.255s:%u", host, port < 0 ? HTTP_PORT : (unsigned)port);
	if (len >= PATH_MOST || strlen(host) > 255 || port == 0 || hostport_parse(rpc->server, &rpc->at) != ERR_OK) {
		snprintf(why, RPC_MESSAGE, "the URL's host, port or path is malformed or too long");
		return ERR_FORMAT;
	}
	return ERR_OK;
}

enum err rpc_open(const char *url, unsigned timeout_ms, struct rpc **ret, char why[RPC_MESSAGE])
{
	struct rpc *rpc = memory_new(1, sizeof(*rpc));
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	enum err err = ERR_FORMAT;

	if (uri == NULL)
		snprintf(why, RPC_MESSAGE, "not a URL like http://127.0.0.1:8545/");
	else
		err = read_url(uri, rpc, why);
	rpc->timeout_ms = timeout_ms;
	if (uri != NULL)
		evhttp_uri_free(uri);
	if (err != ERR_OK) {
		free(rpc);
		return err;
	}
	*ret = rpc;
	return ERR_OK;
}

void rpc_close(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	json_decref(rpc->error);
	free(rpc);
}

/* A stranger's text for our terminal. */
static void make_printable(const char *from, char out[RPC_SAID + 1])
{
	size_t len = 0;

	for (; len < RPC_SAID && from[len] != '\0'; len++)
		out[len] = from[len] >= ' ' && from[len] <= '~' ? from[len] : '?';
	out[len] = '\0';
}

static enum err explain_failure(struct rpc *rpc, enum err err)
{
	const char *what = err == ERR_UNREACHABLE ? "nothing answers there"
			   : err == ERR_TIMEOUT	  ? "no answer in time"
			   : err == ERR_LIMIT	  ? "the answer is too long"
						  : "it hung up without an answer";

	snprintf(rpc->message, sizeof(rpc->message), "%s: %s", rpc->server, what);
	return err == ERR_LIMIT ? ERR_PROTOCOL : err;
}

/* The server reported an error: keep it. */
static enum err keep_error(struct rpc *rpc, const char *method, json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));

	rpc->error = json_incref(error);
	make_printable(message == NULL ? "no reason given" : message, rpc->said);
	snprintf(rpc->message, sizeof(rpc->message), "%s: %s: %s", rpc->server, method, rpc->said);
	return ERR_REMOTE;
}

static enum err judge(struct rpc *rpc, const char *method, const struct http_reply *reply, json_t **ret)
{
	json_t *json = reply->body == NULL ? NULL : json_loadb(reply->body, reply->len, 0, NULL);
	const json_t *id = json_object_get(json, "id");
	json_t *result = json_object_get(json, "result"), *error = json_object_get(json, "error");
	bool ours = json_is_integer(id) && json_integer_value(id) == rpc->id;
	enum err err = ERR_PROTOCOL;

	/* An error may come without our id when the server could not read the request (JSON-RPC 2.0, section 5). */
	if (json_is_object(error) && (ours || json_is_null(id))) {
		err = keep_error(rpc, method, error);
	} else if (ours && result != NULL && reply->status < 300) {
		*ret = json_incref(result);
		err = ERR_OK;
	} else if (reply->status >= 300) {
		snprintf(rpc->message, sizeof(rpc->message), "%s: %s: HTTP status %d", rpc->server, method,
			 reply->status);
	} else {
		snprintf(rpc->message, sizeof(rpc->message), "%s: %s: what came is no answer in JSON-RPC", rpc->server,
			 method);
	}
	json_decref(json);
	return err;
}

enum err rpc_call(struct rpc *rpc, const char *method, json_t *params, json_t **ret)
{
	struct http_question question = {.method = "POST",
					 .to = rpc->at,
					 .path = rpc->path,
					 .answer_most = ANSWER_MOST,
					 .timeout_ms = rpc->timeout_ms};
	json_t *json = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)++rpc->id, "method",
				 method, "params", params);
	char *text = json_dumps(json, JSON_COMPACT);
	struct http_reply reply = {0};
	enum err err;

	assert(text != NULL); /* both strings and params are our own */
	json_decref(rpc->error);
	rpc->error = NULL;
	question.body = bytes_of_text(text);
	err = http_exchange(&question, &reply);
	err = err == ERR_OK ? judge(rpc, method, &reply, ret) : explain_failure(rpc, err);
	free(reply.body);
	free(text);
	json_decref(json);
	return err;
}

const char *rpc_message(const struct rpc *rpc)
{
	return rpc->message;
}

int rpc_error_code(const struct rpc *rpc)
{
	json_int_t code = json_integer_value(json_object_get(rpc->error, "code"));

	return code < INT_MIN || code > INT_MAX ? 0 : (int)code;
}

const char *rpc_error_said(const struct rpc *rpc)
{
	return rpc->error == NULL ? "" : rpc->said;
}

const json_t *rpc_error_data(const struct rpc *rpc)
{
	return json_object_get(rpc->error, "data");
}

const char *rpc_server(const struct rpc *rpc)
{
	return rpc->server;
}
