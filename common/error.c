/* Names and words for enum err: one table, indexed by the code. */
#include "common/error.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	const char *name;
	const char *text;
} err_words[] = {
	[ERR_OK] = {"ok", "done"},
	[ERR_USAGE] = {"usage", "wrong usage"},
	[ERR_FORMAT] = {"format", "malformed data"},
	[ERR_RANGE] = {"range", "out of range"},
	[ERR_OVERFLOW] = {"overflow", "number too large"},
	[ERR_SIGNATURE] = {"signature", "signature does not verify"},
	[ERR_AUTH] = {"auth", "authentication failed"},
	[ERR_DENIED] = {"denied", "not allowed"},
	[ERR_EXPIRED] = {"expired", "expired"},
	[ERR_EARLY] = {"early", "not yet valid"},
	[ERR_REPLAY] = {"replay", "already used"},
	[ERR_NOT_FOUND] = {"not_found", "not found"},
	[ERR_EXISTS] = {"exists", "already exists"},
	[ERR_CORRUPT] = {"corrupt", "stored data is damaged"},
	[ERR_IO] = {"io", "input or output failed"},
	[ERR_FULL] = {"full", "no space left"},
	[ERR_READ_ONLY] = {"read_only", "read-only"},
	[ERR_BUSY] = {"busy", "busy, try again later"},
	[ERR_TIMEOUT] = {"timeout", "timed out"},
	[ERR_CLOSED] = {"closed", "connection closed"},
	[ERR_UNREACHABLE] = {"unreachable", "cannot connect"},
	[ERR_PROTOCOL] = {"protocol", "protocol violated"},
	[ERR_REMOTE] = {"remote", "refused by the peer"},
	[ERR_UNSUPPORTED] = {"unsupported", "not supported"},
	[ERR_LIMIT] = {"limit", "limit reached"},
	[ERR_CONFLICT] = {"conflict", "changed meanwhile"},
	[ERR_CANCELLED] = {"cancelled", "cancelled"},
	[ERR_DATABASE] = {"database", "database error"},
	[ERR_CRYPTO] = {"crypto", "cryptography failed"},
	[ERR_SYSTEM] = {"system", "system error"},
};

const char *err_name(enum err err)
{
	size_t n = sizeof(err_words) / sizeof(err_words[0]);

	return (size_t)err < n && err_words[err].name != NULL ? err_words[err].name : "unknown";
}

const char *err_text(enum err err)
{
	size_t n = sizeof(err_words) / sizeof(err_words[0]);

	return (size_t)err < n && err_words[err].text != NULL ? err_words[err].text : "unknown error";
}

enum err err_from_errno(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case EROFS:
		return ERR_READ_ONLY;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	default:
		return ERR_IO;
	}
}
