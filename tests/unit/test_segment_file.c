/* Segment files and SUPER: encodings, refusals, room, sealing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/room.h"
#include "node/store/segment.h"
#include "node/store/super.h"
#include "tests/kit/fault.h"

static const struct record_secret secret = {{1, 2, 3}};

static struct segment_header sample_header(void)
{
	return (struct segment_header){.store = {{7}},
				       .secret = secret,
				       .kind = SEGMENT_PIECES,
				       .class = 20000,
				       .id = 42,
				       .size = SEGMENT_LEAST,
				       .created = 1234,
				       .first_sequence = 99};
}

static void test_header(void **state)
{
	struct segment_header in = sample_header(), out;
	uint8_t raw[SEGMENT_HEADER];

	(void)state;
	segment_header_encode(&in, raw);
	assert_int_equal(segment_header_decode(raw, &out), ERR_OK);
	assert_true(out.kind == in.kind && out.class == in.class && out.id == in.id && out.size == in.size);
	assert_true(out.created == in.created && out.first_sequence == in.first_sequence);
	assert_memory_equal(&out.store, &in.store, sizeof(in.store));
	assert_memory_equal(&out.secret, &in.secret, sizeof(in.secret));
	for (size_t i = 0; i < sizeof(raw); i++) {
		raw[i] ^= 0x10;
		assert_int_not_equal(segment_header_decode(raw, &out), ERR_OK);
		raw[i] ^= 0x10;
	}
	memset(raw, 0, sizeof(raw));
	assert_int_equal(segment_header_decode(raw, &out), ERR_FORMAT);
}

static void test_trailer(void **state)
{
	struct segment_trailer in = {42, 10, 2, 0x12345678, 5, 20, 3000}, out;
	const struct record_secret other = {{9}};
	uint8_t raw[SEGMENT_TRAILER];

	(void)state;
	segment_trailer_encode(&in, &secret, raw);
	assert_int_equal(segment_trailer_decode(raw, &secret, &out), ERR_OK);
	assert_true(out.id == 42 && out.count == 10 && out.tombstones == 2 && out.checksum == 0x12345678);
	assert_true(out.first_sequence == 5 && out.last_sequence == 20 && out.last_expiry == 3000);
	assert_int_equal(segment_trailer_decode(raw, &other, &out), ERR_CORRUPT);
	for (size_t i = 0; i < sizeof(raw); i++) {
		raw[i] ^= 0x10;
		assert_int_not_equal(segment_trailer_decode(raw, &secret, &out), ERR_OK);
		raw[i] ^= 0x10;
	}
}

static void test_entry(void **state)
{
	struct segment_entry in = {3, RECORD_PIECE, {{1}}, 4096, 17, 1000, 500, 1088, 2000}, out;
	struct record tombstone = {.type = RECORD_TOMBSTONE, .sequence = 8, .target = {{5, 6400}, 100, 704, 12}};
	uint8_t raw[SEGMENT_ENTRY];

	(void)state;
	segment_entry_encode(&in, raw);
	assert_int_equal(segment_entry_decode(raw, &out), ERR_OK);
	assert_true(out.satellite == 3 && out.type == RECORD_PIECE && out.offset == 4096 && out.sequence == 17);
	assert_true(out.created == 1000 && out.size == 500 && out.extent == 1088 && out.expires == 2000);
	out = segment_entry_of(&tombstone, 8192);
	assert_true(out.offset == 8192 && out.size == 6400 && out.extent == 704 && out.expires == 5);
	in.offset = 100; /* inside the header */
	segment_entry_encode(&in, raw);
	assert_int_equal(segment_entry_decode(raw, &out), ERR_CORRUPT);
	in.offset = 4096;
	in.type = 0;
	segment_entry_encode(&in, raw);
	assert_int_equal(segment_entry_decode(raw, &out), ERR_CORRUPT);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",
					  "0000002a",
					  "2a.seg",
					  "0000002A.seg",
					  "0000002a.seg~",
					  "00000000.seg",
					  "x000002a.seg",
					  "100000000.seg",
					  "-000002a.seg"};
	char path[SEGMENT_PATH];
	uint32_t id;

	(void)state;
	segment_path("/d", 42, path);
	assert_string_equal(path, "/d/0000002a.seg");
	assert_true(segment_name("0000002a.seg", &id) && id == 42);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(segment_name(bad[i], &id));
}

static struct segment *bare_segment(uint32_t size)
{
	struct segment *segment = segment_new(1, SEGMENT_PIECES, 0, -1);

	segment->size = size;
	segment->state = SEGMENT_OPEN;
	return segment;
}

static const struct seam no_files;

