/* Parsing and printing of endpoints. */
#include "common/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err parse_port(const char *text, uint16_t *ret)
{
	unsigned long port = 0;

	if (text[0] == '\0' || strlen(text) > 5)
		return ERR_FORMAT;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return ERR_FORMAT;
		port = port * 10 + (unsigned long)(*text - '0');
	}
	if (port > UINT16_MAX)
		return ERR_RANGE;
	*ret = (uint16_t)port;
	return ERR_OK;
}

static bool host_is_plain(const char *host, size_t len, const char *allowed)
{
	if (len == 0 || len > ENDPOINT_HOST_MAX)
		return false;
	return strspn(host, allowed) >= len;
}

enum err hostport_parse(const char *text, struct hostport *ret)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	struct hostport at;
	const char *host = text, *end;
	bool bracketed = text[0] == '[';
	uint8_t address[16];
	size_t len;
	enum err err;

	memset(&at, 0, sizeof(at));
	if (bracketed)
		host = text + 1;
	end = strchr(host, bracketed ? ']' : ':');
	if (end == NULL || (bracketed && end[1] != ':'))
		return ERR_FORMAT;
	len = (size_t)(end - host);
	if (!host_is_plain(host, len, bracketed ? "0123456789abcdefABCDEF:." : name_chars))
		return ERR_FORMAT;
	err = parse_port(end + (bracketed ? 2 : 1), &at.port);
	if (err != ERR_OK)
		return err;
	memcpy(at.host, host, len);
	if (bracketed && inet_pton(AF_INET6, at.host, address) != 1)
		return ERR_FORMAT;
	*ret = at;
	return ERR_OK;
}

void hostport_print(const struct hostport *at, char out[HOSTPORT_TEXT])
{
	bool v6 = strchr(at->host, ':') != NULL;

	snprintf(out, HOSTPORT_TEXT, "%s%s%s:%u", v6 ? "[" : "", at->host, v6 ? "]" : "", at->port);
}

enum err endpoint_parse(const char *text, struct endpoint *ret)
{
	struct endpoint endpoint;
	char id[KEY_ID_HEX] = {0};
	enum err err;

	if (strlen(text) <= KEY_ID_HEX || text[KEY_ID_HEX - 1] != '@')
		return ERR_FORMAT;
	memcpy(id, text, KEY_ID_HEX - 1);
	err = id_from_hex(id, &endpoint.id);
	if (err == ERR_OK)
		err = hostport_parse(text + KEY_ID_HEX, &endpoint.at);
	if (err == ERR_OK)
		*ret = endpoint;
	return err;
}

void endpoint_print(const struct endpoint *endpoint, char out[ENDPOINT_TEXT])
{
	id_to_hex(&endpoint->id, out);
	out[KEY_ID_HEX - 1] = '@';
	hostport_print(&endpoint->at, out + KEY_ID_HEX);
}

/* The bytes of a numeric address: 4 of IPv4, also where a socket for both shows it as ::ffff:192.0.2.1 (RFC 4291,
 * section 2.5.5.2), 16 of IPv6; 0 for a name. */
static size_t numeric_address(const char *host, uint8_t address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET, host, address) == 1)
		return 4;
	if (inet_pton(AF_INET6, host, address) != 1)
		return 0;
	if (memcmp(address, mapped, sizeof(mapped)) != 0)
		return 16;
	memmove(address, address + sizeof(mapped), 4);
	return 4;
}

enum err endpoint_network(const char *host, char out[64])
{
	uint8_t address[16];
	char text[INET6_ADDRSTRLEN];
	size_t len = numeric_address(host, address);

	if (len == 0)
		return ERR_FORMAT;
	if (len == 4) {
		address[3] = 0;
		inet_ntop(AF_INET, address, text, sizeof(text));
		snprintf(out, 64, "%s/24", text);
	} else {
		memset(address + 6, 0, 10);
		inet_ntop(AF_INET6, address, text, sizeof(text));
		snprintf(out, 64, "%s/48", text);
	}
	return ERR_OK;
}

bool endpoint_is_loopback(const char *host)
{
	static const uint8_t one[16] = {[15] = 1};
	uint8_t address[16];
	size_t len = numeric_address(host, address);

	return (len == 4 && address[0] == 127) || (len == 16 && memcmp(address, one, sizeof(one)) == 0);
}
