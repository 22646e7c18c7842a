/*
 * Calls to the satellite: one connection, made when first needed and again after it broke; any number of calls at
 * once.
 *
 * The satellite must be the one the access names (the transport's business) and must still have the EIP-712 domain
 * that the access was made with. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_METADATA_H
#define GRANARY_UPLINK_METADATA_H

#include "common/message.h"
#include "uplink/uplink.h"

struct metadata;
struct metadata_call;

/* An answer. With ERR_OK `message` is it, of the type that was expected, and its views die with the call: return true
 * to get the next part, false when this was the last. With anything else message is NULL, `why` is a sentence, and
 * the call is over whatever is returned. */
typedef bool metadata_answer(const struct message *message, enum err err, const char *why, void *arg);

/* `pinned`: refuse a satellite whose domain is not uplink->domain; otherwise take its domain over into the uplink
 * at the first answer (an access in the making). */
struct metadata *metadata_new(struct uplink *uplink, const struct endpoint *satellite, bool pinned);
/* Open calls end with ERR_CANCELLED. Runs the loop until the channel is closed. */
void metadata_free(struct metadata *metadata);

/* Ask; `expected` is the type of the answers. Never calls back from inside. The call is valid until it is over. */
struct metadata_call *metadata_ask(struct metadata *metadata, struct message *message, enum message_type expected,
				   metadata_answer *answer, void *arg);
/* Send what has no answer, when there is a connection; otherwise it is dropped. */
void metadata_tell(struct metadata *metadata, struct message *message);
/* Forget a call: no answer comes. */
void metadata_cancel(struct metadata_call *call);

#endif
