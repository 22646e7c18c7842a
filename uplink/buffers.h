/*
 * Buffers of one size, used again and again: megabytes come and go without the heap growing around them.
 *
 * Taken and given back in the loop's thread only; what is in them may be worked on by any.
 */
#ifndef GRANARY_UPLINK_BUFFERS_H
#define GRANARY_UPLINK_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

struct buffers;

/* `size` bytes each, aligned for vector code; at most `spare` are kept when not used. */
struct buffers *buffers_new(size_t size, size_t spare);
/* All buffers must have been given back. */
void buffers_free(struct buffers *buffers);

/* One with unspecified content. Aborts without memory. */
uint8_t *buffers_take(struct buffers *buffers);
/* NULL is fine. */
void buffers_give(struct buffers *buffers, uint8_t *buffer);
size_t buffers_size(const struct buffers *buffers);
/* How many are out. */
size_t buffers_used(const struct buffers *buffers);

#endif
