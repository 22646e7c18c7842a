/*
 * What is known of an object: the satellite's word, checked against what its writer sealed.
 */
#ifndef GRANARY_UPLINK_OBJECT_STAT_H
#define GRANARY_UPLINK_OBJECT_STAT_H

#include "uplink/object_name.h"
#include "uplink/transfer.h"
#include "uplink/uplink.h"

struct object_facts {
	uint64_t size;	   /* bytes */
	uint64_t created;  /* Unix seconds, as all times here */
	uint64_t expires;  /* 0: never */
	uint64_t modified; /* of the file it was, 0: not known */
	char type[256];	   /* "" when not known */
	struct bytes32 version;
	uint32_t segments;
	struct policy policy;
};

/* The one call back, from the loop: facts are NULL on failure, with a sentence in `why`. */
typedef void object_stat_done(void *arg, const struct object_facts *facts, enum err err, const char *why);

/* Ask the satellite. The name is taken over. */
void object_stat(struct uplink *uplink, struct object_name *name, object_stat_done *done, void *arg);

/* The answer to GET_OBJECT, decrypted and checked. ERR_AUTH, ERR_FORMAT, ERR_PROTOCOL with words in *ret_why. */
enum err object_facts_take(const struct uplink *uplink, const struct object_name *name, const struct msg_object *object,
			   struct object_facts *ret, const char **ret_why) WARN_UNUSED;

#endif
