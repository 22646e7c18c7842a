/*
 * Object names, encrypted component by component (doc/formats.md, section 7).
 *
 * Every folder of a bucket has a key, that of a child made from its parent's and the child's name. A component is
 * encrypted under its folder's key with a synthetic IV, so that equal names show as equal within one folder and
 * nowhere else, and a changed one is refused. Who is given a folder's key can name and read everything below it
 * and nothing beside it. The encrypted components are joined as common/components.h says. Pure.
 *
 * A plain path is 1 to PATH_PLAIN_MAX bytes of printable UTF-8, components separated by '/', each at most
 * PATH_NAME_MAX bytes. Components may be empty ("a//b", "a/"), as object stores allow.
 */
#ifndef GRANARY_UPLINK_PATH_H
#define GRANARY_UPLINK_PATH_H

#include "common/message.h"
#include "uplink/secret.h"

#define PATH_PLAIN_MAX 1024
#define PATH_NAME_MAX 255
#define PATH_IV 24
#define PATH_PAD 16
#define PATH_TEXT (PATH_PLAIN_MAX + 1)

/* ERR_FORMAT, ERR_RANGE for a path that breaks these rules, with words for a person in *ret_why. Encrypted it may
 * still be longer than MESSAGE_PATH_MAX, see path_encrypt. */
enum err path_check(struct bytes plain, const char **ret_why) WARN_UNUSED;

/* The key of a bucket, its topmost folder, from the encryption root. */
struct secret *path_bucket_key(const struct secret *root, struct bytes bucket);
/* The key of what `plain` names below the folder: a folder's to list it, an object's for uplink/crypto.h. The path was
 * checked; empty gives a copy of the folder's own. */
struct secret *path_key(const struct secret *folder, struct bytes plain);

/* Write the encrypted components of a path below the folder. ERR_FORMAT, ERR_RANGE as path_check; ERR_LIMIT when
 * the encrypted path would be over MESSAGE_PATH_MAX; ERR_OVERFLOW when ret has no room. An empty path is no error
 * and writes nothing: the prefix of everything. */
enum err path_encrypt(const struct secret *folder, struct bytes plain, struct writer *ret) WARN_UNUSED;
/* The plain path, NUL-terminated. ERR_FORMAT for bytes that are no encrypted path, ERR_AUTH for components that were
 * not made under this folder's key or name nothing that a path may. */
enum err path_decrypt(const struct secret *folder, struct bytes encrypted, char ret[PATH_TEXT]) WARN_UNUSED;

#endif
