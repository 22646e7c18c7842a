/* The commands of granary-node that are not the daemon: they make its directory, or ask it over HTTP. */
#ifndef GRANARY_NODE_COMMANDS_H
#define GRANARY_NODE_COMMANDS_H

#include "common/options.h"

int node_setup(struct options *options);  /* setup.c */
int node_doctor(struct options *options); /* doctor.c */
int node_init(struct options *options);
int node_status(struct options *options); /* status.c */
int node_pause(struct options *options);  /* upkeep_commands.c */
int node_resize(struct options *options);
int node_config(struct options *options);
int node_paths(struct options *options);
int node_forget(struct options *options); /* forget_command.c */
int node_settle(struct options *options);
int node_earnings(struct options *options); /* earnings_command.c */
int node_dispute_export(struct options *options);
int node_exit(struct options *options); /* exit_command.c */
int node_payouts(struct options *options); /* payouts_command.c */
int node_backup(struct options *options);  /* backup_command.c */
int node_price(struct options *options);

#endif
