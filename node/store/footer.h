/*
 * Reading a footer without holding it: in a window, so that the footers of millions of pieces take no memory.
 *
 * A footer is read once to check its sum, and again, mostly from the page cache, to visit its entries; one that fits
 * into the window is read once. doc/formats.md, section 6.4.
 */
#ifndef GRANARY_NODE_STORE_FOOTER_H
#define GRANARY_NODE_STORE_FOOTER_H

#include "node/store/segment.h"

struct footer {
	const struct seam *seam;
	int fd;
	uint32_t at; /* offset of the first entry */
	struct segment_trailer trailer;
};

/* Read the trailer. ERR_FORMAT when the file is not sealed; ERR_UNSUPPORTED, ERR_CORRUPT, ERR_IO. */
enum err footer_open(const struct seam *seam, const struct segment *segment, const struct record_secret *secret,
		     struct footer *ret) WARN_UNUSED;
/* Visit all entries in their order, or none: ERR_CORRUPT, ERR_IO. */
enum err footer_each(const struct footer *footer, void (*each)(void *arg, const struct segment_entry *entry),
		     void *arg) WARN_UNUSED;
/* The entry of the record of this key at this offset, by bisection; the footer was checked before. ERR_NOT_FOUND when a
 * record of another key stands there, or none; ERR_CORRUPT, ERR_IO. */
enum err footer_find(const struct footer *footer, uint16_t satellite, const struct bytes32 *piece, uint32_t offset,
		     struct segment_entry *ret) WARN_UNUSED;

#endif
