/* A worker's copy of the online nodes. */
#include "satellite/roster.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/pricing.h"
#include "satellite/registry.h"
#include "satellite/reports.h"

#define FRESH 1000000000       /* nanoseconds */
#define FRESH_ASKS 60000000000 /* asks come with settlements and mostly begin with a day */
#define FRESH_QUALITY 60000000000

struct ask {
	struct address node;
	struct prices prices;
};

/* Of a node that clients saw. */
struct quality {
	struct address node;
	uint16_t quality;
};

struct roster {
	struct candidate *candidates;
	struct select_set *set;
	char **networks;
	char **endpoints;
	uint32_t count;
	size_t room;
	uint64_t read_at;    /* monotonic; 0: never */
	struct prices offer; /* to nodes that ask for nothing less */
	struct ask *asks;    /* by address */
	size_t ask_count, ask_room;
	uint64_t asks_at; /* monotonic; 0: never */
	uint64_t asks_day;
	struct quality *qualities; /* by address */
	size_t quality_count, quality_room;
	uint64_t qualities_at; /* monotonic; 0: never */
};

struct roster *roster_new(void)
{
	return memory_new(1, sizeof(struct roster));
}

static void clear(struct roster *roster)
{
	select_set_free(roster->set);
	roster->set = NULL;
	for (uint32_t i = 0; i < roster->count; i++) {
		free(roster->networks[i]);
		free(roster->endpoints[i]);
	}
	roster->count = 0;
}

void roster_free(struct roster *roster)
{
	if (roster == NULL)
		return;
	clear(roster);
	free(roster->candidates);
	free(roster->networks);
	free(roster->endpoints);
	free(roster->asks);
	free(roster->qualities);
	free(roster);
}

static enum err add_ask(const struct price *ask, void *arg)
{
	struct roster *roster = arg;

	roster->asks = memory_grow(roster->asks, &roster->ask_room, roster->ask_count + 1, sizeof(*roster->asks));
	roster->asks[roster->ask_count++] = (struct ask){ask->party, price_table(ask)};
	return ERR_OK;
}

/* Nothing when prices do not count. */
static enum err read_asks(struct desk *desk, bool now)
{
	struct roster *roster = desk->roster;
	uint64_t monotonic = clock_monotonic(), wall = clock_wall();
	enum err err;

	if (desk->settings->prefer_cheaper == 0 ||
	    (!now && roster->asks_at != 0 && monotonic - roster->asks_at < FRESH_ASKS &&
	     roster->asks_day == wall / PRICE_DAY))
		return ERR_OK;
	roster->ask_count = 0;
	roster->asks_at = 0;
	err = pricing_each_ask(desk->db, key_address(desk->key), wall, add_ask, roster);
	if (err != ERR_OK)
		return err;
	roster->offer = desk->settings->prices;
	roster->asks_at = monotonic;
	roster->asks_day = wall / PRICE_DAY;
	return ERR_OK;
}

static int compare_ask(const void *node, const void *ask)
{
	return memcmp(node, &((const struct ask *)ask)->node, sizeof(struct address));
}

/* Each is at most what clients are charged, an option's INT64_MAX, so the sum fits. */
static struct amount price_of(const struct roster *roster, const struct address *node)
{
	const struct ask *ask = NULL;
	struct prices paid;

	if (roster->ask_count > 0)
		ask = bsearch(node, roster->asks, roster->ask_count, sizeof(*roster->asks), compare_ask);
	paid = prices_paid(&roster->offer, ask == NULL ? NULL : &ask->prices);
	return amount_of(amount_units(paid.storage) + amount_units(paid.egress));
}

static enum err add_quality(const struct address *node, const struct select_record *record, void *arg)
{
	struct roster *roster = arg;

	roster->qualities = memory_grow(roster->qualities, &roster->quality_room, roster->quality_count + 1,
					sizeof(*roster->qualities));
	roster->qualities[roster->quality_count++] =
		(struct quality){*node, select_quality(record, EXPERIENCE_TYPICAL)};
	return ERR_OK;
}

/* Nothing when they do not count. */
static enum err read_qualities(struct desk *desk, bool now)
{
	struct roster *roster = desk->roster;
	uint64_t monotonic = clock_monotonic();
	enum err err;

	if (desk->settings->prefer_better == 0 ||
	    (!now && roster->qualities_at != 0 && monotonic - roster->qualities_at < FRESH_QUALITY))
		return ERR_OK;
	roster->quality_count = 0;
	roster->qualities_at = 0;
	err = reports_each(desk->db, clock_wall(), add_quality, roster);
	if (err == ERR_OK)
		roster->qualities_at = monotonic;
	return err;
}

static int compare_quality(const void *node, const void *quality)
{
	return memcmp(node, &((const struct quality *)quality)->node, sizeof(struct address));
}

static uint16_t quality_of(const struct roster *roster, const struct address *node)
{
	const struct quality *found = NULL;

	if (roster->quality_count > 0)
		found = bsearch(node, roster->qualities, roster->quality_count, sizeof(*roster->qualities),
				compare_quality);
	return found == NULL ? SELECT_QUALITY_USUAL : found->quality;
}

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct roster *roster = arg;
	struct endpoint endpoint = {.id = node->id};
	char text[ENDPOINT_TEXT];
	size_t room = roster->room;
	uint32_t i = roster->count;

	if (hostport_parse(node->endpoint, &endpoint.at) != ERR_OK)
		return ERR_CORRUPT;
	endpoint_print(&endpoint, text);
	roster->networks = memory_grow(roster->networks, &room, i + 1, sizeof(*roster->networks));
	room = roster->room;
	roster->endpoints = memory_grow(roster->endpoints, &room, i + 1, sizeof(*roster->endpoints));
	roster->candidates = memory_grow(roster->candidates, &roster->room, i + 1, sizeof(*roster->candidates));
	roster->networks[i] = memory_copy(node->network, bytes_of_text(node->network).len);
	roster->endpoints[i] = memory_copy(text, bytes_of_text(text).len);
	roster->candidates[i] = (struct candidate){
		.node = node->address,
		.network = roster->networks[i],
		.available = node->available,
		.price = price_of(roster, &node->address),
		.quality = quality_of(roster, &node->address),
		.vetted = node->state == STATE_GOOD,
	};
	roster->count++;
	return ERR_OK;
}

enum err roster_refresh(struct desk *desk, bool now)
{
	struct roster *roster = desk->roster;
	uint64_t monotonic = clock_monotonic();
	enum err err;

	if (!now && roster->read_at != 0 && monotonic - roster->read_at < FRESH)
		return ERR_OK;
	clear(roster);
	roster->read_at = 0;
	err = read_asks(desk, now);
	if (err == ERR_OK)
		err = read_qualities(desk, now);
	if (err == ERR_OK)
		err = registry_each_candidate(desk->db, registry_online_since(desk->settings, clock_wall()), add_node,
					      roster);
	if (err != ERR_OK)
		return err;
	roster->set = select_set_new(roster->candidates, roster->count);
	roster->read_at = monotonic;
	return ERR_OK;
}

const struct candidate *roster_candidates(const struct roster *roster, uint32_t *ret_count)
{
	*ret_count = roster->count;
	return roster->candidates;
}

struct select_set *roster_set(const struct roster *roster)
{
	return roster->set;
}

void roster_take_room(struct roster *roster, uint32_t index, uint64_t bytes)
{
	struct candidate *candidate = &roster->candidates[index];

	candidate->available -= bytes < candidate->available ? bytes : candidate->available;
}

const char *roster_endpoint(const struct roster *roster, uint32_t index)
{
	return roster->endpoints[index];
}
