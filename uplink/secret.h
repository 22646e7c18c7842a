/*
 * A 32-byte secret of the client's: the encryption root, and every key that comes from it. It lives in guarded
 * memory, is wiped when freed, and nothing prints it.
 */
#ifndef GRANARY_UPLINK_SECRET_H
#define GRANARY_UPLINK_SECRET_H

#include "common/bytes.h"

#define SECRET_BYTES 32

struct secret;

/* A new random one. */
struct secret *secret_generate(void);
/* A copy of 32 bytes, which the caller wipes. */
struct secret *secret_from(const uint8_t bytes[SECRET_BYTES]);
/* BLAKE2b-256 keyed with `parent`, personal `label` (at most 16 characters), over `context`. */
struct secret *secret_derive(const struct secret *parent, const char *label, struct bytes context);
/* The 32 bytes, for a cipher; owned by the secret. */
const uint8_t *secret_bytes(const struct secret *secret);
bool secret_equal(const struct secret *a, const struct secret *b);
void secret_free(struct secret *secret);

#endif
