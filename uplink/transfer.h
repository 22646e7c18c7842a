/*
 * What the segments of one object on its way share: the policy, the path's key, the object's place, and buffers.
 *
 * Counted, because work in the pool may outlive the copy that asked for it. Belongs to the loop's thread; the pool
 * reads it.
 */
#ifndef GRANARY_UPLINK_TRANSFER_H
#define GRANARY_UPLINK_TRANSFER_H

#include "uplink/buffers.h"
#include "uplink/crypto.h"
#include "uplink/erasure.h"
#include "uplink/object_name.h"
#include "uplink/segment.h"
#include "uplink/uplink.h"

/* The satellite's redundancy: any `required` of `total` pieces give a segment back. */
struct policy {
	uint16_t required;
	uint16_t repair;
	uint16_t success;
	uint16_t total;
};

struct transfer {
	unsigned references;
	struct uplink *uplink;
	struct policy policy;
	struct erasure *erasure; /* for encoding, from any thread */
	struct object_name name;
	struct crypto_place place; /* of every segment; number, last and plain_size are the segment's own */
	struct buffers *plain;	   /* a stripe's plaintext each */
	struct buffers *coded;	   /* a stripe's units each, and their hashes */
};

/* For the object version that the satellite calls `version`. Takes the name over on success. ERR_PROTOCOL for a
 * policy that makes no sense. */
enum err transfer_new(struct uplink *uplink, const struct policy *policy, struct object_name *name,
		      const struct bytes32 *version, struct transfer **ret) WARN_UNUSED;
struct transfer *transfer_hold(struct transfer *transfer);
void transfer_release(struct transfer *transfer);

/* Where segment `number` of this object is: for wrapping and unwrapping its key. */
struct crypto_place transfer_place(const struct transfer *transfer, uint32_t number, bool last, uint64_t plain_size);

#endif
