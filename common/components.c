/* Walking paths of encrypted components. */
#include "common/components.h"

#include <assert.h>
#include <string.h>

#define LENGTH 2 /* bytes before each component */

/* Bytes of the first component with its length; 0 when there is none, or not all of it. */
static size_t first_size(struct bytes path)
{
	size_t size;

	if (path.len < LENGTH)
		return 0;
	size = LENGTH + (size_t)get_be16(path.data);
	return size == LENGTH || size > path.len ? 0 : size;
}

static void skip(struct bytes *path, size_t len)
{
	path->data += len;
	path->len -= len;
}

enum err components_check(struct bytes path)
{
	while (path.len > 0) {
		size_t size = first_size(path);

		if (size == 0)
			return ERR_FORMAT;
		skip(&path, size);
	}
	return ERR_OK;
}

size_t components_count(struct bytes path)
{
	struct bytes component;
	size_t count = 0;

	while (components_next(&path, &component))
		count++;
	return count;
}

bool components_next(struct bytes *path, struct bytes *ret_component)
{
	size_t size = first_size(*path);

	if (size == 0)
		return false;
	*ret_component = bytes_of(path->data + LENGTH, size - LENGTH);
	skip(path, size);
	return true;
}

struct bytes components_child(struct bytes path, struct bytes prefix)
{
	struct bytes rest = path;

	if (path.len <= prefix.len || (prefix.len > 0 && memcmp(path.data, prefix.data, prefix.len) != 0))
		return bytes_of(path.data, 0);
	skip(&rest, prefix.len);
	return bytes_of(path.data, prefix.len + first_size(rest));
}

struct bytes components_parent(struct bytes path)
{
	struct bytes rest = path, component;
	size_t parent = 0;

	while (components_next(&rest, &component)) {
		if (rest.len > 0)
			parent = path.len - rest.len;
	}
	return bytes_of(path.data, parent);
}

/* The last byte below 255 is raised and what follows it dropped. The top byte of a length is never 255 in a path that
 * fits a message, so there is one. */
size_t components_after(struct bytes path, uint8_t *ret)
{
	size_t len = path.len;

	while (len > 0 && path.data[len - 1] == 0xff)
		len--;
	assert(len > 0);
	memcpy(ret, path.data, len);
	ret[len - 1]++;
	return len;
}
