"""granary-satellite simulate: what it prints, refuses and draws, and that it has no rules of its own."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree
from pathlib import Path

import pytest
from network import CommandFailed, run

SIMULATE = ("granary-satellite", "simulate")
SMALL = ("--nodes", "500", "--segments", "1000", "--years", "5")


def simulate(*words):
    return json.loads(run(*SIMULATE, *words, "--json"))


def test_figures():
    figures = simulate(*SMALL, "--daily-failure", "0.1%", "--seed", "7")
    assert figures["failures_per_day"] == pytest.approx(0.5, rel=0.15)
    assert figures["segments_lost"] == 0 and figures["durability_is_bound"]
    assert 29 < figures["min_healthy"] <= 52
    assert figures["repairs_per_segment_year"] == pytest.approx(
        figures["estimate"]["repairs_per_segment_year"], rel=0.1)
    assert figures["repair_bytes_per_stored_byte_year"] == pytest.approx(
        figures["repairs_per_segment_year"] * (29 + 28) / 29, rel=0.02)
    assert figures["durability_nines"] == pytest.approx(3.22, abs=0.01)  # 5000 segment years without a loss
    assert figures["seconds"] > 0
    assert len(figures["months"]) == 60
    assert sum(m["repairs"] for m in figures["months"]) == figures["repairs"]


def test_seed_decides():
    first, second, other = (simulate(*SMALL, "--seed", seed) for seed in ("3", "3", "4"))
    for figures in (first, second, other):
        del figures["seconds"]
    assert first == second
    assert first["months"] != other["months"]


def test_policies_can_be_told_apart():
    weak = simulate(*SMALL, "--outage", "0.1", "--rs", "29/35/80/110")
    assert weak["segments_lost"] > 0 and weak["min_healthy"] < 29 and not weak["durability_is_bound"]
    assert weak["outage_failures"] == pytest.approx(250, abs=5)
    assert simulate(*SMALL, "--outage", "10%")["segments_lost"] == 0


def test_table_and_picture(tmp_path):
    text = run(*SIMULATE, *SMALL, "--outage", "0.2", "--failure-model", "bathtub", "--churn", "0.1",
               "--repair-delay", "3", "--bandwidth", "1MB", "--new-nodes", "0", "--svg", tmp_path / "a.svg")
    for line in ("drives failing a day", "drives lost in outages", "nodes that left in good order",
                 "repair traffic a year", "segments lost", "durability of a year"):
        assert re.search(f"^{line}.* [<>]?[0-9.e-]+$", text, re.MULTILINE), line
    root = xml.etree.ElementTree.parse(tmp_path / "a.svg").getroot()
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) == 60
        assert all(80 <= x <= 870 and 60 <= y <= int(root.get("height")) for x, y in points)


@pytest.mark.parametrize("words,complaint", [
    (("--daily-failure", "2"), "--daily-failure"),
    (("--daily-failure", "-0.1"), "--daily-failure"),
    (("--daily-failure", "0.1.2"), "--daily-failure"),
    (("--outage", "101%"), "--outage"),
    (("--churn", "much"), "--churn"),
    (("--rs", "29/28/80/110"), "--rs"),
    (("--nodes", "79"), "nodes"),
    (("--nodes", "790", "--nodes-per-network", "10"), "distinct networks"),
    (("--segments", "1000000000"), "segments"),
    (("--years", "0"), "years"),
    (("--failure-model", "gloomy"), "constant|bathtub|networks"),
])
def test_refusals(words, complaint):
    with pytest.raises(CommandFailed) as failed:
        run(*SIMULATE, *words)
    assert failed.value.status == 2
    assert complaint in failed.value.err and failed.value.err.count("\n") == 1


def test_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(CommandFailed) as failed:
        run(*SIMULATE, *SMALL, "--svg", tmp_path / "no" / "a.svg")
    assert failed.value.status == 1 and "--svg" in failed.value.err


def symbols(path):
    """Of a library or program: {object: {symbol: kind}}."""
    found, member = {}, path.name
    for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if line.endswith(":"):
            member = line[:-1]
        elif len(words) >= 2:
            found.setdefault(member, {})[words[-1]] = words[-2]
    return found


# What a satellite decides by, and the objects of audit/ that alone define it.
RULES = {
    "select.o": {"select_set_new", "select_begin", "select_hold", "select_nodes"},
    "health.o": {"health_judge_counts", "health_threshold", "health_chance_of_loss", "health_order"},
}


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_simulation_has_no_rules_of_its_own():
    """The simulation takes its rules from the objects that the satellite links, and there is no second copy."""
    build = Path(os.environ["GRANARY_KIT"]).parent.parent
    rooms = {room: symbols(build / f"lib{room}.a") for room in ("audit", "satellite", "uplink", "payments", "common")}
    program = symbols(Path(shutil.which("granary-satellite")))
    simulation = rooms["audit"]["simulate.o"]
    for home, names in RULES.items():
        for name in names:
            definers = [member for room in rooms.values() for member, table in room.items()
                        if table.get(name) in ("T", "t")]
            assert definers == [home], name
            assert sum(table.get(name) in ("T", "t") for table in program.values()) == 1, name
            assert simulation[name] == "U", f"simulate.o does not call {name}"
    for name in ("select_nodes", "select_hold_network", "health_judge", "health_chance_of_loss", "health_order"):
        assert any(table.get(name) == "U" for table in rooms["satellite"].values()), f"only the simulation calls {name}"
    assert not [name for name in simulation if name.startswith(("select_", "health_")) and simulation[name] != "U"]
