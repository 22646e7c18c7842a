"""A whole network for tests: a satellite, nodes and a client, run from the installed programs on loopback.

Nothing here sleeps for a fixed time: whatever takes time is waited for by asking the daemons. Each daemon's log goes
to DIR/log; a test fails when a daemon logged an error that the test did not announce (Network.expect_errors), and the
logs of a failed test stay where pytest keeps its temporary directories.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


class CommandFailed(Exception):
    """A program ended with an exit status other than 0."""

    def __init__(self, argv, status, out, err):
        super().__init__(f"{' '.join(map(str, argv))}: exit {status}\n{out}\n{err}")
        self.status, self.out, self.err = status, out, err


def run(*argv, stdin=None, text=True, timeout=120, env=None, accept=()):
    """Run a program to its end and return what it printed; raises CommandFailed unless it ended with 0 or a status in
    `accept`."""
    done = subprocess.run(
        [str(a) for a in argv], input=stdin, capture_output=True, timeout=timeout,
        env={**os.environ, **(env or {})}, check=False,
    )
    if done.returncode not in (0, *accept):
        raise CommandFailed(argv, done.returncode, done.stdout.decode(errors="replace"),
                            done.stderr.decode(errors="replace"))
    return done.stdout.decode() if text else done.stdout


def wait_until(what, condition, seconds=30):
    """Ask until condition() is true and return what it said; the pause between two questions grows to 100 ms."""
    end, pause = time.monotonic() + seconds, 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def is_sanitized():
    """Sanitizers keep memory of their own: the sizes of processes say nothing then."""
    program = Path(shutil.which("granary-node")).read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def free_ports(count):
    """Ports of 127.0.0.1 that were free a moment ago, all different, outside the range of outgoing connections."""
    sockets = []
    port = 10000 + (os.getpid() * 37) % 15000
    while len(sockets) < count:
        port = 10000 if port >= 31999 else port + 1
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Daemon:
    """One daemon with its directory."""

    program = ""

    def __init__(self, network, name):
        self.network = network
        self.name = name
        self.dir = Path(network.dir) / name
        self.process = None
        self.options = []
        self.port, self.http_port = free_ports_of(network, 2)

    def command(self, *words, **how):
        """Run a command of the daemon's program on its directory."""
        return run(self.program, words[0], "--dir", self.dir, *words[1:], env=self.network.env, **how)

    def json(self, *words, **how):
        return json.loads(self.command(*words, "--json", **how))

    def start(self):
        """Start it and wait until it answers."""
        assert self.process is None
        log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [*self.network.wrapper, self.program, "run", "--dir", str(self.dir), *map(str, self.options)],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **self.network.env},
        )
        log.close()
        wait_until(f"{self.name} starts", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
        try:
            self.command("status")
            return True
        except CommandFailed:
            return False

    def kill(self):
        """SIGKILL, as when the plug is pulled."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; it must end by itself, with status 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=40)
        self.process = None
        assert status == 0, f"{self.name} ended with {status}:\n{self.log()[-3000:]}"

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def id(self):
        return self.json("id")["id"]

    @property
    def address(self):
        return self.json("id")["address"]

    @property
    def endpoint(self):
        return f"{self.id}@127.0.0.1:{self.port}"

    def rss(self):
        """Resident memory, bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


def free_ports_of(network, count):
    network.ports = getattr(network, "ports", None) or free_ports(240)
    taken, network.ports = network.ports[:count], network.ports[count:]
    return taken


class Satellite(Daemon):
    program = "granary-satellite"

    def init(self, redundancy, *options):
        self.command("init", "--test-network", "--redundancy", redundancy, "--listen", f"127.0.0.1:{self.port}",
                     "--http", f"127.0.0.1:{self.http_port}", *options)

    def online(self):
        return [n for n in self.json("nodes")["nodes"] if n["online"]]

    def tally(self):
        """node id → its line."""
        return {line["id"]: line for line in self.json("tally")["nodes"]}


class Node(Daemon):
    program = "granary-node"

    def command(self, *words, **how):
        """`status` of a node that runs ends with 1 or 2 when not all is well; without an answer it prints nothing."""
        if words[0] != "status":
            return super().command(*words, **how)
        out = super().command(*words, **{"accept": (1, 2), **how})
        if not out:
            raise CommandFailed(words, 2, out, "the node does not answer")
        return out

    def init(self, satellites, allocate="2GB", options=()):
        trusted = [word for s in satellites for word in ("--satellite", s.endpoint)]
        self.command("init", *trusted, "--allocate", allocate, "--listen", f"127.0.0.1:{self.port}",
                     "--http", f"127.0.0.1:{self.http_port}", *options)


class Client:
    """A directory of the `granary` command with an access to a satellite."""

    def __init__(self, network, name, satellite):
        self.network = network
        self.dir = Path(network.dir) / name
        self.satellite = satellite
        self.run("access", "import", satellite.command("grant").strip())

    def run(self, *words, **how):
        return run("granary", words[0], "--dir", self.dir, *words[1:], env=self.network.env, **how)

    def put(self, data, url):
        """Store bytes under a URL."""
        return self.run("cp", "-", url, stdin=data)

    def get(self, url, *options):
        """The bytes under a URL."""
        return self.run("cat", *options, url, text=False)


class Network:
    """One satellite, given `options`, and `nodes` nodes, running and acquainted with each other."""

    def __init__(self, directory, nodes=10, redundancy="4/5/6/8", wrapper=(), start=True, options=()):
        self.dir = directory
        self.wrapper = list(wrapper)
        self.clock = Path(directory) / "clock"
        self.clock.write_text("0\n")
        self.env = {"GRANARY_CLOCK_FILE": str(self.clock)}
        self.expected = []
        self.ports = None
        self.nodes = []
        self.satellite = Satellite(self, "satellite")
        self.satellite.init(redundancy, *options)
        self.satellite.start()
        for _ in range(nodes):
            self.add_node(start=start)
        if start:
            self.wait_online(nodes)

    def add_node(self, start=True, **how):
        node = Node(self, f"node{len(self.nodes)}")
        node.init([self.satellite], **how)
        if start:
            node.start()
        self.nodes.append(node)
        return node

    def wait_online(self, count):
        wait_until(f"{count} nodes online", lambda: len(self.satellite.online()) >= count, 60)

    def client(self, name="client"):
        return Client(self, name, self.satellite)

    def set_ahead(self, seconds):
        """Set every clock of the network so many seconds ahead of the machine's."""
        temporary = self.clock.with_suffix(".new")
        temporary.write_text(f"{seconds}\n")
        temporary.rename(self.clock)

    def expect_errors(self, *words):
        """Error lines that hold any of these words are part of the test."""
        self.expected += words

    def running(self):
        return [d for d in [self.satellite, *self.nodes] if d.process is not None]

    def unexpected_errors(self):
        found = []
        for daemon in [self.satellite, *self.nodes]:
            for line in daemon.log().splitlines():
                bad = " error " in f" {line} " or "level=error" in line or "ERROR: AddressSanitizer" in line \
                    or "runtime error:" in line or "LeakSanitizer" in line
                if bad and not any(word in line for word in self.expected):
                    found.append(f"{daemon.name}: {line}")
        return found

    def close(self):
        """Stop all daemons in good order and complain about errors that nobody expected."""
        for daemon in self.running():
            daemon.process.send_signal(signal.SIGTERM)
        stuck = []
        for daemon in self.running():
            try:
                status = daemon.process.wait(timeout=45)
                if status != 0:
                    stuck.append(f"{daemon.name} ended with {status}")
            except subprocess.TimeoutExpired:
                daemon.process.kill()
                stuck.append(f"{daemon.name} did not end on SIGTERM")
            daemon.process = None
        problems = stuck + self.unexpected_errors()
        assert not problems, "\n".join(problems)
