/* The arithmetic of segments. All divisions are by numbers that segment_plan found to be positive. */
#include "uplink/segment.h"

#include <assert.h>

uint64_t segment_stripe_plain_max(uint32_t required)
{
	return (uint64_t)required * SEGMENT_UNIT_PLAIN;
}

uint64_t segment_plain_max(uint32_t required)
{
	return SEGMENT_STRIPES * segment_stripe_plain_max(required);
}

enum err segment_plan(uint64_t plain_size, uint32_t required, struct segment_layout *ret)
{
	uint64_t full, rest, unit;

	if (required < 1 || required > SEGMENT_REQUIRED)
		return ERR_RANGE;
	if (plain_size < 1 || plain_size > segment_plain_max(required))
		return ERR_RANGE;
	full = (plain_size - 1) / segment_stripe_plain_max(required);
	rest = plain_size - full * segment_stripe_plain_max(required);
	unit = (rest + required - 1) / required + SEGMENT_TAG;
	unit = (unit + SEGMENT_ALIGN - 1) / SEGMENT_ALIGN * SEGMENT_ALIGN;
	*ret = (struct segment_layout){
		.plain_size = plain_size,
		.piece_size = full * SEGMENT_UNIT + unit,
		.required = required,
		.stripes = (uint32_t)full + 1,
		.last_unit = (uint32_t)unit,
	};
	return ERR_OK;
}

uint32_t segment_unit_size(const struct segment_layout *layout, uint32_t stripe)
{
	assert(stripe < layout->stripes);
	return stripe + 1 < layout->stripes ? SEGMENT_UNIT : layout->last_unit;
}

uint64_t segment_stripe_start(const struct segment_layout *layout, uint32_t stripe)
{
	assert(stripe < layout->stripes);
	return stripe * segment_stripe_plain_max(layout->required);
}

uint64_t segment_stripe_plain(const struct segment_layout *layout, uint32_t stripe)
{
	uint64_t rest = layout->plain_size - segment_stripe_start(layout, stripe);
	uint64_t most = segment_stripe_plain_max(layout->required);

	return rest < most ? rest : most;
}

uint64_t segment_unit_start(const struct segment_layout *layout, uint32_t stripe, uint32_t unit)
{
	uint64_t room = segment_unit_size(layout, stripe) - SEGMENT_TAG;
	uint64_t start = segment_stripe_start(layout, stripe) + unit * room;

	assert(unit < layout->required);
	return start < layout->plain_size ? start : layout->plain_size;
}

uint32_t segment_unit_plain(const struct segment_layout *layout, uint32_t stripe, uint32_t unit)
{
	uint64_t rest = layout->plain_size - segment_unit_start(layout, stripe, unit);
	uint32_t room = segment_unit_size(layout, stripe) - SEGMENT_TAG;

	return rest < room ? (uint32_t)rest : room;
}

uint64_t segment_unit_number(const struct segment_layout *layout, uint32_t stripe, uint32_t unit)
{
	assert(stripe < layout->stripes && unit < layout->required);
	return (uint64_t)stripe * layout->required + unit;
}

enum err segment_find(const struct segment_layout *layout, uint64_t offset, struct segment_place *ret)
{
	uint64_t in_stripe;
	uint32_t stripe, room;

	if (offset >= layout->plain_size)
		return ERR_RANGE;
	stripe = (uint32_t)(offset / segment_stripe_plain_max(layout->required));
	in_stripe = offset - segment_stripe_start(layout, stripe);
	room = segment_unit_size(layout, stripe) - SEGMENT_TAG;
	*ret = (struct segment_place){
		.stripe = stripe,
		.unit = (uint32_t)(in_stripe / room),
		.offset = (uint32_t)(in_stripe % room),
	};
	return ERR_OK;
}
