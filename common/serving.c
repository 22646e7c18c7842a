/* From the shared options to limits. Everything was checked against the table when it was read. */
#include "common/serving.h"

static unsigned value(const struct options *options, const char *name)
{
	return (unsigned)option_int(options, name);
}

void serving_read(const struct options *options, struct channel_limits *ret_channel,
		  struct listener_limits *ret_listener)
{
	unsigned window = value(options, "pace-window");

	*ret_channel = (struct channel_limits){
		.handshake_ms = value(options, "handshake-timeout") * 1000,
		.first_ms = value(options, "first-timeout") * 1000,
		.idle_ms = value(options, "idle-timeout") * 1000,
		.pace_ms = window * 1000,
		.pace_bytes = value(options, "pace") * window,
	};
	*ret_listener = (struct listener_limits){
		.half_open = value(options, "half-open"),
		.half_open_network = value(options, "half-open-network"),
		.address_burst = value(options, "address-burst"),
		.address_minute = value(options, "address-minute"),
	};
}
