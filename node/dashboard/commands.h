/* granary-node dashboard …: who may log in. They need no running node, and a running one heeds them at once. */
#ifndef GRANARY_NODE_DASHBOARD_COMMANDS_H
#define GRANARY_NODE_DASHBOARD_COMMANDS_H

#include "common/options.h"

int dashboard_code(struct options *options);
int dashboard_password(struct options *options);
int dashboard_token(struct options *options);
int dashboard_forget(struct options *options);
int dashboard_logins(struct options *options);

#endif
