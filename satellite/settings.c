/* From options to settings. */
#include "satellite/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/serving.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct amount price(const struct options *options, const char *name, struct amount fallback)
{
	return option_given(options, name) ? amount_of(option_int(options, name)) : fallback;
}

/* What nodes are paid must not be more than clients are charged. */
static enum err read_prices(const struct options *options, struct settings *settings, char *why, size_t room)
{
	const struct charges charges = {amount_of(option_int(options, "charge-storage")),
					amount_of(option_int(options, "charge-egress"))};
	struct prices base, *prices = &base;
	unsigned surge = (unsigned)option_int(options, "surge");
	const char *name;

	settings->charges = charges;
	prices->storage = price(options, "price-storage", prices_default.storage);
	prices->egress = price(options, "price-egress", prices_default.egress);
	prices->audit = price(options, "price-audit", prices_default.audit);
	prices->repair = price(options, "price-repair", prices_default.repair);
	if (prices_surge(&base, surge, &settings->prices) != ERR_OK) {
		snprintf(why, room, "--surge %u: prices this high do not fit", surge);
		return ERR_USAGE;
	}
	if (prices_check_charges(&settings->prices, &charges, &name) != ERR_OK) {
		snprintf(why, room,
			 "--price-%s, with --surge %u, pays nodes more than clients are charged (--charge-%s)", name,
			 surge, name);
		return ERR_USAGE;
	}
	return ERR_OK;
}

static enum err read_pay(const struct options *options, struct settings *settings, char *why, size_t room)
{
	enum err err = read_prices(options, settings, why, room);

	if (err != ERR_OK)
		return err;
	settings->prefer_cheaper = (unsigned)option_int(options, "prefer-cheaper");
	settings->prefer_better = (unsigned)option_int(options, "prefer-better");
	settings->new_nodes = (unsigned)option_int(options, "new-nodes");
	if (settings->prefer_cheaper + settings->prefer_better > 100) {
		snprintf(why, room, "--prefer-cheaper %u and --prefer-better %u: more than 100 percent together",
			 settings->prefer_cheaper, settings->prefer_better);
		return ERR_USAGE;
	}
	settings->minimum_payout = amount_of(option_int(options, "minimum-payout"));
	if (held_parse(option_text(options, "held"), &settings->held) != ERR_OK) {
		snprintf(why, room, "--held \"%s\": not PERCENT:MONTHS,…, at most 100 percent and %d months",
			 option_text(options, "held"), HELD_MONTHS);
		return ERR_USAGE;
	}
	if (held_parse_release(option_text(options, "held-release"), &settings->held) != ERR_OK) {
		snprintf(why, room, "--held-release \"%s\": not PERCENT:MONTH, at most 100 percent",
			 option_text(options, "held-release"));
		return ERR_USAGE;
	}
	return ERR_OK;
}

/* Signatures of a test network must be worthless on a real one, so the two never share a domain. */
static enum err read_domain(const struct options *options, struct settings *settings, char *why, size_t room)
{
	uint64_t chain = option_int(options, "chain-id");
	struct address contract = {{0}};

	if (option_given(options, "contract"))
		contract = *option_address(options, "contract");
	if (!settings->test_network && chain == SETTINGS_TEST_CHAIN) {
		snprintf(why, room, "a real network needs --chain-id, other than %d (or give --test-network)",
			 SETTINGS_TEST_CHAIN);
		return ERR_USAGE;
	}
	if (!settings->test_network && address_is_zero(&contract)) {
		snprintf(why, room,
			 "a real network needs --contract, the payout contract's address "
			 "(or give --test-network)");
		return ERR_USAGE;
	}
	domain_init(&settings->domain, chain, &contract);
	return ERR_OK;
}

static enum err read_audits(const struct options *options, struct settings *settings, char *why, size_t room)
{
	char what[200] = "";

	settings->audit_period = option_int(options, "audit-period");
	settings->audit_samples = (uint32_t)option_int(options, "audit-samples");
	settings->audit_piece_ms = (uint32_t)option_int(options, "audit-timeout");
	settings->audit_threads = (unsigned)option_int(options, "audit-threads");
	settings->audit_vetting = option_int(options, "audit-vetting");
	settings->audit_extra = (unsigned)option_int(options, "audit-extra");
	settings->audit_chained = (unsigned)option_int(options, "audit-chained");
	settings->audit_tries = (unsigned)option_int(options, "audit-tries");
	settings->audit_retry = option_int(options, "audit-retry");
	settings->audit_keep = option_int(options, "audit-keep");
	settings->reputation = reputation_defaults;
	if (reputation_rules_parse(option_text(options, "reputation"), &settings->reputation, what, sizeof(what)) ==
	    ERR_OK)
		return ERR_OK;
	snprintf(why, room, "--reputation: %s", what);
	return ERR_USAGE;
}

/* "all", or roles separated by commas. */
static enum err read_roles(const char *text, unsigned *ret, char *why, size_t room)
{
	static const struct {
		const char *name;
		unsigned role;
	} names[] = {
		{"all", ROLE_ALL},
		{"api", ROLE_API},
		{"audit", ROLE_AUDIT},
		{"repair", ROLE_REPAIR},
		{"upkeep", ROLE_UPKEEP},
	};
	const char *at = text;

	*ret = 0;
	while (*at != '\0') {
		size_t len = strcspn(at, ","), i = 0;

		while (i < COUNT(names) && (strlen(names[i].name) != len || memcmp(names[i].name, at, len) != 0))
			i++;
		if (i == COUNT(names))
			break;
		*ret |= names[i].role;
		at += len + (at[len] == ',');
	}
	if (*at == '\0' && *ret != 0)
		return ERR_OK;
	snprintf(why, room, "--roles \"%s\": not all, or some of api, audit, repair and upkeep, with commas between",
		 text);
	return ERR_USAGE;
}

enum err settings_read(const struct options *options, struct settings *ret, char *why, size_t room)
{
	struct settings s = {.dir = options_dir(options), .test_network = option_flag(options, "test-network")};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const char *reason;
	enum err err;

	err = redundancy_parse(option_text(options, "redundancy"), &s.redundancy, &reason);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", reason);
		return err;
	}
	err = read_domain(options, &s, why, room);
	if (err != ERR_OK)
		return err;
	err = read_pay(options, &s, why, room);
	if (err == ERR_OK)
		err = read_audits(options, &s, why, room);
	if (err == ERR_OK)
		err = read_roles(option_text(options, "roles"), &s.roles, why, room);
	if (err != ERR_OK)
		return err;
	serving_read(options, &s.channel, &s.listener);
	s.requests = (unsigned)option_int(options, "requests");
	s.online = option_int(options, "online");
	s.allocation_lifetime = option_int(options, "allocation-lifetime");
	s.upload_lifetime = option_int(options, "upload-lifetime");
	s.client_storage = option_int(options, "client-storage");
	s.client_egress = option_int(options, "client-egress");
	s.node_reserve = option_int(options, "node-reserve");
	s.collect_interval = option_int(options, "collect-interval");
	s.repair_offline = option_int(options, "repair-offline");
	s.repair_bandwidth = option_int(options, "repair-bandwidth");
	s.repair_threads = (unsigned)option_int(options, "repair-threads");
	s.exit_age = option_int(options, "exit-age");
	s.exit_failures = (unsigned)option_int(options, "exit-failures");
	s.threads = (unsigned)option_int(options, "threads");
	if (s.threads == 0)
		s.threads = processors < 1 ? 1 : processors > 64 ? 64 : (unsigned)processors;
	*ret = s;
	return ERR_OK;
}
