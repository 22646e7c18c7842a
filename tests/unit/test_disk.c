/* What disks are good for, and a real one that is measured. */
#include "node/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GB 1000000000ull

static struct disk_facts facts;

static int set_up(void **state)
{
	(void)state;
	facts = (struct disk_facts){
		.kind = "ext4", .total = 1000 * GB, .free = 600 * GB, .inodes_total = 1000000, .inodes_free = 900000};
	return 0;
}

/* Exactly these findings, of an offer of 500 GB of which so many are used. */
static void expect(uint64_t used, size_t count, enum finding_code code)
{
	struct findings *list = findings_new();

	disk_judge(&facts, "/disk", 500 * GB, used, list);
	assert_int_equal(findings_count(list), count);
	if (count > 0) {
		assert_non_null(findings_find(list, code));
		assert_string_equal(findings_find(list, code)->subject, "/disk");
	}
	findings_free(list);
}

static void test_judge(void **state)
{
	(void)state;
	expect(0, 0, 0);
	facts.memory = true;
	expect(0, 1, FINDING_DISK_KIND);
	set_up(NULL);
	facts.system = true;
	expect(0, 1, FINDING_DISK_SYSTEM);
	set_up(NULL);
	facts.read_only = true;
	expect(0, 1, FINDING_DISK_ERROR);
	set_up(NULL);
	facts.free = 100 * GB;
	expect(0, 1, FINDING_ROOM_SHORT);
	expect(399 * GB, 1, FINDING_ROOM_SHORT);
	expect(400 * GB, 0, 0);
	expect(501 * GB, 0, 0);
	set_up(NULL);
	facts.inodes_free = 19999;
	expect(0, 1, FINDING_DISK_INODES);
}

static void test_judge_speed(void **state)
{
	struct disk_speed speed = {.write_ms = 4000, .sync_ms = 2000, .read_ms = 2000};
	struct findings *list = findings_new();

	(void)state;
	disk_judge_speed(&speed, "/disk", list);
	assert_int_equal(findings_count(list), 0);
	speed.read_ms = 2001;
	disk_judge_speed(&speed, "/disk", list);
	assert_non_null(strstr(findings_at(list, 0)->text, "2001 ms to read"));
	speed.sync_ms = 2001;
	disk_judge_speed(&speed, "/disk", list);
	assert_int_equal(findings_count(list), 1);
	assert_non_null(strstr(findings_at(list, 0)->text, "small write took 2001 ms"));
	findings_free(list);
}

static void test_look(void **state)
{
	struct disk_facts proc, tmp, deep;

	(void)state;
	assert_int_equal(disk_look("/tmp", &tmp), ERR_OK);
	assert_true(tmp.total > 0 && tmp.free <= tmp.total && tmp.kind[0] != '\0');
	/* Of what is not there yet, the parent's. */
	assert_int_equal(disk_look("/tmp/granary-nowhere/at/all", &deep), ERR_OK);
	assert_int_equal(deep.device, tmp.device);
	assert_int_equal(disk_look("/proc/self", &proc), ERR_OK);
	assert_memory_equal(proc.kind, "0x", 2);
	assert_false(proc.system);
}

static void test_measure(void **state)
{
	char dir[] = "/tmp/granary-disk-XXXXXX";
	struct disk_speed speed = {.write_ms = UINT64_MAX};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(disk_measure(dir, &speed), ERR_OK);
	assert_true(speed.write_ms < UINT64_MAX);
	assert_int_equal(rmdir(dir), 0); /* it left nothing */
	assert_int_equal(disk_measure(dir, &speed), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_judge, set_up),
		cmocka_unit_test(test_judge_speed),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_measure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
