"""From nothing to a node: its first run, the router, and what the doctor says."""

import json
import os
import re
import subprocess

import pytest

from fake_igd import Igd, NatPmp
from network import CommandFailed, Network, Node, run, wait_until


@pytest.fixture
def net(tmp_path):
    """A satellite, and nobody else."""
    network = Network(tmp_path, nodes=0, redundancy="1/1/1/1")
    yield network
    network.close()


def new_node(net, name="node"):
    node = Node(net, name)
    net.nodes.append(node)
    return node


def first_run(node, *words, answers=None):
    """Run `setup`; what it printed, its complaints, and its exit status."""
    argv = ["granary-node", "setup", "--dir", str(node.dir), *map(str, words)]
    done = subprocess.run(argv, input=answers, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **node.network.env})
    return done.stdout, done.stderr, done.returncode


def serving(node):
    return ["--satellite", node.network.satellite.endpoint, "--listen", f"127.0.0.1:{node.port}", "--http",
            f"127.0.0.1:{node.http_port}"]


def test_without_questions(net, tmp_path):
    node, disk = new_node(net), tmp_path / "disk"
    out, err, status = first_run(node, "--yes", "--system-disk", "--storage", disk, "--size", "1GB", *serving(node))
    assert (err, status) == ("", 0)
    assert "0 damaged pieces" in out and "1 of 1 reach this node" in out
    assert f"{node.dir}/key" in out and "backup" in out
    code = re.search(rf"http://127.0.0.1:{node.http_port}/login\?code=(\w{{4}}-\w{{4}})", out)
    assert code is not None
    assert (node.dir / "store").resolve() == disk / "store" and (disk / "store" / "SUPER").exists()
    before = {name: (node.dir / name).read_bytes() for name in ("key", "config.ini", "store.id")}
    # The same again, by another name of that disk, changes nothing, …
    (tmp_path / "link").symlink_to(disk)
    out, err, status = first_run(node, "--yes", "--system-disk", "--storage", f"{tmp_path}/link/", "--size", "1GB",
                                 *serving(node))
    assert (err, status) == ("", 0)
    assert before == {name: (node.dir / name).read_bytes() for name in before}
    # What it cannot change, it says, …
    stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@127.0.0.1:1"
    out, err, status = first_run(node, "--yes", *serving(node), "--satellite", stranger)
    assert (err, status) == ("", 0) and "More than one satellite" in out
    assert before == {name: (node.dir / name).read_bytes() for name in before}
    # … and works beside the running node, whose size it changes.
    node.start()
    out, err, status = first_run(node, "--yes", "--size", "2GB")
    assert (err, status) == ("", 0)
    assert node.json("status")["space"]["allocation"] == 2_000_000_000
    assert (node.dir / "key").read_bytes() == before["key"]
    # The store is not moved by the way.
    out, err, status = first_run(node, "--yes", "--system-disk", "--storage", tmp_path / "other")
    assert status == 1 and "already" in err
    assert (node.dir / "store").resolve() == disk / "store"


