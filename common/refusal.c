/* Names and words for protocol codes: one table. */
#include "common/refusal.h"

#include <stddef.h>

static const struct {
	enum refusal code;
	enum err err;
	const char *name;
	const char *text;
} words[] = {
	{REFUSAL_NONE, ERR_OK, "none", "accepted"},
	{REFUSAL_PROTOCOL, ERR_PROTOCOL, "protocol", "a message that makes no sense here"},
	{REFUSAL_MALFORMED, ERR_FORMAT, "malformed", "a field that does not parse"},
	{REFUSAL_UNKNOWN_TYPE, ERR_UNSUPPORTED, "unknown_type", "unknown message type"},
	{REFUSAL_VERSION, ERR_UNSUPPORTED, "version", "no common protocol version"},
	{REFUSAL_BUSY, ERR_BUSY, "busy", "busy, try again later"},
	{REFUSAL_INTERNAL, ERR_REMOTE, "internal", "internal failure"},
	{REFUSAL_DENIED, ERR_DENIED, "denied", "not allowed"},
	{REFUSAL_TOO_LONG, ERR_RANGE, "too_long", "message too long"},
	{REFUSAL_TIMEOUT, ERR_TIMEOUT, "timeout", "too slow"},
	{REFUSAL_SHUTDOWN, ERR_BUSY, "shutdown", "going down"},
	{REFUSAL_SATELLITE, ERR_DENIED, "satellite", "not a trusted satellite"},
	{REFUSAL_NODE, ERR_DENIED, "node", "made for another node"},
	{REFUSAL_CLIENT, ERR_DENIED, "client", "made for another client"},
	{REFUSAL_ACTION, ERR_DENIED, "action", "made for another action"},
	{REFUSAL_PIECE, ERR_DENIED, "piece", "made for another piece"},
	{REFUSAL_EXPIRED, ERR_EXPIRED, "expired", "expired"},
	{REFUSAL_EARLY, ERR_EARLY, "early", "not yet valid"},
	{REFUSAL_LIFETIME, ERR_RANGE, "lifetime", "lifetime not allowed"},
	{REFUSAL_SERIAL_HOUR, ERR_FORMAT, "serial_hour", "the serial's hour is not that of the expiry"},
	{REFUSAL_REPLAY, ERR_REPLAY, "replay", "allocation already used"},
	{REFUSAL_SIGNATURE, ERR_SIGNATURE, "signature", "signature does not verify"},
	{REFUSAL_HIGH_S, ERR_SIGNATURE, "high_s", "signature is malleable (high s)"},
	{REFUSAL_SERIAL_BUDGET, ERR_LIMIT, "serial_budget", "too many allocations outstanding"},
	{REFUSAL_ORDER_ALLOCATION, ERR_DENIED, "order_allocation", "order for another allocation"},
	{REFUSAL_ORDER_SHRINKS, ERR_RANGE, "order_shrinks", "order is less than an earlier one"},
	{REFUSAL_ORDER_LIMIT, ERR_RANGE, "order_limit", "order is more than the allocation allows"},
	{REFUSAL_UNORDERED, ERR_DENIED, "unordered", "data beyond what was ordered"},
	{REFUSAL_PIECE_LIMIT, ERR_LIMIT, "piece_limit", "upload over its limit"},
	{REFUSAL_ROOT, ERR_CORRUPT, "root", "the data does not have this root"},
	{REFUSAL_RANGE, ERR_RANGE, "range", "range outside the piece"},
	{REFUSAL_NOT_FOUND, ERR_NOT_FOUND, "not_found", "not found"},
	{REFUSAL_FULL, ERR_FULL, "full", "no space left"},
	{REFUSAL_READ_ONLY, ERR_READ_ONLY, "read_only", "read-only"},
	{REFUSAL_CORRUPT, ERR_CORRUPT, "corrupt", "piece is damaged"},
	{REFUSAL_EXISTS, ERR_EXISTS, "exists", "already exists"},
	{REFUSAL_FILTER, ERR_FORMAT, "filter", "not the filter that was signed"},
	{REFUSAL_LATE, ERR_EXPIRED, "late", "settled too late"},
	{REFUSAL_UNISSUED, ERR_DENIED, "unissued", "not an allocation of this satellite"},
	{REFUSAL_COMMITMENT, ERR_CORRUPT, "commitment", "orders differ from the commitment"},
	{REFUSAL_PRICE, ERR_RANGE, "price", "price of days that make no sense, or that have begun"},
	{REFUSAL_GRANT, ERR_DENIED, "grant", "enrolment code unknown, used or expired"},
	{REFUSAL_CLIENT_UNKNOWN, ERR_DENIED, "client_unknown", "client is not enrolled"},
	{REFUSAL_NOT_ENOUGH_NODES, ERR_FULL, "not_enough_nodes", "not enough healthy nodes with room"},
	{REFUSAL_COMMIT, ERR_CORRUPT, "commit", "receipts do not make a segment"},
	{REFUSAL_NOT_EMPTY, ERR_CONFLICT, "not_empty", "bucket is not empty"},
	{REFUSAL_NAME, ERR_FORMAT, "name", "name not allowed"},
	{REFUSAL_CONFLICT, ERR_CONFLICT, "conflict", "changed meanwhile"},
	{REFUSAL_QUOTA, ERR_LIMIT, "quota", "past the client's quota"},
	{REFUSAL_EXIT_AGE, ERR_EARLY, "exit_age", "too young to leave in good order"},
	{REFUSAL_EXIT_CLOSED, ERR_DENIED, "exit_closed", "disqualified or gone already, so it cannot leave"},
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static size_t row_of(enum refusal refusal)
{
	size_t i = 0;

	while (i < WORDS && words[i].code != refusal)
		i++;
	return i;
}

const char *refusal_name(enum refusal refusal)
{
	size_t row = row_of(refusal);

	return row < WORDS ? words[row].name : "unknown";
}

const char *refusal_text(enum refusal refusal)
{
	size_t row = row_of(refusal);

	return row < WORDS ? words[row].text : "refused for a reason unknown here";
}

enum refusal refusal_from_err(enum err err)
{
	switch (err) {
	case ERR_OK:
		return REFUSAL_NONE;
	case ERR_FULL:
		return REFUSAL_FULL;
	case ERR_READ_ONLY:
		return REFUSAL_READ_ONLY;
	case ERR_NOT_FOUND:
		return REFUSAL_NOT_FOUND;
	case ERR_CORRUPT:
		return REFUSAL_CORRUPT;
	case ERR_BUSY:
		return REFUSAL_BUSY;
	case ERR_EXISTS:
		return REFUSAL_EXISTS;
	case ERR_RANGE:
		return REFUSAL_RANGE;
	default:
		return REFUSAL_INTERNAL;
	}
}

enum err refusal_to_err(enum refusal refusal)
{
	size_t row = row_of(refusal);

	return row < WORDS ? words[row].err : ERR_REMOTE;
}
