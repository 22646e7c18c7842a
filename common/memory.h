/*
 * Memory for our own objects: zeroed, and the process ends when there is none.
 *
 * For sizes that our own code decides. A size that comes from outside is checked against a constant first.
 */
#ifndef GRANARY_COMMON_MEMORY_H
#define GRANARY_COMMON_MEMORY_H

#include <stddef.h>

/* `count` objects of `size` bytes, zeroed; free() frees them. Aborts without memory or when the product overflows. */
void *memory_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Make room for at least `needed` objects in a growing array: returns `old`, or its larger copy after doubling, with
 * *room updated. What lies beyond the old objects is not zeroed. */
void *memory_grow(void *old, size_t *room, size_t needed, size_t size) __attribute__((returns_nonnull));

/* A copy of `len` bytes with a NUL after them. */
void *memory_copy(const void *data, size_t len) __attribute__((malloc, returns_nonnull));

#endif
