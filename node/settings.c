/* From options to values. Everything was checked against the table of main.c when it was read. */
#include "node/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/serving.h"
#include "node/portmap.h"

#define WORKERS_MOST 64

static unsigned workers_for(uint64_t wanted)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted > 0)
		return (unsigned)wanted;
	if (processors < 1)
		return 1;
	return processors > WORKERS_MOST ? WORKERS_MOST : (unsigned)processors;
}

enum store_index settings_index(const struct options *options)
{
	return strcmp(option_text(options, "index"), "mapped") == 0 ? STORE_INDEX_MAPPED : STORE_INDEX_MEMORY;
}

void settings_read(const struct options *options, struct settings *ret)
{
	ret->allocation = option_int(options, "allocate");
	ret->index = settings_index(options);
	ret->scrub = option_int(options, "scrub");
	ret->listen = *option_hostport(options, "listen");
	ret->http = *option_hostport(options, "http");
	ret->workers = workers_for(option_int(options, "workers"));
	ret->disk_threads = (unsigned)option_int(options, "disk-threads");
	ret->in_flight = option_int(options, "in-flight");
	ret->serials = (uint32_t)option_int(options, "serials");
	serving_read(options, &ret->limits.channel, &ret->limits.listener);
	ret->limits.requests = (unsigned)option_int(options, "requests");
	ret->web_dir = option_text(options, "web-dir");
	ret->cost.watts = (unsigned)option_int(options, "watts");
	ret->cost.kwh = amount_of(option_int(options, "kwh-price"));
}

void settings_read_live(const struct options *options, struct live_settings *ret)
{
	*ret = (struct live_settings){.log_level = LOG_INFO};
	log_level_from_name(option_text(options, "log-level"), &ret->log_level);
	ret->check_in = option_int(options, "check-in");
	ret->settle = option_int(options, "settle");
	ret->allocation = option_int(options, "allocate");
	ret->has_external = option_given(options, "external");
	if (ret->has_external)
		ret->external = *option_hostport(options, "external");
	ret->map_port = strcmp(option_text(options, "port-mapping"), "auto") == 0;
	if (option_given(options, "router"))
		snprintf(ret->router, sizeof(ret->router), "%s", option_text(options, "router"));
	ret->has_payout = option_given(options, "payout");
	if (ret->has_payout)
		ret->payout = *option_address(options, "payout");
	ret->satellite_count = option_count(options, "satellite");
	ret->satellites = memory_new(ret->satellite_count + 1, sizeof(*ret->satellites));
	for (size_t i = 0; i < ret->satellite_count; i++)
		ret->satellites[i] = *option_endpoint(options, "satellite", i);
}

enum err settings_check_live(const struct live_settings *live, char *why, size_t room)
{
	char id[KEY_ID_HEX];

	if (live->has_payout && address_is_zero(&live->payout)) {
		snprintf(why, room, "payout: what is paid to the zero address is lost");
		return ERR_USAGE;
	}
	if (!portmap_router_ok(live->router)) {
		snprintf(why, room, "router: \"%.60s\" begins with neither http:// nor natpmp://", live->router);
		return ERR_USAGE;
	}
	for (size_t i = 0; i < live->satellite_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (!id_equal(&live->satellites[i].id, &live->satellites[k].id))
				continue;
			id_to_hex(&live->satellites[i].id, id);
			snprintf(why, room, "satellite: %s is named twice", id);
			return ERR_USAGE;
		}
	}
	return ERR_OK;
}

void settings_free_live(struct live_settings *live)
{
	free(live->satellites);
	live->satellites = NULL;
}

enum err settings_open_trust(const struct options *options, struct trust **ret, char why[SETTINGS_MESSAGE])
{
	size_t count = option_count(options, "satellite");
	struct endpoint *endpoints = memory_new(count + 1, sizeof(*endpoints));
	struct trust *trust = NULL;
	enum err err = trust_open(options_dir(options), &trust, why);

	for (size_t i = 0; i < count; i++)
		endpoints[i] = *option_endpoint(options, "satellite", i);
	if (err == ERR_OK) {
		err = trust_set(trust, endpoints, count);
		if (err != ERR_OK)
			snprintf(why, SETTINGS_MESSAGE, "one satellite is named twice");
	}
	free(endpoints);
	if (err == ERR_OK)
		*ret = trust;
	else
		trust_free(trust);
	return err;
}