static int close_nothing(const struct seam *self, int fd)
{
	(void)self;
	(void)fd;
	return 0;
}

static void drop_segment(struct segment *segment)
{
	struct seam seam = no_files;

	seam.close = close_nothing;
	segment_free(&seam, segment);
}

/* What is given back is used again, neighbours become one, and the last gap becomes tail. */
static void test_room_is_used_again(void **state)
{
	struct segment *segment = bare_segment(SEGMENT_LEAST);
	uint32_t at[4], again;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(room_take(segment, 640, &at[i]));
	assert_int_equal(at[0], SEGMENT_HEADER);
	assert_int_equal(at[3], SEGMENT_HEADER + 3 * 640);
	room_give(segment, at[0], 640);
	room_give(segment, at[2], 640);
	assert_int_equal(segment->gap_count, 2);
	room_give(segment, at[1], 640);
	assert_int_equal(segment->gap_count, 1);
	assert_true(room_take(segment, 1920, &again) && again == at[0]);
	assert_int_equal(segment->gap_count, 0);
	room_give(segment, at[0], 1920);
	room_give(segment, at[3], 640);
	assert_int_equal(segment->tail, SEGMENT_HEADER);
	assert_int_equal(segment->gap_count, 0);
	drop_segment(segment);
}

/* Whatever is taken, the footer still fits. */
static void test_room_keeps_the_footer(void **state)
{
	struct segment *segment = bare_segment(16384);
	uint32_t at, taken = 0;

	(void)state;
	while (room_take(segment, 128, &at))
		taken++;
	assert_true(segment->tail + taken * SEGMENT_ENTRY + SEGMENT_TRAILER <= segment->size);
	assert_true(segment->tail + 128 + (taken + 1) * SEGMENT_ENTRY + SEGMENT_TRAILER > segment->size);
	/* A gap does not help when an entry more has no room. */
	room_give(segment, SEGMENT_HEADER, 64);
	segment->slots += 10;
	assert_false(room_take(segment, 64, &at));
	drop_segment(segment);
}

static struct segment *sealed_file(struct fault *fault, uint32_t count)
{
	struct segment_header header = sample_header();
	struct segment_trailer trailer;
	struct segment *segment;

	assert_int_equal(segment_create(fault_seam(fault), "/", &header, &segment), ERR_OK);
	for (uint32_t i = 0; i < count; i++) {
		struct segment_entry entry = {
			0, RECORD_PIECE, {{(uint8_t)(count - i)}}, 4096 + i * 640, i + 1, 1, 50, 640, i};

		segment_add_entry(segment, &entry);
	}
	segment->tail = 4096 + count * 640;
	assert_int_equal(segment_write_footer(fault_seam(fault), segment, &secret, segment->tail, true, &trailer),
			 ERR_OK);
	assert_int_equal(trailer.count, count);
	return segment;
}

static void test_footer(void **state)
{
	struct fault *fault = fault_new(16 << 20);
	struct segment *segment = sealed_file(fault, 20);
	const struct seam *seam = fault_seam(fault);
	uint64_t size = fault_size(fault, "//0000002a.seg");
	struct segment_trailer trailer;
	struct segment_entry *entries;
	uint8_t byte;

	(void)state;
	assert_int_equal(size, 4096 + 20 * 640 + 20 * SEGMENT_ENTRY + SEGMENT_TRAILER);
	assert_int_equal(segment_read_footer(seam, segment->fd, size, 42, &secret, &trailer, &entries), ERR_OK);
	assert_int_equal(trailer.last_expiry, 0); /* one never expires */
	assert_true(trailer.first_sequence == 1 && trailer.last_sequence == 20);
	for (uint32_t i = 1; i < 20; i++)
		assert_true(bytes32_compare(&entries[i - 1].piece, &entries[i].piece) < 0);
	free(entries);
	assert_int_equal(segment_read_footer(seam, segment->fd, size, 43, &secret, &trailer, &entries), ERR_CORRUPT);
	assert_int_equal(segment_read_footer(seam, segment->fd, size - 64, 42, &secret, &trailer, &entries),
			 ERR_FORMAT);
	fault_peek(fault, "//0000002a.seg", size - 100, &byte, 1);
	byte ^= 1;
	fault_poke(fault, "//0000002a.seg", size - 100, &byte, 1);
	assert_int_equal(segment_read_footer(seam, segment->fd, size, 42, &secret, &trailer, &entries), ERR_CORRUPT);
	segment_free(seam, segment);
	fault_free(fault);
}

