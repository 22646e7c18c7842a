/* Made with the object, gone with the last stripe in the pool. */
#include "uplink/transfer.h"

#include <stdlib.h>

#include "common/memory.h"

/* Spare stripes that are kept: about those between the pool and the channels. */
#define SPARE 16

static bool policy_makes_sense(const struct policy *policy)
{
	return policy->required >= 1 && policy->required <= policy->success && policy->success <= policy->total &&
	       policy->total <= ERASURE_TOTAL;
}

enum err transfer_new_bare(struct uplink *uplink, const struct policy *policy, size_t bytes, struct transfer **ret)
{
	struct transfer *transfer;

	if (!policy_makes_sense(policy))
		return ERR_PROTOCOL;
	transfer = memory_new(1, sizeof(*transfer));
	transfer->references = 1;
	transfer->uplink = uplink;
	transfer->policy = *policy;
	transfer->plain = buffers_new(bytes, SPARE);
	*ret = transfer;
	return ERR_OK;
}

enum err transfer_new(struct uplink *uplink, const struct policy *policy, struct object_name *name,
		      const struct bytes32 *version, struct transfer **ret)
{
	size_t plain = segment_stripe_plain_max(policy->required);
	struct transfer *transfer;
	enum err err = transfer_new_bare(uplink, policy, plain, &transfer);

	if (err != ERR_OK)
		return err;
	if (erasure_new(policy->required, policy->total, &transfer->erasure) != ERR_OK)
		abort(); /* a policy that was just checked */
	transfer->name = *name;
	name->key = NULL;
	transfer->place.satellite = uplink->access->satellite.id;
	transfer->place.bucket = bytes_of_text(transfer->name.bucket);
	transfer->place.version = *version;
	transfer->coded = buffers_new((SEGMENT_UNIT + sizeof(struct bytes32)) * policy->total, SPARE);
	*ret = transfer;
	return ERR_OK;
}

struct transfer *transfer_hold(struct transfer *transfer)
{
	transfer->references++;
	return transfer;
}

void transfer_release(struct transfer *transfer)
{
	if (transfer == NULL || --transfer->references > 0)
		return;
	buffers_free(transfer->plain);
	buffers_free(transfer->coded);
	erasure_free(transfer->erasure);
	object_name_clear(&transfer->name);
	free(transfer);
}

static uint32_t avoided(const struct transfer *transfer)
{
	return transfer->avoided_count < TRANSFER_AVOIDED ? transfer->avoided_count : TRANSFER_AVOIDED;
}

bool transfer_avoids(const struct transfer *transfer, const struct address *node)
{
	for (uint32_t i = 0; i < avoided(transfer); i++) {
		if (address_equal(&transfer->avoided[i], node))
			return true;
	}
	return false;
}

void transfer_avoid(struct transfer *transfer, const struct address *node)
{
	if (!transfer_avoids(transfer, node))
		transfer->avoided[transfer->avoided_count++ % TRANSFER_AVOIDED] = *node;
}

uint32_t transfer_write_avoided(const struct transfer *transfer, struct writer *w)
{
	struct item_node item;

	for (uint32_t i = 0; i < avoided(transfer); i++) {
		item.node = transfer->avoided[i];
		fields_encode(&item_node_fields, &item, w);
	}
	return avoided(transfer);
}

struct crypto_place transfer_place(const struct transfer *transfer, uint32_t number, bool last, uint64_t plain_size)
{
	struct crypto_place place = transfer->place;

	place.number = number;
	place.last = last;
	place.plain_size = plain_size;
	return place;
}
