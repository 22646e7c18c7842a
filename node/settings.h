/* The node's options, read into plain values: what stays for the whole run, and what a SIGHUP may change. */
#ifndef GRANARY_NODE_SETTINGS_H
#define GRANARY_NODE_SETTINGS_H

#include "common/amount.h"
#include "common/log.h"
#include "common/options.h"
#include "common/serving.h"
#include "node/parts.h"
#include "node/store/store.h"

#define SETTINGS_MESSAGE 512

/* Names of the options that `init` writes to config.ini and `run` takes. */
#define SETTINGS_OPTIONS                                                                                        \
	"satellite allocate listen external http payout port-mapping router check-in settle index scrub " \
	"workers disk-threads in-flight "                                                                       \
	"requests serials web-dir watts kwh-price " SERVING_OPTIONS " log-level"

/* What running the node costs; zeros: nobody said. */
struct running_cost {
	unsigned watts;
	struct amount kwh; /* tokens per kWh */
};

struct settings {
	uint64_t allocation; /* bytes */
	enum store_index index;
	uint64_t scrub; /* seconds in which everything stored is read once; 0: never */
	struct hostport listen;
	struct hostport http;
	unsigned workers;
	unsigned disk_threads;
	uint64_t in_flight; /* bytes of payload in memory */
	uint32_t serials;   /* outstanding allocations per satellite and client */
	struct limits limits;
	const char *web_dir; /* in place of the page's embedded files; NULL */
	struct running_cost cost;
};

/* What can be changed while the node runs. */
struct live_settings {
	enum log_level log_level;
	uint64_t check_in;   /* seconds */
	uint64_t settle;     /* seconds, 0: on demand only */
	uint64_t allocation; /* bytes */
	bool has_external;
	struct hostport external;
	bool map_port;
	char router[256];
	bool has_payout;
	struct address payout;
	struct endpoint *satellites; /* settings_free_live */
	size_t satellite_count;
};

/* Where the index of pieces is to be. */
enum store_index settings_index(const struct options *options);
void settings_read(const struct options *options, struct settings *ret);
void settings_read_live(const struct options *options, struct live_settings *ret);
/* What is well-formed, but makes no sense: a satellite named twice, a payout to nobody. ERR_USAGE, with words. */
enum err settings_check_live(const struct live_settings *live, char *why, size_t room) WARN_UNUSED;
void settings_free_live(struct live_settings *live);

/* For commands that work without a running node: the satellites of the options, with the domains to which they are
 * pinned. A sentence goes to `why`. */
enum err settings_open_trust(const struct options *options, struct trust **ret, char why[SETTINGS_MESSAGE]) WARN_UNUSED;

#endif
