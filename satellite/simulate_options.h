/* The options of granary-satellite simulate, and their rows for the program's table. */
#ifndef GRANARY_SATELLITE_SIMULATE_OPTIONS_H
#define GRANARY_SATELLITE_SIMULATE_OPTIONS_H

#include "common/options.h"

/* clang-format off */
#define SIMULATE_OPTIONS \
	"nodes daily-failure years segments rs repair-delay outage seed failure-model nodes-per-network " \
	"share-networks churn exit-days bandwidth new-nodes svg"

#define SIMULATE_OPTION_ROWS \
	{.name = "nodes", .type = OPTION_INT, .min = 1, .max = 1000000, .value = "N", .fallback = "10000", \
	 .help = "Virtual nodes.", .command_only = true}, \
	{.name = "daily-failure", .type = OPTION_TEXT, .min = 1, .max = 20, .value = "SHARE", .fallback = "0.0005", \
	 .help = "The chance of a drive to fail on a day: 0.0005 or 0.05%.", .command_only = true}, \
	{.name = "years", .type = OPTION_INT, .min = 1, .max = 100, .value = "N", .fallback = "10", \
	 .help = "How long is simulated.", .command_only = true}, \
	{.name = "segments", .type = OPTION_INT, .min = 1, .max = 1000000000, .value = "N", .fallback = "1000000", \
	 .help = "Segments that are stored all the time.", .command_only = true}, \
	{.name = "rs", .type = OPTION_TEXT, .value = "K/R/S/N", .fallback = "29/52/80/110", \
	 .help = "Their redundancy: pieces required, threshold of repair, stored, begun.", .command_only = true}, \
	{.name = "repair-delay", .type = OPTION_INT, .max = 365, .value = "DAYS", .fallback = "0", \
	 .help = "Days from reaching the threshold to the repair.", .command_only = true}, \
	{.name = "outage", .type = OPTION_TEXT, .min = 1, .max = 20, .value = "SHARE", .fallback = "0", \
	 .help = "The share of nodes that is lost at once, each year.", .command_only = true}, \
	{.name = "seed", .type = OPTION_INT, .max = INT64_MAX, .value = "N", .fallback = "1", \
	 .help = "Another seed, another fate; the same gives the same figures everywhere.", .command_only = true}, \
	{.name = "failure-model", .type = OPTION_CHOICE, .choices = "constant|bathtub|networks", .value = "MODEL", \
	 .fallback = "constant", .command_only = true, \
	 .help = "The same chance every day; a higher one for new and for old drives; or half of the failures are of " \
		 "all nodes of a network at once."}, \
	{.name = "nodes-per-network", .type = OPTION_INT, .min = 1, .max = 1000000, .value = "N", .fallback = "1", \
	 .help = "How many nodes are on one network.", .command_only = true}, \
	{.name = "share-networks", .type = OPTION_FLAG, .command_only = true, \
	 .help = "Let nodes of one network have pieces of the same segment."}, \
	{.name = "churn", .type = OPTION_TEXT, .min = 1, .max = 20, .value = "SHARE", .fallback = "0", \
	 .help = "The share of nodes that leave in good order each year.", .command_only = true}, \
	{.name = "exit-days", .type = OPTION_INT, .max = 365, .value = "DAYS", .fallback = "30", \
	 .help = "How long these stay on while their pieces move away.", .command_only = true}, \
	{.name = "bandwidth", .type = OPTION_SIZE, .max = INT64_MAX / 86400, .value = "SIZE", .fallback = "0", \
	 .help = "Bytes a second that all repairs together may move; 0: no limit.", .command_only = true}, \
	{.name = "svg", .type = OPTION_PATH, .value = "FILE", \
	 .help = "Draw what happens month by month into this file.", .command_only = true}
/* clang-format on */

#endif
