/* Trusted satellites: a short list under a mutex, and their domains in a small file. */
#include "node/trust.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"

#define FILE_VERSION 1
#define FILE_LIMIT (1024 * 1024)
#define TEST_CHAIN 31337

/* What was said once. Kept also for satellites that are trusted no more: they may come back. */
struct pin {
	struct address satellite;
	uint64_t chain_id;
	struct address contract;
};

struct trust {
	char *path;
	pthread_mutex_t lock;
	struct satellite *list;
	size_t count;
	struct pin *pins;
	size_t pin_count;
	size_t pin_room;
};

static struct pin *pin_find(struct trust *trust, const struct address *address)
{
	for (size_t i = 0; i < trust->pin_count; i++) {
		if (address_equal(&trust->pins[i].satellite, address))
			return &trust->pins[i];
	}
	return NULL;
}

static void pin_add(struct trust *trust, const struct pin *pin)
{
	trust->pins = memory_grow(trust->pins, &trust->pin_room, trust->pin_count + 1, sizeof(*trust->pins));
	trust->pins[trust->pin_count++] = *pin;
}

static void satellite_set_domain(struct trust *trust, struct satellite *satellite)
{
	const struct pin *pin = pin_find(trust, &satellite->address);

	satellite->pinned = pin != NULL;
	if (pin != NULL)
		domain_init(&satellite->domain, pin->chain_id, &pin->contract);
}

/* The chain id is text, because JSON's readers differ about large numbers. */
static enum err read_pin(const json_t *item, struct pin *ret)
{
	const char *satellite = json_string_value(json_object_get(item, "satellite"));
	const char *chain_id = json_string_value(json_object_get(item, "chain_id"));
	const char *contract = json_string_value(json_object_get(item, "contract"));
	int end = 0;

	if (satellite == NULL || chain_id == NULL || contract == NULL)
		return ERR_FORMAT;
	if (address_from_text(satellite, &ret->satellite) != ERR_OK ||
	    address_from_text(contract, &ret->contract) != ERR_OK)
		return ERR_FORMAT;
	if (sscanf(chain_id, "%" SCNu64 "%n", &ret->chain_id, &end) != 1 || chain_id[end] != '\0')
		return ERR_FORMAT;
	return ret->chain_id == 0 ? ERR_FORMAT : ERR_OK;
}

static enum err read_pins(struct trust *trust, const char *text)
{
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *item;
	const json_t *list = json_object_get(root, "domains");
	enum err err = ERR_OK;
	struct pin pin;
	size_t i;

	if (json_integer_value(json_object_get(root, "version")) != FILE_VERSION || !json_is_array(list))
		err = ERR_FORMAT;
	json_array_foreach(list, i, item) {
		if (err == ERR_OK)
			err = read_pin(item, &pin);
		if (err == ERR_OK)
			pin_add(trust, &pin);
	}
	json_decref(root);
	return err;
}

static enum err write_pins(struct trust *trust)
{
	json_t *list = json_array(), *root = json_pack("{s:i, s:o}", "version", FILE_VERSION, "domains", list);
	char satellite[KEY_ADDRESS_TEXT], contract[KEY_ADDRESS_TEXT], chain_id[24], *text;
	enum err err;

	for (size_t i = 0; i < trust->pin_count; i++) {
		address_to_text(&trust->pins[i].satellite, satellite);
		address_to_text(&trust->pins[i].contract, contract);
		snprintf(chain_id, sizeof(chain_id), "%" PRIu64, trust->pins[i].chain_id);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "satellite", satellite, "chain_id", chain_id,
						      "contract", contract));
	}
	text = json_dumps(root, JSON_INDENT(2));
	if (text == NULL)
		abort();
	err = file_replace(trust->path, bytes_of_text(text), 0600);
	free(text);
	json_decref(root);
	return err;
}

enum err trust_open(const char *dir, struct trust **ret, char why[TRUST_MESSAGE])
{
	struct trust *trust = memory_new(1, sizeof(*trust));
	char *text = NULL;
	size_t len;
	enum err err;

	pthread_mutex_init(&trust->lock, NULL);
	trust->path = file_join(dir, "domains.json");
	err = file_read(trust->path, FILE_LIMIT, &text, &len);
	if (err == ERR_OK)
		err = read_pins(trust, text);
	else if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	free(text);
	if (err != ERR_OK) {
		snprintf(why, TRUST_MESSAGE, "%s: %s", trust->path, err_text(err));
		trust_free(trust);
		return err;
	}
	*ret = trust;
	return ERR_OK;
}

