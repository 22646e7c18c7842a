/* One list under a lock, and a pool of one thread that does the talking. */
#include "node/dashboard/peers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/http_cookie.h"
#include "common/http_exchange.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/dashboard/html.h"
#include "node/dashboard/login.h"

#define NODES_FILE "nodes.json"
#define FILE_MOST (64 * 1024)
#define ANSWER_MOST (1024 * 1024)
#define ASK_SECONDS 60 /* between two rounds, when nobody looks */
#define LOOK_SECONDS 3 /* … and when somebody does */
#define ASK_MS 5000

struct peer {
	struct hostport at;
	char token[LOGIN_TOKEN_TEXT];
	uint64_t asked, answered; /* Unix seconds; 0: never */
	bool reachable;
	char error[PEERS_MESSAGE];
	json_t *summary;
};

struct peers {
	char *path;
	struct pool *pool;
	struct event *timer;
	atomic_bool asking; /* a round is under way */
	atomic_bool stop;
	pthread_mutex_t lock; /* guards what follows */
	struct peer list[PEERS_MOST];
	size_t count;
	uint64_t asked; /* when the last round began, seconds of the monotonic clock */
};

static struct peer *find_peer(struct peers *peers, const char *at)
{
	char text[HOSTPORT_TEXT];

	for (size_t i = 0; i < peers->count; i++) {
		hostport_print(&peers->list[i].at, text);
		if (strcmp(text, at) == 0)
			return &peers->list[i];
	}
	return NULL;
}

/* The file. */

static enum err write_list(struct peers *peers)
{
	json_t *list = json_array(), *json;
	char at[HOSTPORT_TEXT], *text;
	enum err err;

	for (size_t i = 0; i < peers->count; i++) {
		hostport_print(&peers->list[i].at, at);
		json_array_append_new(list, json_pack("{s:s, s:s}", "at", at, "token", peers->list[i].token));
	}
	json = json_pack("{s:i, s:o}", "version", 1, "nodes", list);
	text = json_dumps(json, JSON_INDENT(1));
	if (text == NULL)
		abort();
	err = file_replace(peers->path, bytes_of_text(text), 0600);
	sodium_memzero(text, strlen(text));
	free(text);
	json_decref(json);
	return err;
}

static void add_row(struct peers *peers, const json_t *row)
{
	const char *at = json_text(row, "at"), *token = json_text(row, "token");
	struct peer *peer = &peers->list[peers->count];

	if (peers->count == PEERS_MOST || strlen(token) != LOGIN_TOKEN_TEXT - 1 ||
	    hostport_parse(at, &peer->at) != ERR_OK)
		return;
	memcpy(peer->token, token, LOGIN_TOKEN_TEXT);
	peers->count++;
}

/* A list that cannot be read is no reason to stop a node. */
static void read_list(struct peers *peers)
{
	char *text = NULL;
	size_t len = 0, i;
	json_t *json = NULL;
	const json_t *row;
	enum err err = file_read(peers->path, FILE_MOST, &text, &len);

	if (err == ERR_OK) {
		json = json_loadb(text, len, 0, NULL);
		err = json == NULL ? ERR_FORMAT : ERR_OK;
	}
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		log_event(LOG_WARN, "nodes_unread", "file=" NODES_FILE " reason=%s", err_name(err));
	json_array_foreach(json_object_get(json, "nodes"), i, row)
		add_row(peers, row);
	json_decref(json);
	free(text);
}

/* Asking. */

static enum err ask(const struct peer *peer, json_t **ret, char why[PEERS_MESSAGE])
{
	char header[LOGIN_TOKEN_TEXT + 16];
	struct http_question question = {.method = "GET",
					 .to = peer->at,
					 .path = "/api/v1/summary",
					 .authorization = header,
					 .answer_most = ANSWER_MOST,
					 .timeout_ms = ASK_MS};
	struct http_reply reply = {0};
	enum err err;

