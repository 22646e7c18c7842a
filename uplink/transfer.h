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

#define TRANSFER_AVOIDED 500   /* most nodes that are remembered as failed, … */
#define TRANSFER_EXCLUDED 1000 /* … which leaves room for a segment's own in what a message can exclude */

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
	struct address avoided[TRANSFER_AVOIDED]; /* nodes that failed with this object; the newest when too many */
	uint32_t avoided_count;
	struct buffers *plain; /* a stripe's plaintext each */
	struct buffers *coded; /* a stripe's units each, and their hashes */
};

/* For the object version that the satellite calls `version`. Takes the name over on success. ERR_PROTOCOL for a
 * policy that makes no sense. */
enum err transfer_new(struct uplink *uplink, const struct policy *policy, struct object_name *name,
		      const struct bytes32 *version, struct transfer **ret) WARN_UNUSED;
/* For moving units as they are, without an object and its keys: `plain` are of `bytes` each. ERR_PROTOCOL as above. */
enum err transfer_new_bare(struct uplink *uplink, const struct policy *policy, size_t bytes,
			   struct transfer **ret) WARN_UNUSED;
struct transfer *transfer_hold(struct transfer *transfer);
void transfer_release(struct transfer *transfer);

/* A node failed: other segments of this object had better do without it. */
void transfer_avoid(struct transfer *transfer, const struct address *node);
bool transfer_avoids(const struct transfer *transfer, const struct address *node);
/* Write them as items of a list; returns how many. */
uint32_t transfer_write_avoided(const struct transfer *transfer, struct writer *w);

/* Where segment `number` of this object is: for wrapping and unwrapping its key. */
struct crypto_place transfer_place(const struct transfer *transfer, uint32_t number, bool last, uint64_t plain_size);

#endif