void trust_free(struct trust *trust)
{
	if (trust == NULL)
		return;
	pthread_mutex_destroy(&trust->lock);
	free(trust->path);
	free(trust->list);
	free(trust->pins);
	free(trust);
}

enum err trust_set(struct trust *trust, const struct endpoint *endpoints, size_t count)
{
	struct satellite *list = memory_new(count + 1, sizeof(*list));
	enum err err = ERR_OK;

	pthread_mutex_lock(&trust->lock);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		for (size_t j = 0; j < i; j++) {
			if (id_equal(&endpoints[i].id, &endpoints[j].id))
				err = ERR_EXISTS;
		}
		list[i].endpoint = endpoints[i];
		if (err == ERR_OK)
			err = id_to_address(&endpoints[i].id, &list[i].address);
		if (err == ERR_OK)
			satellite_set_domain(trust, &list[i]);
	}
	if (err == ERR_OK) {
		struct satellite *old = trust->list;

		trust->list = list;
		trust->count = count;
		list = old;
	}
	pthread_mutex_unlock(&trust->lock);
	free(list);
	return err;
}

static struct satellite *find(struct trust *trust, const struct address *address)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (address_equal(&trust->list[i].address, address))
			return &trust->list[i];
	}
	return NULL;
}

enum err trust_find(struct trust *trust, const struct address *address, struct satellite *ret)
{
	const struct satellite *found;

	pthread_mutex_lock(&trust->lock);
	found = find(trust, address);
	if (found != NULL)
		*ret = *found;
	pthread_mutex_unlock(&trust->lock);
	return found != NULL ? ERR_OK : ERR_NOT_FOUND;
}

enum err trust_find_id(struct trust *trust, const struct id *id, struct satellite *ret)
{
	enum err err = ERR_NOT_FOUND;

	pthread_mutex_lock(&trust->lock);
	for (size_t i = 0; i < trust->count && err != ERR_OK; i++) {
		if (id_equal(&trust->list[i].endpoint.id, id)) {
			*ret = trust->list[i];
			err = ERR_OK;
		}
	}
	pthread_mutex_unlock(&trust->lock);
	return err;
}

size_t trust_list(struct trust *trust, struct satellite **ret)
{
	size_t count;

	pthread_mutex_lock(&trust->lock);
	count = trust->count;
	*ret = memory_new(count + 1, sizeof(**ret));
	if (count > 0)
		memcpy(*ret, trust->list, count * sizeof(**ret));
	pthread_mutex_unlock(&trust->lock);
	return count;
}

/* Keep a first word on disk before anyone acts on it. */
static enum err pin_first(struct trust *trust, const struct pin *pin)
{
	enum err err;

	pin_add(trust, pin);
	err = write_pins(trust);
	if (err != ERR_OK)
		trust->pin_count--;
	return err;
}

enum err trust_pin(struct trust *trust, const struct address *address, uint64_t chain_id,
		   const struct address *contract)
{
	const struct pin pin = {*address, chain_id, *contract}, *known;
	struct satellite *satellite;
	enum err err = ERR_OK;

	pthread_mutex_lock(&trust->lock);
	satellite = find(trust, address);
	known = pin_find(trust, address);
	if (satellite == NULL)
		err = ERR_NOT_FOUND;
	else if (chain_id == 0)
		err = ERR_RANGE;
	else if (known == NULL)
		err = pin_first(trust, &pin);
	else if (known->chain_id != chain_id || !address_equal(&known->contract, contract))
		err = ERR_CONFLICT;
	if (err == ERR_OK)
		satellite_set_domain(trust, satellite);
	pthread_mutex_unlock(&trust->lock);
	return err;
}

bool trust_is_test(struct trust *trust)
{
	bool test;

	pthread_mutex_lock(&trust->lock);
	test = trust->count > 0;
	for (size_t i = 0; i < trust->count; i++) {
		const struct satellite *s = &trust->list[i];

		test = test && s->pinned && s->domain.chain_id == TEST_CHAIN;
	}
	pthread_mutex_unlock(&trust->lock);
	return test;
}
