/*
 * Encrypted object paths as a satellite sees them: components it cannot read, each behind its length.
 *
 *	path = component…	component = u16 length (≥ 1) ‖ that many bytes
 *
 * Because every component carries its length, a well-formed path that begins with the bytes of another well-formed
 * path begins with whole components of it. So plain byte order serves all queries: what lies below a folder P is
 * the range P ≤ path < components_after(P), P itself excluded, and a listing of one level skips the rest of a
 * folder F by asking for path ≥ components_after(F). The empty path is the bucket itself.
 */
#ifndef GRANARY_COMMON_COMPONENTS_H
#define GRANARY_COMMON_COMPONENTS_H

#include "common/bytes.h"

/* ERR_FORMAT unless the path is whole components, perhaps none. */
enum err components_check(struct bytes path) WARN_UNUSED;
/* How many there are in a path that was checked. */
size_t components_count(struct bytes path);
/* Take the first component off a path that was checked: *ret_component is its bytes without the length, *path what
 * follows. False when none is left. */
bool components_next(struct bytes *path, struct bytes *ret_component);
/* What is directly under `prefix` on the way to `path`: the prefix and one component more, a view of `path`. Empty
 * when `path` is not below `prefix`. When the result is shorter than `path`, it names a folder. Both were checked. */
struct bytes components_child(struct bytes path, struct bytes prefix);
/* The path without its last component, a view; empty for one component or none. */
struct bytes components_parent(struct bytes path);
/* The least byte string greater than all that begin with `path`, which was checked and is not empty; ret has room
 * for path.len bytes; the length is returned. */
size_t components_after(struct bytes path, uint8_t *ret);

#endif
