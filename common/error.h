/*
 * Why something failed, by what the caller can do about it.
 *
 * Functions that can fail return enum err; ERR_OK is 0. What a peer is told is a protocol code
 * (common/refusal.h), a finer list that never changes meaning; this one is ours to rearrange.
 */
#ifndef GRANARY_COMMON_ERROR_H
#define GRANARY_COMMON_ERROR_H

#define WARN_UNUSED __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
	ERR_USAGE,	 /* the person at the keyboard asked for something that makes no sense */
	ERR_FORMAT,	 /* bytes or text that do not parse */
	ERR_RANGE,	 /* a number outside its limits */
	ERR_OVERFLOW,	 /* arithmetic that does not fit */
	ERR_SIGNATURE,	 /* a signature that does not verify */
	ERR_AUTH,	 /* a handshake or an AEAD tag that does not fit */
	ERR_DENIED,	 /* known, but not allowed */
	ERR_EXPIRED,	 /* too late */
	ERR_EARLY,	 /* not yet valid */
	ERR_REPLAY,	 /* used before */
	ERR_NOT_FOUND,	 /* no such thing */
	ERR_EXISTS,	 /* already there */
	ERR_CORRUPT,	 /* our own stored data fails its checksum */
	ERR_IO,		 /* the disk or the kernel failed */
	ERR_FULL,	 /* no space left in the allowance */
	ERR_READ_ONLY,	 /* the store takes no more writes */
	ERR_BUSY,	 /* try again later */
	ERR_TIMEOUT,	 /* a deadline passed */
	ERR_CLOSED,	 /* the other side hung up */
	ERR_UNREACHABLE, /* no connection could be made */
	ERR_PROTOCOL,	 /* the peer broke the protocol */
	ERR_REMOTE,	 /* the peer answered with an error of its own */
	ERR_UNSUPPORTED, /* a version or feature that we do not know */
	ERR_LIMIT,	 /* a configured limit was reached */
	ERR_CONFLICT,	 /* the state changed under the caller */
	ERR_CANCELLED,	 /* the caller gave up */
	ERR_DATABASE,	 /* the database refused */
	ERR_CRYPTO,	 /* a cryptographic library refused */
	ERR_SYSTEM,	 /* any other system call */
};

/* Short stable name, "not_found"; for logs and JSON. Never NULL. */
const char *err_name(enum err err);

/* One plain phrase, "no such thing"; for people. Never NULL. */
const char *err_text(enum err err);

/* The err that fits errno after a failed file operation: ENOSPC and EDQUOT are FULL, EROFS is READ_ONLY, ENOENT is
 * NOT_FOUND, EEXIST is EXISTS, EACCES and EPERM are DENIED, all else IO. */
enum err err_from_errno(int number);

#endif
