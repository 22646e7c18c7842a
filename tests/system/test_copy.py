"""The program `granary`: memory, Ctrl-C, files and directories, and what it says when something is wrong."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from network import CommandFailed, is_sanitized, run, wait_until

MIB = 1 << 20
SOAK = "GRANARY_SOAK" in os.environ


class FakeNetwork:
    """A satellite and nodes in one process that keep nothing: for sizes that would need a hundred daemons."""

    def __init__(self, directory, nodes, required, success, total):
        words = [os.environ["GRANARY_KIT"] + "/fake_network", *map(str, (nodes, required, success, total)), "discard"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.dir = directory
        run("granary", "access", "import", self.process.stdout.readline().decode().strip(), "--dir", self.dir)

    def close(self):
        _, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err.decode()


def peak_of_put(net, mebibytes):
    """Peak resident bytes of `granary cp -` while it stores so much from a pipe."""
    words = ["granary", "cp", "--dir", str(net.dir), "-", "granary://bucket/object"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    chunk = os.urandom(MIB)
    for _ in range(mebibytes):
        process.stdin.write(chunk)
    process.stdin.close()
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, err.decode()
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("policy", [(8, 4, 6, 8), (110, 29, 80, 110)], ids=["demo", "wide"])
def test_memory_is_bounded(tmp_path, policy):
    """Below 512 MiB whatever the redundancy, and no more for a larger file."""
    net = FakeNetwork(tmp_path / "client", *policy)
    sizes = (512, 4096) if SOAK else (256,)
    peaks = [peak_of_put(net, size) for size in sizes]
    net.close()
    if not is_sanitized():
        assert max(peaks) < 512 * MIB
        assert peaks[-1] <= 1.1 * peaks[0]


@pytest.fixture(scope="module")
def client(shared_network):
    client = shared_network.client("copier")
    client.run("mb", "granary://copies")
    return client


def names_in(client, url):
    return [o["path"] for o in json.loads(client.run("ls", "--recursive", "--json", url))["objects"]]


def test_interrupted_put_leaves_nothing(client):
    words = ["granary", "cp", "--dir", str(client.dir), "-", "granary://copies/interrupted"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(os.urandom(20 * MIB))
    process.stdin.flush()  # it was read: the put is under way, and waits for more
    process.send_signal(signal.SIGINT)
    err = process.stderr.read().decode()
    assert process.wait(timeout=60) == 1
    process.stdin.close()
    assert "granary://copies/interrupted" in err and "cancelled" in err
    assert "interrupted" not in names_in(client, "granary://copies")


def test_failed_get_leaves_no_file(client, tmp_path):
    with pytest.raises(CommandFailed) as failed:
        client.run("cp", "granary://copies/none", tmp_path / "none")
    assert failed.value.status == 1
    assert re.fullmatch(r"granary: cannot fetch granary://copies/none: .*no such object\n", failed.value.err)
    assert list(tmp_path.iterdir()) == []


def test_file_keeps_its_time_and_gets_the_usual_mode(client, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(100_000))
    os.utime(source, (1_600_000_000, 1_500_000_000))
    client.run("cp", "--type", "application/x-test", source, "granary://copies/timed")
    target.write_bytes(b"older")
    client.run("cp", "granary://copies/timed", target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime == 1_500_000_000
    assert target.stat().st_mode & 0o777 == source.stat().st_mode & 0o777
    facts = json.loads(client.run("stat", "--json", "granary://copies/timed"))
    assert facts["type"] == "application/x-test" and facts["modified"] == 1_500_000_000


def test_replaced_file_keeps_its_mode_and_a_link_stays(client, tmp_path):
    client.put(b"new", "granary://copies/replaces")
    private, link = tmp_path / "private", tmp_path / "link"
    private.write_bytes(b"old")
    private.chmod(0o600)
    link.symlink_to(private)
    client.run("cp", "granary://copies/replaces", link)
    assert link.is_symlink() and private.read_bytes() == b"new"
    assert private.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "private"]


def test_list_of_an_object_and_of_nothing(client):
    client.put(b"12345", "granary://copies/one/object")
    listed = json.loads(client.run("ls", "--json", "granary://copies/one/object"))
    assert [(o["path"], o["size"]) for o in listed["objects"]] == [("one/object", 5)]
    for words in (["ls", "granary://copies/nothing"], ["rm", "--recursive", "granary://copies/nothing"],
                  ["cp", "--recursive", "granary://copies/nothing", "."]):
        with pytest.raises(CommandFailed) as failed:
            client.run(*words)
        assert failed.value.status == 1
        assert re.fullmatch("granary: granary://copies/nothing: no such .*\n", failed.value.err)


def test_names_are_completed(client, tmp_path):
    (tmp_path / "song").write_bytes(b"la")
    client.run("cp", tmp_path / "song", "granary://copies/music/")
    assert client.get("granary://copies/music/song") == b"la"
    (tmp_path / "in").mkdir()
    client.run("cp", "granary://copies/music/song", tmp_path / "in")
    assert (tmp_path / "in" / "song").read_bytes() == b"la"


def test_directories(client, tmp_path):
    tree = {"a": b"1", "b/c": os.urandom(70_000), "b/d/e": b"", "ü n/x": b"22"}
    for name, data in tree.items():
        path = tmp_path / "up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    client.run("cp", "--recursive", tmp_path / "up", "granary://copies/tree")
    assert names_in(client, "granary://copies/tree") == sorted(f"tree/{name}" for name in tree)
    client.run("cp", "--recursive", "granary://copies/tree", tmp_path / "down")
    for name, data in tree.items():
        assert (tmp_path / "down" / name).read_bytes() == data
    client.run("rm", "--recursive", "granary://copies/tree")
    assert [n for n in names_in(client, "granary://copies") if n.startswith("tree/")] == []


def test_expired_object_is_gone(client, shared_network):
    client.run("cp", "--expires", "2h", "-", "granary://copies/short", stdin=b"not for long" * 1000)
    facts = json.loads(client.run("stat", "--json", "granary://copies/short"))
    assert facts["expires"] - facts["created"] in range(7195, 7206)
    client.run("cp", "--expires", "2099-12-31T12:30", "-", "granary://copies/long", stdin=b"for long")
    listed = {o["path"]: o["expires"] for o in json.loads(client.run("ls", "--json", "granary://copies"))["objects"]}
    assert listed["long"] == 4102403400 and listed["short"] == facts["expires"]
    assert "(until 2099-12-31 12:30)" in client.run("ls", "granary://copies")
    for wrong in ("2099-13-01", "soon", "2001-01-01", "5s"):
        with pytest.raises(CommandFailed) as failure:
            client.run("cp", "--expires", wrong, "-", "granary://copies/never", stdin=b"x")
        assert failure.value.status == 2 and wrong in failure.value.err


def granary(client, *words):
    """A copy that the test feeds or drains at its leisure."""
    return subprocess.Popen(["granary", words[0], "--dir", str(client.dir), *words[1:]], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_nodes_lost_in_mid_stream(network):
    """Two nodes die while a file is read, two more while one is written: others take over."""
    client = network.client()
    client.run("mb", "granary://lost")
    data = os.urandom(40 * MIB)
    client.put(data, "granary://lost/read")
    reader = granary(client, "cat", "granary://lost/read")
    begin = reader.stdout.read(MIB)
    for node in network.nodes[:2]:
        node.kill()
    assert begin + reader.stdout.read() == data
    assert reader.wait(timeout=60) == 0

    writer = granary(client, "cp", "-", "granary://lost/written")
    writer.stdin.write(data[:20 * MIB])
    for node in network.nodes[2:4]:
        node.kill()
    writer.stdin.write(data[20 * MIB:])
    writer.stdin.close()
    assert writer.wait(timeout=60) == 0, writer.stderr.read().decode()
    assert client.get("granary://lost/written") == data
    at = 33 * MIB
    assert client.get("granary://lost/written", "--range", f"{at}-{at + 4095}") == data[at:at + 4096]


def test_progress_is_for_terminals(client):
    """A line on a terminal, with size, rate and time left; nothing into a pipe."""
    terminal, other = os.openpty()
    words = ["granary", "cp", "--dir", str(client.dir), "-", "granary://copies/shown"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=other)
    os.close(other)
    seen = b""
    while not re.search(rb"put  [0-9.]+ [kKMG]?B  [0-9.]+ [kKMG]?B/s", seen):
        process.stdin.write(os.urandom(MIB))
        process.stdin.flush()
        seen += os.read(terminal, 4096)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    os.close(terminal)
    piped = subprocess.run([*words[:4], "granary://copies/shown", "-"], capture_output=True, check=True)
    assert piped.stderr == b"" and len(piped.stdout) >= MIB


@pytest.mark.parametrize("words", [
    ["cp", "a", "b"], ["cp", "granary://x/y", "-"], ["cp", "-", "granary://copies/"], ["mb", "granary://UP"],
    ["cp", "--range", "5-4", "granary://copies/x", "-"], ["cp", "--range", "0-5", "-", "granary://copies/x"],
    ["cat", "granary://copies"], ["rb", "granary://copies/x"], ["access", "import", "nonsense"], ["access", "burn"],
    ["ls", "--access", "../x"], ["cp", "granary://copies/x", ""], ["cp", "/", "granary://copies/x"],
    ["cp", "--recursive", "--range", "0-5", "granary://copies", "."],
])
def test_wrong_usage_says_what_is_wrong(client, words):
    with pytest.raises(CommandFailed) as refused:
        client.run(*words, stdin=b"")
    assert refused.value.status == 2
    assert refused.value.err.startswith("granary: ") and refused.value.err.count("\n") == 1


def test_access_moves_to_another_machine(client, tmp_path):
    client.put(b"mine", "granary://copies/mine")
    exported = client.run("access", "export").strip()
    assert exported.startswith("granary-access-1-")
    run("granary", "access", "import", exported, "--dir", tmp_path / "other")
    assert run("granary", "cat", "granary://copies/mine", "--dir", tmp_path / "other") == "mine"
    listed = json.loads(run("granary", "access", "list", "--json", "--dir", tmp_path / "other"))
    assert [a["name"] for a in listed["accesses"]] == ["default"]
    assert (tmp_path / "other" / "default.access").stat().st_mode & 0o777 == 0o600


def test_passphrase_gives_the_same_root(shared_network, tmp_path):
    """Two keys, one passphrase: the second reads the names of the first if it is let in; another passphrase does not
    give the same access."""
    accesses = []
    for i, words in enumerate(("correct horse", "correct horse", "battery staple")):
        grant = shared_network.satellite.command("grant").strip()
        directory = tmp_path / str(i)
        run("granary", "access", "import", "--passphrase", grant, "--dir", directory, stdin=words.encode() + b"\n")
        accesses.append(run("granary", "access", "export", "--dir", directory).strip())
    assert len(set(accesses)) == 3


def test_stats_name_the_nodes(client, tmp_path):
    client.put(os.urandom(3 * MIB), "granary://copies/counted")
    client.run("cp", "--stats-json", tmp_path / "stats", "granary://copies/counted", tmp_path / "out")
    stats = json.loads((tmp_path / "stats").read_text())
    assert stats["nodes_contacted"] == len(stats["nodes"]) >= 4
    assert stats["bytes_received"] == sum(n["bytes_received"] for n in stats["nodes"]) >= 3 * MIB
    assert all(re.fullmatch("[0-9a-f]{66}", n["id"]) for n in stats["nodes"])
    wait_until("stats", lambda: Path(tmp_path / "out").stat().st_size == 3 * MIB)


def test_device_is_written_to_not_replaced(client, tmp_path):
    """A pipe or a device as the target stays what it is; putting a file over /dev/null would harm everybody."""
    data = os.urandom(50_000)  # less than a pipe holds
    client.put(data, "granary://copies/device")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    client.run("cp", "granary://copies/device", pipe)
    assert reader.communicate(timeout=30)[0] == data
    assert pipe.is_fifo()


@pytest.mark.parametrize("words,closed", [(("cat", "granary://copies/closed"), ">&-"),
                                          (("cp", "granary://copies/closed", "-"), ">&-"),
                                          (("cp", "-", "granary://copies/never"), "<&-")])
def test_closed_standard_descriptors(client, words, closed):
    """A closed stdin or stdout is an error at once; nothing meant for it goes to a socket in its place."""
    client.put(os.urandom(50_000), "granary://copies/closed")
    script = f'exec granary {words[0]} --dir "$0" {" ".join(words[1:])} {closed}'
    done = subprocess.run(["sh", "-c", script, str(client.dir)], stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("granary: ")
