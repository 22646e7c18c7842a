/*
 * How much patience a daemon has with those who connect: the options that node and satellite share, and their values.
 */
#ifndef GRANARY_COMMON_SERVING_H
#define GRANARY_COMMON_SERVING_H

#include "common/channel.h"
#include "common/listener.h"
#include "common/options.h"

/* Their names, for a command's list. */
#define SERVING_OPTIONS                                                                                             \
	"handshake-timeout first-timeout idle-timeout pace-window pace half-open half-open-network address-burst " \
	"address-minute"

/* Their rows, for a program's table of options. */
/* clang-format off */
#define SERVING_OPTION_ROWS \
	{.name = "handshake-timeout", .type = OPTION_DURATION, .min = 1, .max = 3600, .value = "TIME", \
	 .fallback = "5s", .help = "How long a handshake may take."}, \
	{.name = "first-timeout", .type = OPTION_DURATION, .min = 1, .max = 3600, .value = "TIME", \
	 .fallback = "10s", .help = "How long the first request may keep us waiting."}, \
	{.name = "idle-timeout", .type = OPTION_DURATION, .min = 1, .max = 86400, .value = "TIME", \
	 .fallback = "10m", .help = "After how long without anything a connection is closed."}, \
	{.name = "pace-window", .type = OPTION_DURATION, .min = 1, .max = 600, .value = "TIME", \
	 .fallback = "10s", .help = "Over how long the pace of a transfer is measured."}, \
	{.name = "pace", .type = OPTION_SIZE, .max = 1024 * 1024, .value = "SIZE", .fallback = "4KiB", \
	 .help = "Bytes per second below which a connection is dropped while a transfer is under way."}, \
	{.name = "half-open", .type = OPTION_INT, .min = 1, .max = 65536, .value = "N", .fallback = "256", \
	 .help = "Most connections whose handshake is not done."}, \
	{.name = "half-open-network", .type = OPTION_INT, .max = 65536, .value = "N", .fallback = "16", \
	 .help = "Most of these per /24 or /48; 0: no limit. Loopback is exempt."}, \
	{.name = "address-burst", .type = OPTION_INT, .max = 1000000, .value = "N", .fallback = "60", \
	 .help = "Connections that one address may make at once; 0: no limit. Loopback is exempt."}, \
	{.name = "address-minute", .type = OPTION_INT, .max = 1000000, .value = "N", .fallback = "120", \
	 .help = "Connections that one address may make per minute; 0: no limit. Loopback is exempt."}
/* clang-format on */

void serving_read(const struct options *options, struct channel_limits *ret_channel,
		  struct listener_limits *ret_listener);

#endif