/* A filesystem without fallocate gets its blocks by writing; a full one leaves nothing behind. */
static void test_create(void **state)
{
	struct fault *fault = fault_new(2 << 20);
	struct segment_header header = sample_header();
	const struct seam *seam = fault_seam(fault);
	struct segment *segment, *other;

	(void)state;
	fault_no_allocate(fault);
	assert_int_equal(segment_create(seam, "/", &header, &segment), ERR_OK);
	assert_int_equal(fault_size(fault, "//0000002a.seg"), SEGMENT_LEAST);
	assert_int_equal(segment_create(seam, "/", &header, &other), ERR_EXISTS);
	segment_free(seam, segment);
	fault_free(fault);
	fault = fault_new(SEGMENT_LEAST - 1);
	assert_int_equal(segment_create(fault_seam(fault), "/", &header, &segment), ERR_FULL);
	assert_true(fault_size(fault, "//0000002a.seg") == UINT64_MAX);
	fault_free(fault);
}

static struct super *sample_super(void)
{
	struct super *super = calloc(1, sizeof(*super));

	super->segment_size = SEGMENT_LEAST;
	super->store.b[0] = 1;
	super->secret = secret;
	super->sequence = 10;
	super->next_segment = 3;
	super->satellite_count = 2;
	super->satellites[1].b[0] = 5;
	return super;
}

static void test_super(void **state)
{
	struct super *in = sample_super(), *out = calloc(1, sizeof(*out));
	uint8_t raw[SUPER_COPY];

	(void)state;
	super_encode(in, raw);
	assert_int_equal(super_decode(raw, out), ERR_OK);
	assert_int_equal(out->sequence, 10);
	assert_int_equal(out->satellite_count, 2);
	assert_int_equal(out->satellites[1].b[0], 5);
	for (size_t i = 0; i < sizeof(raw); i += 7) {
		raw[i] ^= 1;
		assert_int_not_equal(super_decode(raw, out), ERR_OK);
		raw[i] ^= 1;
	}
	in->segment_size = 3 << 20;
	super_encode(in, raw);
	assert_int_equal(super_decode(raw, out), ERR_CORRUPT);
	free(in);
	free(out);
}

/* Losing power at any moment of a save leaves the state before it or the one after. */
static void test_super_survives(void **state)
{
	struct super *super = sample_super(), *found = calloc(1, sizeof(*found));
	int fd;

	(void)state;
	for (uint64_t stop = 0; stop < 5; stop++) {
		for (uint64_t seed = 0; seed < 20; seed++) {
			struct fault *fault = fault_new(1 << 20), *image;
			const struct seam *seam = fault_seam(fault);

			super->sequence = 10;
			assert_int_equal(super_create(seam, "/", super), ERR_OK);
			assert_int_equal(seam_open_file(seam, "//SUPER", O_RDWR, &fd), ERR_OK);
			fault_stop(fault, fault_changes(fault) + stop);
			super->sequence = 11;
			assert_int_equal(super_save(seam, fd, super), stop < 4 ? ERR_IO : ERR_OK);
			image = fault_image(fault, FAULT_TORN_512, seed);
			assert_int_equal(seam_open_file(fault_seam(image), "//SUPER", O_RDWR, &fd), ERR_OK);
			assert_int_equal(super_load(fault_seam(image), fd, found), ERR_OK);
			assert_true(found->sequence == 11 || (stop < 4 && found->sequence == 10));
			fault_free(image);
			fault_free(fault);
		}
	}
	free(super);
	free(found);
}

/* At rest both copies hold the same: either may rot. */
static void test_super_is_there_twice(void **state)
{
	static const uint64_t copies[] = {0, SUPER_SECOND};
	struct super *super = sample_super(), *found = calloc(1, sizeof(*found));
	uint8_t byte;
	int fd;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fault *fault = fault_new(1 << 20);
		const struct seam *seam = fault_seam(fault);

		assert_int_equal(super_create(seam, "/", super), ERR_OK);
		assert_int_equal(seam_open_file(seam, "//SUPER", O_RDWR, &fd), ERR_OK);
		super->sequence = 20 + (uint64_t)i;
		assert_int_equal(super_save(seam, fd, super), ERR_OK);
		fault_peek(fault, "//SUPER", copies[i] + 100, &byte, 1);
		byte ^= 1;
		fault_poke(fault, "//SUPER", copies[i] + 100, &byte, 1);
		assert_int_equal(super_load(seam, fd, found), ERR_OK);
		assert_int_equal(found->sequence, super->sequence);
		assert_int_equal(found->good, !i);
		fault_free(fault);
	}
	free(super);
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_trailer),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_room_is_used_again),
		cmocka_unit_test(test_room_keeps_the_footer),
		cmocka_unit_test(test_footer),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_super),
		cmocka_unit_test(test_super_survives),
		cmocka_unit_test(test_super_is_there_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
