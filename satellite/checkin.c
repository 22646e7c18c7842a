/* The steps of a check-in. */
#include "satellite/checkin.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/memory.h"
#include "satellite/dialback.h"
#include "satellite/job.h"
#include "satellite/registry.h"

struct checkin {
	struct job job;
	struct endpoint dial;
	bool refused;
	bool reached;
	char host[ENDPOINT_HOST_MAX + 1];
	char why[200];
};

static void finish(void *arg)
{
	struct checkin *checkin = arg;

	server_end_dialback(session_server(checkin->job.session));
	*session_checking_in(checkin->job.session) = false;
	job_end(&checkin->job);
	free(checkin);
}

static void note_dialled(struct desk *desk, void *arg)
{
	struct checkin *checkin = arg;
	struct work work = job_work(&checkin->job, desk);

	verbs_conclude(&work, registry_dialled(&work, checkin->reached ? checkin->host : NULL, checkin->why));
}

static void on_dialled(const char *host, const char *why, void *arg)
{
	struct checkin *checkin = arg;
	char id[KEY_ID_HEX], quoted[200];

	checkin->reached = host != NULL;
	snprintf(checkin->host, sizeof(checkin->host), "%s", host == NULL ? "" : host);
	snprintf(checkin->why, sizeof(checkin->why), "%s", why);
	if (!checkin->reached) {
		id_to_hex(&checkin->job.caller.id, id);
		log_event(LOG_INFO, "node_unreachable", "node=%s why=%s", id, log_quote(why, quoted, sizeof(quoted)));
	}
	server_submit(session_server(checkin->job.session), note_dialled, finish, checkin);
}

static void note_check_in(struct desk *desk, void *arg)
{
	struct checkin *checkin = arg;
	struct work work = job_work(&checkin->job, desk);
	enum err err = registry_check_in(&work, &checkin->dial.at);

	checkin->refused = err != ERR_OK;
	verbs_conclude(&work, err);
}

static void dial(void *arg)
{
	struct checkin *checkin = arg;
	struct server *server = session_server(checkin->job.session);

	if (checkin->refused) {
		finish(checkin);
		return;
	}
	checkin->dial.id = checkin->job.caller.id;
	dialback_start(server_base(server), server_key(server), server_hello(server), &checkin->dial, on_dialled,
		       checkin);
}

void checkin_begin(struct session *session, const struct message *message)
{
	struct checkin *checkin;

	if (*session_checking_in(session) || !server_begin_dialback(session_server(session))) {
		session_answer_refusal(session, message->request, REFUSAL_BUSY, "too many check-ins at once");
		return;
	}
	*session_checking_in(session) = true;
	checkin = memory_new(1, sizeof(*checkin));
	job_init(&checkin->job, session, message);
	server_submit(session_server(session), note_check_in, dial, checkin);
}
