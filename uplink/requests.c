/* One message, one answer. */
#include "uplink/requests.h"

#include <stdlib.h>

#include "common/memory.h"
#include "uplink/metadata.h"

struct request {
	request_done *done;
	void *arg;
};

static bool on_answer(const struct message *message, enum err err, const char *why, void *arg)
{
	struct request *request = arg;

	(void)message;
	request->done(request->arg, err, why);
	free(request);
	return false;
}

static void ask(struct uplink *uplink, struct message *message, request_done *done, void *arg)
{
	struct request *request = memory_new(1, sizeof(*request));

	request->done = done;
	request->arg = arg;
	metadata_ask(uplink->metadata, message, MSG_DONE, on_answer, request);
}

void request_enrol(struct uplink *uplink, const struct grant *grant, request_done *done, void *arg)
{
	struct message message = {.type = MSG_ENROL};

	message.enrol.code = bytes_of(grant->code, sizeof(grant->code));
	ask(uplink, &message, done, arg);
}

void request_make_bucket(struct uplink *uplink, const char *bucket, request_done *done, void *arg)
{
	struct message message = {.type = MSG_MAKE_BUCKET};

	message.bucket.bucket = bytes_of_text(bucket);
	ask(uplink, &message, done, arg);
}

void request_remove_bucket(struct uplink *uplink, const char *bucket, request_done *done, void *arg)
{
	struct message message = {.type = MSG_REMOVE_BUCKET};

	message.bucket.bucket = bytes_of_text(bucket);
	ask(uplink, &message, done, arg);
}

void request_remove_object(struct uplink *uplink, const struct object_name *name, request_done *done, void *arg)
{
	struct message message = {.type = MSG_REMOVE_OBJECT};

	message.get_object.bucket = bytes_of_text(name->bucket);
	message.get_object.path = bytes_of(name->path, name->path_len);
	ask(uplink, &message, done, arg);
}
