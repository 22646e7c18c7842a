/* The last part of `setup`: run the node, if none runs, and see how it fares. */
#ifndef GRANARY_NODE_SETUP_TRIAL_H
#define GRANARY_NODE_SETUP_TRIAL_H

#include "common/options.h"

/* Have each satellite dial back, read the store once, look at everything, and print it. Returns 0, or 1 when something
 * is critically wrong. */
int setup_trial(const struct options *options);
/* What to do next: start it, look at the dashboard. */
void setup_print_next(const struct options *options);

#endif
