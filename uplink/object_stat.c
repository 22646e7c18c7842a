/* GET_OBJECT and what its answer says. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "uplink/crypto.h"
#include "uplink/metadata.h"
#include "uplink/object_stat.h"
#include "uplink/segment.h"

struct stat_call {
	struct uplink *uplink;
	struct object_name name;
	object_stat_done *done;
	void *arg;
};

/* The sealed metadata speaks for the client who wrote the object; what the satellite says must agree with it. */
static enum err check_size(const struct msg_object *object, const struct crypto_metadata *metadata,
			   const char **ret_why)
{
	uint64_t full;

	*ret_why = "version and size are not those that were written: the satellite rolled the object back";
	if (!bytes32_equal(&metadata->version, &object->version) || metadata->plain_size != object->plain_size)
		return ERR_AUTH;
	*ret_why = "its redundancy makes no sense";
	if (object->required < 1 || object->required > SEGMENT_REQUIRED)
		return ERR_PROTOCOL;
	full = segment_plain_max(object->required);
	*ret_why = "its number of segments does not fit its size";
	if (object->segments != (object->plain_size == 0 ? 1 : (object->plain_size - 1) / full + 1))
		return ERR_PROTOCOL;
	return ERR_OK;
}

enum err object_facts_take(const struct uplink *uplink, const struct object_name *name, const struct msg_object *object,
			   struct object_facts *ret, const char **ret_why)
{
	const struct crypto_place place = {
		.satellite = uplink->access->satellite.id,
		.bucket = bytes_of_text(name->bucket),
	};
	uint8_t buffer[CRYPTO_METADATA_MAX];
	struct crypto_metadata metadata;
	enum err err;

	*ret_why = "its metadata does not decrypt: it was made with another access";
	err = crypto_open_metadata(name->key, &place, object->metadata, buffer, &metadata);
	if (err == ERR_OK)
		err = check_size(object, &metadata, ret_why);
	if (err != ERR_OK)
		return err;
	*ret = (struct object_facts){
		.size = object->plain_size,
		.created = object->created,
		.expires = object->expires,
		.modified = metadata.modified,
		.version = object->version,
		.segments = object->segments,
		.policy = {object->required, object->repair, object->success, object->total},
	};
	memcpy(ret->type, metadata.type.data, metadata.type.len);
	return ERR_OK;
}

static bool on_object(const struct message *message, enum err err, const char *why, void *arg)
{
	struct stat_call *call = arg;
	struct object_facts facts;

	if (err == ERR_OK)
		err = object_facts_take(call->uplink, &call->name, &message->object, &facts, &why);
	call->done(call->arg, err == ERR_OK ? &facts : NULL, err, why);
	object_name_clear(&call->name);
	free(call);
	return false;
}

void object_stat(struct uplink *uplink, struct object_name *name, object_stat_done *done, void *arg)
{
	struct stat_call *call = memory_new(1, sizeof(*call));
	struct message message = {.type = MSG_GET_OBJECT};

	call->uplink = uplink;
	call->name = *name;
	name->key = NULL;
	call->done = done;
	call->arg = arg;
	message.get_object.bucket = bytes_of_text(call->name.bucket);
	message.get_object.path = bytes_of(call->name.path, call->name.path_len);
	metadata_ask(uplink->metadata, &message, MSG_OBJECT, on_object, call);
}
