/* Two copies, one always whole. */
#include "node/store/super.h"

#include <assert.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define VERSION 1
#define CLEAN 1u
#define AT_CRC (SUPER_COPY - 4)
#define AT_OWNER (SUPER_COPY - 40)

static const char magic[8] = "GRANSUPR";

static uint32_t crc_of(const uint8_t copy[SUPER_COPY])
{
	/* ISA-L takes no const; it reads only. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)copy, AT_CRC, UINT32_MAX);
}

void super_encode(const struct super *super, uint8_t out[SUPER_COPY])
{
	struct writer w;

	memset(out, 0, SUPER_COPY);
	writer_init(&w, out, AT_CRC);
	write_raw(&w, magic, sizeof(magic));
	write_u16(&w, VERSION);
	write_u16(&w, super->satellite_count);
	write_u32(&w, super->clean ? CLEAN : 0);
	write_u64(&w, super->generation);
	write_raw(&w, super->store.b, sizeof(super->store.b));
	write_raw(&w, super->secret.b, sizeof(super->secret.b));
	write_u64(&w, super->created);
	write_u32(&w, super->segment_size);
	write_u32(&w, super->next_segment);
	write_u64(&w, super->sequence);
	write_u64(&w, super->floor);
	for (uint16_t i = 0; i < super->satellite_count; i++)
		write_raw(&w, super->satellites[i].b, sizeof(super->satellites[i].b));
	assert(w.err == ERR_OK && w.len <= AT_OWNER);
	if (super->owned)
		memcpy(out + AT_OWNER, super->owner.b, sizeof(super->owner.b));
	put_be32(out + AT_CRC, crc_of(out));
}

static bool plausible(const struct super *super)
{
	uint32_t size = super->segment_size;

	return super->satellite_count <= SUPER_SATELLITES && size >= SEGMENT_LEAST && size <= SEGMENT_MOST &&
	       (size & (size - 1)) == 0;
}

enum err super_decode(const uint8_t from[SUPER_COPY], struct super *ret)
{
	struct reader r;
	uint16_t version;

	if (memcmp(from, magic, sizeof(magic)) != 0)
		return ERR_FORMAT;
	if (get_be32(from + AT_CRC) != crc_of(from))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from + sizeof(magic), AT_CRC - sizeof(magic)));
	version = read_u16(&r);
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	ret->satellite_count = read_u16(&r);
	ret->clean = (read_u32(&r) & CLEAN) != 0;
	ret->generation = read_u64(&r);
	read_raw(&r, ret->store.b, sizeof(ret->store.b));
	read_raw(&r, ret->secret.b, sizeof(ret->secret.b));
	ret->created = read_u64(&r);
	ret->segment_size = read_u32(&r);
	ret->next_segment = read_u32(&r);
	ret->sequence = read_u64(&r);
	ret->floor = read_u64(&r);
	memcpy(ret->owner.b, from + AT_OWNER, sizeof(ret->owner.b));
	ret->owned = ret->owner.b[0] != 0; /* 2 or 3 in a compressed key */
	if (!plausible(ret))
		return ERR_CORRUPT;
	for (uint16_t i = 0; i < ret->satellite_count; i++)
		read_raw(&r, ret->satellites[i].b, sizeof(ret->satellites[i].b));
	return r.err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static enum err write_copy(const struct seam *seam, int fd, const uint8_t *copy, int which)
{
	enum err err = seam_write_full(seam, fd, copy, SUPER_COPY, which == 0 ? 0 : SUPER_SECOND);

	return err == ERR_OK ? seam_sync_file(seam, fd) : err;
}

enum err super_save(const struct seam *seam, int fd, struct super *super)
{
	uint8_t copy[SUPER_COPY];
	enum err err;

	super->generation++;
	super_encode(super, copy);
	err = write_copy(seam, fd, copy, !super->good);
	if (err != ERR_OK)
		return err;
	super->good = !super->good;
	return write_copy(seam, fd, copy, !super->good);
}

enum err super_create(const struct seam *seam, const char *dir, struct super *super)
{
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH + 8];
	enum err err;
	int fd;

	snprintf(path, sizeof(path), "%s/SUPER", dir);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	err = seam_open_file(seam, temporary, O_RDWR | O_CREAT | O_TRUNC, &fd);
	if (err != ERR_OK)
		return err;
	err = seam_allocate_file(seam, fd, SUPER_FILE);
	if (err == ERR_OK)
		err = super_save(seam, fd, super);
	seam->close(seam, fd);
	if (err == ERR_OK)
		err = seam_rename_file(seam, temporary, path);
	if (err == ERR_OK)
		err = seam_sync_directory(seam, dir);
	return err;
}

enum err super_load(const struct seam *seam, int fd, struct super *ret)
{
	struct super *copies = memory_new(2, sizeof(*copies));
	uint8_t raw[SUPER_COPY];
	enum err errs[2] = {ERR_IO, ERR_IO}, err = ERR_OK;
	int best;

	for (int i = 0; i < 2; i++) {
		errs[i] = seam_read_full(seam, fd, raw, sizeof(raw), i == 0 ? 0 : SUPER_SECOND);
		if (errs[i] == ERR_OK)
			errs[i] = super_decode(raw, &copies[i]);
	}
	best = errs[0] == ERR_OK && (errs[1] != ERR_OK || copies[0].generation >= copies[1].generation) ? 0 : 1;
	if (errs[0] == ERR_UNSUPPORTED || errs[1] == ERR_UNSUPPORTED)
		err = ERR_UNSUPPORTED;
	else if (errs[0] == ERR_IO && errs[1] == ERR_IO)
		err = ERR_IO;
	else if (errs[best] != ERR_OK)
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		*ret = copies[best];
		ret->good = best;
	}
	free(copies);
	return err;
}
