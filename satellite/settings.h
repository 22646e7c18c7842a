/*
 * The satellite's configuration, read from the options once and never changed while it runs.
 */
#ifndef GRANARY_SATELLITE_SETTINGS_H
#define GRANARY_SATELLITE_SETTINGS_H

#include "audit/redundancy.h"
#include "audit/reputation.h"
#include "common/channel.h"
#include "common/listener.h"
#include "common/options.h"
#include "payments/held.h"
#include "payments/price.h"
#include "payments/typed.h"

#define SETTINGS_TEST_CHAIN 31337

/* What a process of the satellite does. Several may share the work, each on the same database. */
enum role {
	ROLE_API = 1,	 /* answers nodes, clients and HTTP; one process only */
	ROLE_AUDIT = 2,	 /* audits nodes and weighs what time does to their reputation */
	ROLE_REPAIR = 4, /* rebuilds pieces */
	ROLE_UPKEEP = 8, /* deletes, collects, closes days */
	ROLE_ALL = ROLE_API | ROLE_AUDIT | ROLE_REPAIR | ROLE_UPKEEP,
};

struct settings {
	const char *dir;
	bool test_network;	      /* no rule of distinct networks, loopback nodes allowed */
	struct domain domain;	      /* of everything that is signed */
	struct redundancy redundancy; /* of new objects */
	struct prices prices;	      /* that nodes are paid, surge included */
	struct charges charges;	      /* to clients */
	struct held_schedule held;
	unsigned prefer_cheaper;      /* percent of draws in which the cheaper of two nodes wins */
	unsigned prefer_better;       /* percent in which the one that served clients better wins */
	unsigned new_nodes;           /* percent of a segment's pieces that nodes get that are not vetted */
	struct amount minimum_payout; /* below it, what a payee is owed rolls over */
	uint64_t online;	      /* seconds after its last check-in for which a node counts as online */
	uint64_t allocation_lifetime; /* seconds */
	uint64_t upload_lifetime;     /* seconds after which an upload that does not go on is dropped */
	uint64_t client_storage;      /* quota of clients without one of their own, bytes of pieces; 0: none */
	uint64_t client_egress;	      /* bytes a month; 0: none */
	uint64_t node_reserve;	      /* bytes that a node must have left to be given a new piece */
	uint64_t audit_period;	      /* seconds in which every piece is challenged once */
	uint32_t audit_samples;	      /* leaves of each piece */
	uint32_t audit_piece_ms;      /* milliseconds that a node gets for each piece */
	uint64_t audit_vetting;	      /* seconds between two batches of a node that is not vetted, at most */
	unsigned audit_extra;	      /* percent of turns in which a sample of all of the node's bytes comes first */
	unsigned audit_chained;	      /* percent of batches that are chained, of nodes that are not slow */
	unsigned audit_tries;	      /* times that a challenge is asked before silence has failed it */
	uint64_t audit_retry;	      /* seconds before the second time, doubling */
	uint64_t audit_keep;	      /* seconds for which transcripts of what was proven are kept */
	struct reputation_rules reputation;
	uint64_t collect_interval;    /* seconds between two collections of a node's garbage; 0: never */
	uint64_t repair_offline;      /* seconds after which a node that is away counts as gone */
	uint64_t repair_bandwidth;    /* bytes a second of all repairs together; 0: no limit */
	unsigned repair_threads;
	uint64_t exit_age;	/* seconds after its registration at which a node may leave in good order */
	unsigned exit_failures; /* percent of its pieces that may fail to be moved then */
	struct channel_limits channel;
	struct listener_limits listener;
	unsigned roles;	   /* of this process: enum role, added up */
	unsigned requests; /* of one session that are worked on at once */
	unsigned audit_threads;
	unsigned threads; /* that run verbs; 0 was replaced by the number of processors */
};

/* Check and convert. On failure `why` gets a sentence that names the option. A real network must name its chain and
 * its payout contract: ERR_USAGE otherwise. */
enum err settings_read(const struct options *options, struct settings *ret, char *why, size_t room) WARN_UNUSED;

#endif
