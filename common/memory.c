/* Allocation that ends the process rather than failing. */
#include "common/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *memory_new(size_t count, size_t size)
{
	void *new = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

	if (new == NULL)
		abort();
	return new;
}

void *memory_grow(void *old, size_t *room, size_t needed, size_t size)
{
	size_t larger = *room < 8 ? 8 : *room;

	if (old != NULL && needed <= *room)
		return old;
	while (larger < needed && larger <= SIZE_MAX / 2)
		larger *= 2;
	old = reallocarray(old, larger < needed ? needed : larger, size);
	if (old == NULL)
		abort();
	*room = larger < needed ? needed : larger;
	return old;
}

void *memory_copy(const void *data, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}
