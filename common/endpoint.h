/* Where a party listens: `id@host:port`, IPv6 in brackets. */
#ifndef GRANARY_COMMON_ENDPOINT_H
#define GRANARY_COMMON_ENDPOINT_H

#include "common/key.h"

#define ENDPOINT_HOST_MAX 253
/* "[" host "]:65535" and a NUL. */
#define HOSTPORT_TEXT (ENDPOINT_HOST_MAX + 9)
#define ENDPOINT_TEXT (KEY_ID_HEX + HOSTPORT_TEXT)

struct hostport {
	char host[ENDPOINT_HOST_MAX + 1]; /* name or numeric address, without brackets */
	uint16_t port;
};

struct endpoint {
	struct id id;
	struct hostport at;
};

/* "host:port" or "[v6]:port". ERR_FORMAT; ERR_RANGE for a port above 65535. */
enum err hostport_parse(const char *text, struct hostport *ret) WARN_UNUSED;
void hostport_print(const struct hostport *at, char out[HOSTPORT_TEXT]);

/* "id@host:port". */
enum err endpoint_parse(const char *text, struct endpoint *ret) WARN_UNUSED;
void endpoint_print(const struct endpoint *endpoint, char out[ENDPOINT_TEXT]);

/* The network of a numeric address, /24 or /48, as text ("192.0.2.0/24"); loopback and private ranges count
 * too. ERR_FORMAT when `host` is not a numeric address. */
enum err endpoint_network(const char *host, char out[64]) WARN_UNUSED;
/* A numeric loopback address; a name never is, whatever it resolves to. */
bool endpoint_is_loopback(const char *host);

#endif
