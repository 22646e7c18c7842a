/* Numbers into JSON. */
#include "node/store_facts.h"

#include <stdlib.h>

uint64_t store_facts_used(const struct store_space *space)
{
	return space->live + space->trash + space->dead + space->overhead;
}

json_t *store_facts_space(const struct store_space *space)
{
	json_t *json = json_object();

	json_object_set_new(json, "allocation", json_integer((json_int_t)space->allocation));
	json_object_set_new(json, "used", json_integer((json_int_t)store_facts_used(space)));
	json_object_set_new(json, "available", json_integer((json_int_t)space->available));
	json_object_set_new(json, "live", json_integer((json_int_t)space->live));
	json_object_set_new(json, "pieces", json_integer((json_int_t)space->pieces));
	json_object_set_new(json, "trash", json_integer((json_int_t)space->trash));
	json_object_set_new(json, "trashed", json_integer((json_int_t)space->trashed));
	json_object_set_new(json, "dead", json_integer((json_int_t)space->dead));
	json_object_set_new(json, "overhead", json_integer((json_int_t)space->overhead));
	json_object_set_new(json, "reserved", json_integer((json_int_t)space->reserved));
	json_object_set_new(json, "free", json_integer((json_int_t)space->free));
	json_object_set_new(json, "read_only", json_boolean(space->read_only));
	if (space->read_only)
		json_object_set_new(json, "reason", json_string(space->reason));
	return json;
}

json_t *store_facts_checked(const struct store_checked *checked)
{
	json_t *json = json_object();

	json_object_set_new(json, "bytes", json_integer((json_int_t)checked->bytes));
	json_object_set_new(json, "total", json_integer((json_int_t)checked->total));
	json_object_set_new(json, "segments", json_integer((json_int_t)checked->segments));
	json_object_set_new(json, "records", json_integer((json_int_t)checked->records));
	json_object_set_new(json, "pieces", json_integer((json_int_t)checked->pieces));
	json_object_set_new(json, "damaged", json_integer((json_int_t)checked->damaged));
	json_object_set_new(json, "found", json_integer((json_int_t)checked->found));
	json_object_set_new(json, "records_bad", json_integer((json_int_t)checked->records_bad));
	json_object_set_new(json, "segments_bad", json_integer((json_int_t)checked->segments_bad));
	json_object_set_new(json, "footers_bad", json_integer((json_int_t)checked->footers_bad));
	return json;
}

static json_t *time_or_null(uint64_t at)
{
	return at == 0 ? json_null() : json_integer((json_int_t)at);
}

static json_t *scrub_json(struct store *store)
{
	struct store_scrub scrub;
	json_t *json = json_object();

	store_scrub(store, &scrub);
	json_object_set_new(json, "period", json_integer((json_int_t)scrub.period));
	json_object_set_new(json, "rounds", json_integer((json_int_t)scrub.rounds));
	json_object_set_new(json, "under_way", json_boolean(scrub.under_way));
	json_object_set_new(json, "started", time_or_null(scrub.started));
	json_object_set_new(json, "finished", time_or_null(scrub.finished));
	json_object_set_new(json, "round", store_facts_checked(&scrub.now));
	return json;
}

json_t *store_facts_damage(struct store *store)
{
	struct store_damage damage;

	store_damage(store, &damage);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "pieces", (json_int_t)damage.pieces, "bytes",
			 (json_int_t)damage.bytes, "untold", (json_int_t)damage.untold, "gone_files",
			 (json_int_t)damage.gone_files, "gone_pieces", (json_int_t)damage.gone_pieces);
}

json_t *store_facts_held(struct store *store)
{
	struct store_held *held;
	size_t count = store_collect_held(store, &held);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char address[KEY_ADDRESS_TEXT];

		address_to_text(&held[i].address, address);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:b}", "satellite", address, "since",
						      (json_int_t)held[i].since, "bytes", (json_int_t)held[i].bytes,
						      "of", (json_int_t)held[i].of, "agreed", held[i].agreed));
	}
	free(held);
	return list;
}

enum err store_facts_agree(struct store *store, const struct address *satellite)
{
	struct store_held *held;
	size_t count = store_collect_held(store, &held);
	enum err err = ERR_NOT_FOUND;

	for (size_t i = 0; i < count; i++) {
		if (address_equal(&held[i].address, satellite))
			err = store_collect_agree(store, held[i].satellite);
	}
	free(held);
	return err;
}

json_t *store_facts_json(struct store *store)
{
	struct store_space space;

	store_space(store, &space);
	return json_pack("{s:o, s:o, s:o, s:o}", "space", store_facts_space(&space), "damage",
			 store_facts_damage(store), "scrub", scrub_json(store), "held", store_facts_held(store));
}
