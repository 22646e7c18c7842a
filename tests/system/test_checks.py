"""The checks check: check-source finds what it is for, and totals count what was run."""

import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent

GOOD = """/* A file with a story. */
#include "payments/price.h"

#include <string.h>

#include "common/bytes.h"

int price(void)
{
	return 1;
}
"""
HEADER = """/* A header with a story. */
#ifndef GRANARY_PAYMENTS_PRICE_H
#define GRANARY_PAYMENTS_PRICE_H

int price(void);

#endif
"""


def check_source(root):
    done = subprocess.run([TESTS / "check-source", root], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "payments").mkdir()
    (tmp_path / "payments/price.c").write_text(GOOD)
    (tmp_path / "payments/price.h").write_text(HEADER)
    return tmp_path


def test_good_tree_passes(tree):
    status, out = check_source(tree)
    assert (status, out) == (0, "check-source: 2 files, 0 findings\n")


@pytest.mark.parametrize("old, new, line, finding", [
    ('"common/bytes.h"', '"node/store.h"', 6, "payments/ may not include node/store.h"),
    ('"common/bytes.h"', '"common/file.h"', 6, "payments/ is pure and may not include common/file.h"),
    ('"common/bytes.h"', '"tests/kit/x.h"', 6, "payments/ may not include tests/"),
    ('"common/bytes.h"', '"bytes.h"', 6, "name it from the root"),
    ('"common/bytes.h"\n', '"common/bytes.h"\n#include "common/amount.h"\n', 7, "sort the group"),
    ('"common/bytes.h"\n', '"common/bytes.h"\n#include "common/bytes.h"\n', 7, "included twice"),
    ("#include <string.h>\n\n#include \"common/bytes.h\"", '#include "common/bytes.h"\n#include <string.h>', 5,
     "string.h comes too late"),
    ("return 1;", "return strcpy(a, b) != 0;", 10, "strcpy() has a safer twin"),
    ("return 1;", "return time(NULL);", 10, "may not read a clock"),
    ("return 1;", "return a.base_units;", 10, "the raw member of an amount"),
    ("\treturn 1;", "        return 1;", 10, "indented with spaces"),
    ("\treturn 1;", "\treturn 1; ", 10, "white space at the end"),
    ("\treturn 1;", "\treturn " + "1 + " * 40 + "1;", 10, "columns; at most 120"),
    ("\treturn 1;", "\n" * 120 + "\treturn 1;", 9, "a function of 121 lines; at most 100"),
    ("\treturn 1;", "\t/* TO" + "DO: more */\n\treturn 1;", 10, "unfinished business"),
    ("/* A file with a story. */\n", "\n" * 900, 1, "a file starts with a comment"),
    ("/* A file with a story. */\n", "/* */\n" + "\n" * 900, 800, "911 lines; at most 800"),
])
def test_finding(tree, old, new, line, finding):
    assert old in GOOD
    (tree / "payments/price.c").write_text(GOOD.replace(old, new))
    status, out = check_source(tree)
    assert status == 1
    found = [text for text in out.splitlines() if text.startswith(f"payments/price.c:{line}: ")]
    assert any(finding in text for text in found), out


def test_words_in_comments_and_strings_are_free(tree):
    text = GOOD.replace("return 1;", '/* not strcpy(), as the node does */\n\treturn puts("gets(x) = a.base_units");')
    (tree / "payments/price.c").write_text(text)
    assert check_source(tree)[0] == 0


def test_header_guard_and_typedef(tree):
    (tree / "payments/price.h").write_text(HEADER.replace("PRICE_H", "PRICES_H"))
    assert "no include guard GRANARY_PAYMENTS_PRICE_H" in check_source(tree)[1]
    (tree / "payments/price.h").write_text(HEADER.replace("int price(void);", "typedef struct price price_t;"))
    assert "a typedef of a struct" in check_source(tree)[1]


PROVE = """[10:00:00] tests/unit/test_one .. ok      123 ms ( 0.00 usr)
[10:00:00] tests/unit/test_two ..\x20
Dubious, test returned 1 (wstat 256, 0x100)
Failed 2/5 subtests\x20

Test Summary Report
-------------------
tests/unit/test_two (Wstat: 256 (exited 1) Tests: 5 Failed: 2)
  Failed tests:  1-2
Files=2, Tests=12,  0 wallclock secs
Result: FAIL
"""
JUNIT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.a" name="test_x" time="7.5"/>
<testcase classname="tests.a" name="test_y" time="0.5"><failure message="no"/></testcase>
<testcase classname="tests.a" name="test_z" time="0.1"><skipped/></testcase>
</testsuite></testsuites>"""
TAP = "    ok 1 - a\n    ok 2 - b\nok 1 - script\n1..1\n"


def totals(tmp_path, parts):
    for name, (status, text) in parts.items():
        (tmp_path / f"{name}.log").write_text(text)
        (tmp_path / f"{name}.status").write_text(f"{status} 3\n")
    (tmp_path / "system.xml").write_text(JUNIT)
    done = subprocess.run([TESTS / "totals", tmp_path, tmp_path / "system.xml"], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("parts, status, last", [
    ({"interop": (0, TAP), "source": (0, "")}, 0, "3 passed, 0 failed"),
    ({"unit": (1, PROVE)}, 1, "10 passed, 2 failed"),
    ({"system": (1, "")}, 1, "1 passed, 2 failed"),  # what was skipped did not pass
    ({"interop": (0, TAP), "build": (2, "cc: error")}, 1, "2 passed, 1 failed"),
    ({"fuzz": (1, "ok - a\nnot ok - b\n")}, 1, "1 passed, 1 failed"),
    ({"fuzz": (1, "ok - a\nld: cannot link\n")}, 1, "1 passed, 1 failed"),
    ({}, 1, "0 passed, 1 failed"),  # nothing ran
])
def test_totals(tmp_path, parts, status, last):
    found, lines = totals(tmp_path, parts)
    assert (found, lines[-1]) == (status, last)


def test_totals_name_the_slowest(tmp_path):
    lines = totals(tmp_path, {"unit": (1, PROVE), "system": (1, "")})[1]
    slowest = lines[lines.index("the slowest tests:") + 1:]
    assert slowest[0].split() == ["7.50", "s", "system:", "tests.a.test_x"]
    assert "     0.12 s  unit: tests/unit/test_one" in slowest