	snprintf(header, sizeof(header), HTTP_COOKIE_SCHEME "%s", peer->token);
	err = http_exchange(&question, &reply);
	if (err != ERR_OK) {
		snprintf(why, PEERS_MESSAGE, "%s", err_text(err));
	} else if (reply.status != 200) {
		snprintf(why, PEERS_MESSAGE, "%s",
			 reply.status == 401 ? "it does not know this node's token any more: pair again"
					     : "it answered with an error");
		err = ERR_REMOTE;
	} else {
		*ret = json_loadb(reply.body, reply.len, 0, NULL);
		err = json_is_object(*ret) ? ERR_OK : ERR_PROTOCOL;
		snprintf(why, PEERS_MESSAGE, "%s", err == ERR_OK ? "" : "what answers there is no node");
	}
	free(reply.body);
	return err;
}

static void note(struct peers *peers, const struct hostport *at, enum err err, json_t *summary, const char *why)
{
	char text[HOSTPORT_TEXT];
	struct peer *peer;

	hostport_print(at, text);
	pthread_mutex_lock(&peers->lock);
	peer = find_peer(peers, text);
	if (peer != NULL) {
		peer->asked = clock_wall();
		peer->reachable = err == ERR_OK;
		snprintf(peer->error, sizeof(peer->error), "%s", why);
	}
	if (peer != NULL && err == ERR_OK) {
		peer->answered = peer->asked;
		json_decref(peer->summary);
		peer->summary = json_incref(summary);
	}
	pthread_mutex_unlock(&peers->lock);
}

static void ask_one(struct peers *peers, const struct peer *peer)
{
	char why[PEERS_MESSAGE] = "";
	json_t *summary = NULL;
	enum err err = ask(peer, &summary, why);

	note(peers, &peer->at, err, summary, why);
	json_decref(summary);
}

static void work_round(void *arg)
{
	struct peers *peers = arg;
	struct peer *copy;
	size_t count;

	pthread_mutex_lock(&peers->lock);
	count = peers->count;
	copy = memory_copy(peers->list, sizeof(peers->list));
	pthread_mutex_unlock(&peers->lock);
	for (size_t i = 0; i < count && !atomic_load(&peers->stop); i++)
		ask_one(peers, &copy[i]);
	sodium_memzero(copy, sizeof(peers->list));
	free(copy);
	atomic_store(&peers->asking, false);
}

/* Have all of them asked, unless that was done in the last `seconds`. */
static void ask_soon(struct peers *peers, uint64_t seconds)
{
	uint64_t now = clock_monotonic() / 1000000000 + ASK_SECONDS;
	bool due;

	pthread_mutex_lock(&peers->lock);
	due = peers->count > 0 && now - peers->asked >= seconds;
	if (due)
		peers->asked = now;
	pthread_mutex_unlock(&peers->lock);
	if (due && !atomic_exchange(&peers->asking, true))
		pool_submit(peers->pool, work_round, NULL, NULL, peers);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_soon(arg, ASK_SECONDS / 2);
}

struct peers *peers_new(struct loop *loop, const char *dir)
{
	const struct timeval every = {ASK_SECONDS, 0};
	struct peers *peers = memory_new(1, sizeof(*peers));

	peers->path = file_join(dir, NODES_FILE);
	pthread_mutex_init(&peers->lock, NULL);
	read_list(peers);
	peers->pool = pool_new(1, "nodes");
	peers->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, peers);
	event_add(peers->timer, &every);
	ask_soon(peers, 0);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	atomic_store(&peers->stop, true);
	event_free(peers->timer);
	pool_free(peers->pool);
	for (size_t i = 0; i < peers->count; i++)
		json_decref(peers->list[i].summary);
	sodium_memzero(peers->list, sizeof(peers->list));
	pthread_mutex_destroy(&peers->lock);
	free(peers->path);
	free(peers);
}

/* Pairing. */

static enum err fetch_token(const struct hostport *at, const char *code, const char *own_name,
			    char token[LOGIN_TOKEN_TEXT], char why[PEERS_MESSAGE])
{
	json_t *json = json_pack("{s:s, s:s}", "code", code, "name", own_name);
	char *body = json_dumps(json, 0);
	struct http_question question = {.method = "POST",
					 .to = *at,
					 .path = "/api/v1/pair",
					 .answer_most = ANSWER_MOST,
					 .timeout_ms = ASK_MS,
					 .body = bytes_of_text(body)};
	struct http_reply reply = {0};
	enum err err = http_exchange(&question, &reply);
	json_t *answer = err == ERR_OK && reply.body != NULL ? json_loadb(reply.body, reply.len, 0, NULL) : NULL;

	if (err != ERR_OK) {
		snprintf(why, PEERS_MESSAGE, "%s", err_text(err));
	} else if (reply.status != 200 || strlen(json_text(answer, "token")) != LOGIN_TOKEN_TEXT - 1) {
		snprintf(why, PEERS_MESSAGE, "it says: %.200s",
			 answer != NULL ? json_text(answer, "error") : "nothing");
		err = reply.status == 401 || reply.status == 429 ? ERR_DENIED : ERR_REMOTE;
	} else {
		memcpy(token, json_text(answer, "token"), LOGIN_TOKEN_TEXT);
	}
	json_decref(answer);
	free(reply.body);
	free(body);
	json_decref(json);
	return err;
}

