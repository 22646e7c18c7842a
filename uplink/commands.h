/* The commands of `granary`; each returns its exit status. main.c has their table. */
#ifndef GRANARY_UPLINK_COMMANDS_H
#define GRANARY_UPLINK_COMMANDS_H

#include "common/options.h"

int command_access(struct options *options);
int command_make_bucket(struct options *options);
int command_remove_bucket(struct options *options);
int command_list(struct options *options);
int command_stat(struct options *options);
int command_copy(struct options *options);
int command_cat(struct options *options);
int command_remove(struct options *options);
int command_usage(struct options *options);
int command_verify_evidence(struct options *options);

#endif
