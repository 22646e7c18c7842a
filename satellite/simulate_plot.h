/* A simulation as a picture: an SVG of what happened month by month. */
#ifndef GRANARY_SATELLITE_SIMULATE_PLOT_H
#define GRANARY_SATELLITE_SIMULATE_PLOT_H

#include "audit/simulate.h"

/* The whole file, in new memory that the caller frees. `title` is one line; what SVG would misread is escaped. */
char *simulate_plot(const struct simulate_plan *plan, const struct simulate_result *result, const char *title);

#endif