def test_refusals(net, tmp_path):
    node = new_node(net)
    good = ["--yes", "--system-disk", "--size", "1GB", *serving(node)]
    for words, why in (
            ((*good, "--payout", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".replace("5aA", "5AA")), "EIP-55"),
            ((*good, "--payout", "0x" + "0" * 40), "zero address"),
            (("--yes", "--system-disk", *serving(node), "--size", "900PB"), "more than the disk has"),
            (("--yes", "--system-disk", *serving(node), "--size", "1kB"), "too small"),
            ((*good, "--router", "ftp://x"), "natpmp://"),
            (("--yes", "--system-disk"), "--satellite")):
        out, err, status = first_run(node, *words)
        assert status in (1, 2) and why in err and err.count("\n") == 1, (words, err)
    assert not (node.dir / "key").exists()
    if os.stat(tmp_path).st_dev == os.stat("/").st_dev:
        out, err, status = first_run(node, "--yes", *serving(node))
        assert status == 2 and "--system-disk" in err


def test_questions(net, tmp_path):
    node, disk = new_node(net), tmp_path / "disk"
    # Answers that are no good are asked for again; Enter takes the default.
    answers = f"relative\n{disk}\n3kB\n1GB\n0x12\n\nnobody\n{net.satellite.endpoint}\n"
    flags = ["--system-disk", *serving(node)[2:]]
    out, err, status = first_run(node, *flags, answers=answers)
    assert (err, status) == ("", 0), out
    assert out.count("Where are the pieces") == 2 and out.count("How much") == 2 and out.count("be paid?") == 2
    assert out.count("Which satellite") == 2
    assert net.satellite.endpoint in (node.dir / "config.ini").read_text()
    assert "allocate = 1GB" in (node.dir / "config.ini").read_text()
    # Answers that end change nothing.
    other = new_node(net, "other")
    out, err, status = first_run(other, *flags, answers=f"{tmp_path}/x\n")
    assert status == 1 and "nothing was changed" in err and not other.dir.exists()


def ask_router(net, router, node, *words):
    out, err, status = first_run(node, "--yes", "--system-disk", "--size", "1GB", *serving(node), *words)
    assert status == 0 and err == "", (out, err)
    node.options = ["--router", router.url]
    node.start()
    return wait_until("the router answers", lambda: (
        node.json("status")["port_mapping"]["phase"] not in ("off", "searching") and node.json("status")))


def test_upnp(net):
    igd, node = Igd(), new_node(net)
    igd.taken = {node.port}  # by somebody else: the next one is taken
    mapping = ask_router(net, igd, node)["port_mapping"]
    assert mapping["phase"] == "open" and mapping["protocol"] == "UPnP"
    assert mapping["external"] == f"127.0.0.1:{node.port + 1}"
    assert igd.mappings == {node.port + 1: ("127.0.0.1", node.port, 3600)}
    assert f"router     opened 127.0.0.1:{node.port + 1} by UPnP" in node.command("status")
    # The hole is where satellites are told to dial: nobody listens there, which the fake cannot mend.
    wait_until("it is told", lambda: node.json("status")["endpoint"] == mapping["external"])
    wait_until("it is told so", lambda: "port-closed" in [f["code"] for f in node.json("status")["findings"]])
    node.stop()
    assert igd.mappings == {}
    igd.taken, igd.permanent_only = set(), True
    node.start()
    wait_until("it is mapped", lambda: igd.mappings == {node.port: ("127.0.0.1", node.port, 0)})
    net.wait_online(1)
    igd.close()


def test_router_that_does_not(net):
    igd, node = Igd(), new_node(net)
    igd.refuses = 606
    mapping = ask_router(net, igd, node)["port_mapping"]
    assert mapping["phase"] == "failed" and mapping["external"] is None and "UPnP" in mapping["why"]
    net.wait_online(1)  # it is not needed here
    assert node.json("status")["findings"] == []
    igd.close()


def test_shared_address(net):
    """CGNAT: the router has an address of RFC 6598 itself, so its hole leads nowhere."""
    igd, node = Igd(external="100.72.3.4"), new_node(net)
    status = ask_router(net, igd, node)
    assert status["port_mapping"]["phase"] == "shared" and status["endpoint"] == f"127.0.0.1:{node.port}"
    igd.close()


def test_nat_pmp(net):
    router, node = NatPmp(f"127.77.{os.getpid() % 250}.{os.getppid() % 250 + 1}"), new_node(net)
    mapping = ask_router(net, router, node)["port_mapping"]
    assert (mapping["phase"], mapping["protocol"]) == ("open", "NAT-PMP")
    assert mapping["external"] == f"127.0.0.1:{node.port}" and router.mappings == {node.port: (node.port, 3600)}
    net.wait_online(1)
    node.stop()
    assert router.mappings == {}
    router.refuses = True
    node.start()
    wait_until("it is refused", lambda: node.json("status")["port_mapping"]["phase"] == "failed")
    router.close()


def codes(report):
    return [f["code"] for f in report["findings"] if f["code"] != "disk-system"]


def doctor(node):
    return json.loads(run("granary-node", "doctor", "--dir", node.dir, "--json", accept=(1, 2), env=node.network.env))


def test_doctor(net):
    net.expect_errors("database_damaged", "ledger_behind")
    node = new_node(net)
    first_run(node, "--yes", "--system-disk", "--size", "1GB", *serving(node))
    assert codes(doctor(node)) == ["not-running"]
    node.start()
    wait_until("it has checked in", lambda: node.json("status")["satellites"][0]["connected"])
    report = doctor(node)
    assert codes(report) == [] and {"node", "key", "disk", "speed", "ledger", "papers",
                                    "satellites"} <= set(report["checks"])
    # The key readable by others: the running node says so, and would not start again.
    os.chmod(node.dir / "key", 0o644)
    assert codes(node.json("status")) == ["key-mode"] and codes(doctor(node)) == ["key-mode"]
    node.stop()
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "run", "--dir", node.dir)
    assert "chmod 600" in failure.value.err
    os.chmod(node.dir / "key", 0o600)
    # A closed port.
    node.options = ["--external", "127.0.0.1:9"]
    node.start()
    wait_until("the satellite cannot dial", lambda: "port-closed" in codes(doctor(node)))
    node.stop()
    node.options = []
    # A satellite that is away is no fault of this node.
    net.satellite.stop()
    net.set_ahead(120)
    node.start()
    wait_until("it says so", lambda: codes(doctor(node)) in (["satellite-unreachable"], ["satellite-unknown"]))
    net.satellite.start()
    net.wait_online(1)


def test_clock(net, tmp_path):
    """Two hours off: told within a check-in of the clock's jump."""
    node = new_node(net)
    first_run(node, "--yes", "--system-disk", "--size", "1GB", *serving(node))
    net.wait_online(0)
    own = tmp_path / "own-clock"
    own.write_text("0\n")
    net.env = {"GRANARY_CLOCK_FILE": str(own)}
    node.start()
    net.wait_online(1)
    wait_until("all is well", lambda: codes(node.json("status")) == [])
    for skew in (7200, -7200):
        (tmp_path / "new").write_text(f"{skew}\n")
        (tmp_path / "new").rename(own)
        word = "ahead of" if skew > 0 else "behind"
        wait_until("it is told", lambda: any(
            f["code"] == "clock-skew" and word in f["text"] for f in node.json("status")["findings"]))
        wait_until("nothing else is", lambda: codes(node.json("status")) == ["clock-skew"])
        [satellite] = node.json("status")["satellites"]
        assert abs(satellite["clock_skew"] + skew) < 30


def test_damaged_databases(net):
    """Put aside and made anew; the orders are in the store."""
    net.expect_errors("database_damaged")
    node = new_node(net)
    first_run(node, "--yes", "--system-disk", "--size", "1GB", *serving(node))
    node.options = ["--settle", "0"]
    node.start()
    net.wait_online(1)
    client = net.client()
    client.run("mb", "granary://bucket")
    client.put(os.urandom(100_000), "granary://bucket/one")
    wait_until("the order is noted", lambda: node.json("status")["orders"]["unsettled"] == 1)
    node.stop()
    for name in ("ledger.db", "papers.db"):
        raw = bytearray((node.dir / name).read_bytes())
        raw[4096:] = os.urandom(len(raw) - 4096)
        (node.dir / name).write_bytes(raw)
    assert {"database-damaged"} <= set(codes(doctor(node)))
    node.start()
    wait_until("the order is back", lambda: node.json("status")["orders"]["unsettled"] == 1)
    assert codes(node.json("status")) == ["database-damaged"]
    assert node.json("settle")["satellites"][0]["settled"] == 1
    kept = sorted(p.name for p in node.dir.glob("*.damaged-*"))
    assert [name.split(".")[0] for name in kept if not name.endswith(("-wal", "-shm"))] == ["ledger", "papers"]
    for name in kept:
        (node.dir / name).unlink()
    assert codes(node.json("status")) == []


def mount(*words):
    return subprocess.run(["mount", *map(str, words)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A small disk in memory, mounted at disk.at from disk.device, for whoever may mount."""
    class Disk:
        device, at = tmp_path / "device", tmp_path / "mounted"

        def mount(self):
            assert mount("--bind", self.device, self.at)

        def unmount(self):
            subprocess.run(["umount", "-l", str(self.at)], check=True)

        def remount(self, how):
            assert mount("-o", f"remount,{how}", self.device)

    for directory in (Disk.device, Disk.at):
        directory.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=96m,mode=700", "none", Disk.device):
        pytest.skip("may not mount")
    Disk().mount()
    yield Disk()
    for directory in (Disk.at, Disk.device):
        subprocess.run(["umount", "-l", str(directory)], capture_output=True, check=False)


def test_disk_unmounted_read_only_and_full(net, disk):
    """What befalls disks: each is told within a minute, and no audit fails for it."""
    net.expect_errors("storage_lost", "storage_missing")
    node = new_node(net)
    out, err, status = first_run(node, "--yes", "--storage", disk.at, "--size", "90MB", *serving(node))
    assert (err, status) == ("", 0) and "tmpfs" in out
    node.start()
    net.wait_online(1)
    client, data = net.client(), os.urandom(1_000_000)
    client.run("mb", "granary://bucket")
    client.put(data, "granary://bucket/one")

    def told(code, words):
        wait_until(code, lambda: any(f["code"] == code and words in f["text"]
                                     for f in node.json("status")["findings"]), 60)

    def well():
        wait_until("all is well", lambda: codes(node.json("status")) == [], 60)
        net.wait_online(1)
        assert client.get("granary://bucket/one") == data

    # A plug is pulled, and put back.
    disk.unmount()
    told("storage-missing", "unmounted")
    disk.mount()
    well()
    # It is not there at the start, …
    node.stop()
    disk.unmount()
    node.start()
    told("storage-missing", "mounted")
    disk.mount()
    well()
    # … or cannot be written.
    node.stop()
    disk.remount("ro")
    node.start()
    told("storage-missing", "read-only")
    disk.remount("rw")
    well()
    # Somebody else fills it.
    with open(disk.device / "filler", "wb") as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(1 << 20))
            filler.flush()
    told("disk-full", "takes no more pieces")
    with pytest.raises(CommandFailed):
        client.put(os.urandom(40_000_000), "granary://bucket/two")
    assert client.get("granary://bucket/one") == data
    (disk.device / "filler").unlink()
    well()
    [audit] = net.satellite.json("audit", "--node", node.id, "--every-piece")["nodes"]
    assert audit["passed"] > 0 and audit["failed"] == 0
    assert net.satellite.tally()[node.id]["audits_failed"] == 0
