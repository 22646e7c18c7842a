/* Each waits for a disk or another node, so each is a job. */
#include "node/dashboard/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/dashboard/frame.h"
#include "node/dashboard/html.h"

struct job {
	const struct nodes *nodes;
	struct http_request *request;
	struct hostport at;
	char text[HOSTPORT_TEXT]; /* of it */
	char code[32];
	char name[LOGIN_NAME_MOST + 2]; /* one that is too long stays so */
	char peer[64];
	enum err err;
	char why[PEERS_MESSAGE];
	char made[LOGIN_TOKEN_TEXT]; /* a code or a token */
};

static struct job *job_new(const struct nodes *nodes, struct http_request *request)
{
	struct job *job = memory_new(1, sizeof(*job));

	job->nodes = nodes;
	job->request = request;
	snprintf(job->peer, sizeof(job->peer), "%s", http_peer(request));
	return job;
}

static void submit(struct job *job, void (*work)(void *arg), void (*done)(void *arg))
{
	pool_submit(job->nodes->pool, work, job->nodes->loop, done, job);
}

/* A page that tells how it went, for forms. */
static void tell(struct http_request *request, int status, const char *what, const char *why)
{
	struct frame frame = {.title = "Nodes", .status = status, .panel = "nodes"};
	FILE *to = frame_begin(&frame);

	html_put(to, status < 300 ? "<p>$ <strong class=\"code\">$</strong></p>" : "<p class=\"bad\">$ $</p>", what,
		 why);
	fputs("<p><a href=\"/nodes\">Back to all nodes</a></p>", to);
	frame_answer(&frame, request);
}

/* For another node. */

static void work_pair(void *arg)
{
	struct job *job = arg;

	job->err = login_pair(job->nodes->login, job->code, job->peer, job->name, clock_wall(), job->made);
}

static void paired(void *arg)
{
	struct job *job = arg;

	if (job->err == ERR_OK)
		http_answer_json(job->request, 200, json_pack("{s:s}", "token", job->made));
	else if (job->err == ERR_DENIED)
		http_answer_error(job->request, 401, "that code is wrong, used, or older than a quarter of an hour");
	else if (job->err == ERR_RANGE)
		http_answer_error(job->request, 400, "that is no name");
	else if (job->err == ERR_LIMIT)
		http_answer_error(job->request, 429, "too many tries, or too many tokens");
	else
		http_answer_error(job->request, 500, err_text(job->err));
	free(job);
}

void nodes_answer_pair(struct http_request *request, void *arg)
{
	struct bytes body = http_body(request);
	json_t *json = body.len == 0 ? NULL : json_loadb((const char *)body.data, body.len, 0, NULL);
	const char *code = json_text(json, "code"), *name = json_text(json, "name");
	struct job *job;

	if (code[0] == '\0' || name[0] == '\0') {
		http_answer_error(request, 400, "code and name: text");
		json_decref(json);
		return;
	}
	job = job_new(arg, request);
	snprintf(job->code, sizeof(job->code), "%s", code);
	snprintf(job->name, sizeof(job->name), "%s", name);
	json_decref(json);
	submit(job, work_pair, paired);
}

/* The page's forms. */

static void work_code(void *arg)
{
	struct job *job = arg;

	job->err = login_make_code(job->nodes->login, LOGIN_TO_PAIR, clock_wall(), job->made);
}

static void code_made(void *arg)
{
	struct job *job = arg;

	if (job->err == ERR_OK)
		tell(job->request, 200,
		     "Within a quarter of an hour, enter this code on the other node's page:", job->made);
	else
		tell(job->request, 500, "No code could be made:", err_text(job->err));
	free(job);
}

void nodes_make_code(struct http_request *request, void *arg)
{
	submit(job_new(arg, request), work_code, code_made);
}

static void work_add(void *arg)
{
	struct job *job = arg;

	job->err = peers_pair(job->nodes->peers, &job->at, job->code, job->nodes->own_name, job->why);
}

static void added(void *arg)
{
	struct job *job = arg;

	if (job->err == ERR_OK)
		http_answer_see(job->request, "/nodes");
	else
		tell(job->request, 400, "That node was not added:", job->why);
	free(job);
}

void nodes_add(struct http_request *request, void *arg)
{
	const char *at = http_parameter(request, "at"), *code = http_parameter(request, "code");
	struct job *job = job_new(arg, request);

	snprintf(job->code, sizeof(job->code), "%s", code != NULL ? code : "");
	if (at != NULL && hostport_parse(at, &job->at) == ERR_OK) {
		submit(job, work_add, added);
		return;
	}
	tell(request, 400, "That node was not added:", "say where its dashboard is, as HOST:PORT");
	free(job);
}

static void work_forget(void *arg)
{
	struct job *job = arg;

	job->err = peers_forget(job->nodes->peers, job->text);
}

static void forgotten(void *arg)
{
	struct job *job = arg;

	if (job->err == ERR_OK || job->err == ERR_NOT_FOUND)
		http_answer_see(job->request, "/nodes");
	else
		tell(job->request, 500, "The list cannot be written:", err_text(job->err));
	free(job);
}

void nodes_forget(struct http_request *request, void *arg)
{
	const char *at = http_parameter(request, "at");
	struct job *job = job_new(arg, request);

	snprintf(job->text, sizeof(job->text), "%s", at != NULL ? at : "");
	submit(job, work_forget, forgotten);
}
