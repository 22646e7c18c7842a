/* The commands of granary-satellite; each returns the exit status. */
#ifndef GRANARY_SATELLITE_COMMANDS_H
#define GRANARY_SATELLITE_COMMANDS_H

#include <jansson.h>

#include "common/options.h"
#include "common/serving.h"
#include "satellite/desk.h"

#define COMMANDS_WHY 400

/* The options that make up a satellite's configuration: `init` saves them, `run` takes them. */
#define COMMANDS_SETTINGS                                                                                    \
	"listen external http test-network chain-id contract redundancy price-storage price-egress "         \
	"price-audit price-repair surge charge-storage charge-egress prefer-cheaper prefer-better "          \
	"new-nodes held held-release minimum-payout "                                                        \
	"online allocation-lifetime upload-lifetime client-storage client-egress node-reserve audit-period " \
	"audit-vetting audit-extra audit-chained audit-tries audit-retry audit-keep reputation "             \
	"audit-samples audit-timeout audit-threads repair-offline repair-bandwidth repair-threads "          \
	"exit-age exit-failures roles collect-interval threads requests " SERVING_OPTIONS " log-level"

int commands_init(struct options *options);
int commands_run(struct options *options); /* daemon.c */
int commands_id(struct options *options);
int commands_status(struct options *options);
int commands_grant(struct options *options);
int commands_nodes(struct options *options);	    /* node_commands.c */
int commands_node_show(struct options *options);    /* the same */
int commands_audit_export(struct options *options); /* the same */
int commands_clients(struct options *options);	    /* customer_commands.c */
int commands_quota(struct options *options);	    /* customer_commands.c */
int commands_audit(struct options *options);	    /* audit_command.c */
int commands_collect(struct options *options);	    /* collect_command.c */
int commands_collections(struct options *options);
int commands_restore(struct options *options);
int commands_repairs(struct options *options); /* repair_commands.c */
int commands_segments_health(struct options *options);
int commands_exits(struct options *options);
int commands_tally(struct options *options);	      /* tallies.c */
int commands_payout_preview(struct options *options); /* payout_command.c */
int commands_payout_close(struct options *options);
int commands_payout_export(struct options *options); /* books_commands.c */
int commands_payout_record(struct options *options);
int commands_payout_adjust(struct options *options);
int commands_simulate(struct options *options); /* simulate_command.c */
int commands_standing(struct options *options);
int commands_ledger_show(struct options *options); /* ledger_command.c */
int commands_ledger_check(struct options *options);

/* For commands that work on the database themselves: read the settings, load the key, open a desk; log warnings only.
 * The caller closes what was opened, also after a failure, for which `why` gets a sentence. */
enum err commands_open(struct options *options, struct settings *ret_settings, struct key **ret_key,
		       struct desk **ret_desk, char *why, size_t room) WARN_UNUSED;
/* "granary-satellite: WHY" to stderr; returns 1. */
int commands_complain(const char *why);
/* Print and let go of it. */
void commands_print_json(json_t *json);

#endif
