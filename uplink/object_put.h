/*
 * A stream of bytes to an object: cut into segments, each encrypted, coded and sent to its nodes, then committed.
 *
 * The next segments are read, coded and sent while the receipts of the last come in, within a fixed budget of memory
 * (uplink/transfer.h). Up to 4 KiB at the end of an object, or all of a small one, lie in the satellite's metadata. The
 * object becomes visible at the very end; on any failure it is given up, with the reason, and nothing is left.
 */
#ifndef GRANARY_UPLINK_OBJECT_PUT_H
#define GRANARY_UPLINK_OBJECT_PUT_H

#include "uplink/object_name.h"
#include "uplink/uplink.h"

/* Where the bytes come from. */
struct object_source {
	/* Up to `len` bytes, 0 at the end; called in the uplink's file thread, may block. On failure a sentence goes
	 * to *ret_why. */
	enum err (*read)(void *arg, uint8_t *buffer, size_t len, size_t *ret_len, const char **ret_why);
	/* Make a read that blocks return; called from the loop's thread when the put is given up. May be NULL. */
	void (*stop)(void *arg);
	void *arg;
};

struct object_put_request {
	uint64_t expires;  /* Unix seconds, 0: never */
	uint64_t modified; /* Unix seconds, 0: not known */
	const char *type;  /* MIME type, NULL: none */
	struct object_source source;
};

struct object_put;

/* The last call, from the loop; with a sentence in `why` on failure. The put is freed right after it. */
typedef void object_put_done(void *arg, enum err err, const char *why);

/* Start. The name is taken over, on success or not; the request is copied but for its type and source's arg. */
struct object_put *object_put_start(struct uplink *uplink, struct object_name *name,
				    const struct object_put_request *request, object_put_done *done, void *arg);
/* Give up: `done` follows with ERR_CANCELLED, when the satellite has forgotten the object; or with ERR_OK, when its
 * commit was under way already. */
void object_put_cancel(struct object_put *put);

/* Bytes stored so far (an estimate between segments). */
uint64_t object_put_progress(const struct object_put *put);

#endif
