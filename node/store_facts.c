/* Numbers into JSON. */
#include "node/store_facts.h"

uint64_t store_facts_used(const struct store_space *space)
{
	return space->live + space->dead + space->overhead;
}

json_t *store_facts_space(const struct store_space *space)
{
	json_t *json = json_object();

	json_object_set_new(json, "allocation", json_integer((json_int_t)space->allocation));
	json_object_set_new(json, "used", json_integer((json_int_t)store_facts_used(space)));
	json_object_set_new(json, "available", json_integer((json_int_t)space->available));
	json_object_set_new(json, "live", json_integer((json_int_t)space->live));
	json_object_set_new(json, "pieces", json_integer((json_int_t)space->pieces));
	json_object_set_new(json, "dead", json_integer((json_int_t)space->dead));
	json_object_set_new(json, "overhead", json_integer((json_int_t)space->overhead));
	json_object_set_new(json, "reserved", json_integer((json_int_t)space->reserved));
	json_object_set_new(json, "free", json_integer((json_int_t)space->free));
	json_object_set_new(json, "read_only", json_boolean(space->read_only));
	if (space->read_only)
		json_object_set_new(json, "reason", json_string(space->reason));
	return json;
}

json_t *store_facts_json(struct store *store)
{
	struct store_space space;

	store_space(store, &space);
	return json_pack("{s:o}", "space", store_facts_space(&space));
}