/* Room for one more, at an address that is not there yet; under the lock. */
static enum err check_room(struct peers *peers, const char *at, char why[PEERS_MESSAGE])
{
	enum err err = ERR_OK;

	if (find_peer(peers, at) != NULL) {
		err = ERR_EXISTS;
		snprintf(why, PEERS_MESSAGE, "that node is on the list already");
	} else if (peers->count == PEERS_MOST) {
		err = ERR_LIMIT;
		snprintf(why, PEERS_MESSAGE, "there are %d nodes on the list: no more are taken", PEERS_MOST);
	}
	return err;
}

/* Put it on the list, and the list into the file. */
static enum err add_peer(struct peers *peers, const struct hostport *at, const char token[LOGIN_TOKEN_TEXT],
			 char why[PEERS_MESSAGE])
{
	struct peer *peer = &peers->list[peers->count++];
	enum err err;

	*peer = (struct peer){.at = *at};
	memcpy(peer->token, token, LOGIN_TOKEN_TEXT);
	err = write_list(peers);
	if (err != ERR_OK) {
		peers->count--;
		snprintf(why, PEERS_MESSAGE, "the list cannot be written: %s", err_text(err));
	}
	return err;
}

enum err peers_pair(struct peers *peers, const struct hostport *at, const char *code, const char *own_name,
		    char why[PEERS_MESSAGE])
{
	char text[HOSTPORT_TEXT], token[LOGIN_TOKEN_TEXT];
	enum err err;

	hostport_print(at, text);
	pthread_mutex_lock(&peers->lock);
	err = check_room(peers, text, why);
	pthread_mutex_unlock(&peers->lock);
	if (err == ERR_OK)
		err = fetch_token(at, code, own_name, token, why);
	if (err != ERR_OK)
		return err;
	/* Another may have come meanwhile. */
	pthread_mutex_lock(&peers->lock);
	err = check_room(peers, text, why);
	if (err == ERR_OK)
		err = add_peer(peers, at, token, why);
	pthread_mutex_unlock(&peers->lock);
	if (err == ERR_OK)
		ask_soon(peers, 0);
	return err;
}

enum err peers_forget(struct peers *peers, const char *at)
{
	struct peer *peer;
	enum err err = ERR_NOT_FOUND;

	pthread_mutex_lock(&peers->lock);
	peer = find_peer(peers, at);
	if (peer != NULL) {
		json_decref(peer->summary);
		*peer = peers->list[--peers->count];
		sodium_memzero(&peers->list[peers->count], sizeof(*peer));
		err = write_list(peers);
	}
	pthread_mutex_unlock(&peers->lock);
	return err;
}

static json_t *time_or_null(uint64_t at)
{
	return at > 0 ? json_integer((json_int_t)at) : json_null();
}

json_t *peers_json(struct peers *peers)
{
	json_t *list = json_array();

	ask_soon(peers, LOOK_SECONDS);
	pthread_mutex_lock(&peers->lock);
	for (size_t i = 0; i < peers->count; i++) {
		const struct peer *peer = &peers->list[i];
		char at[HOSTPORT_TEXT];

		hostport_print(&peer->at, at);
		json_array_append_new(list,
				      json_pack("{s:s, s:b, s:o, s:o, s:s, s:o}", "at", at, "reachable",
						peer->reachable, "asked", time_or_null(peer->asked), "answered",
						time_or_null(peer->answered), "error", peer->error, "summary",
						peer->summary != NULL ? json_deep_copy(peer->summary) : json_null()));
	}
	pthread_mutex_unlock(&peers->lock);
	return list;
}
