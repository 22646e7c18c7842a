"""`granary-node claim` against a chain that answers as it likes: what it pays attention to, and what it refuses."""

import json
import os
import pty
import subprocess

import pytest

from hostile.chain import CHAIN_ID, CONTRACT, GWEI, Chain, Tree, revert, selector, statement, word
from hostile.curve import Key, address_text
from hostile.peer import Acceptor
from hostile.typed import Domain
from network import run

PERIOD, CUMULATIVE = 202605, 1_250_000_000_7
OTHER = b"\x0b" * 20


class Claim:
    """A node with its papers, and a chain to claim on."""

    def __init__(self, directory):
        self.dir = directory
        self.satellite = Key()
        run("granary-node", "init", "--dir", directory / "node", "--satellite",
            self.satellite.endpoint("127.0.0.1", 1), "--allocate", "16MiB")
        self.key = Key.load(directory / "node" / "key")
        self.payee = self.key.address
        self.tree = Tree({self.payee: CUMULATIVE, OTHER: 7, b"\x01" * 20: 9})
        self.write("tree", self.tree.json)
        self.write("statement", statement(self.satellite, self.payee, self.payee, PERIOD, CUMULATIVE))
        self.chain = Chain(self.tree.root, self.payee, CUMULATIVE)

    def write(self, name, content):
        (self.dir / name).write_text(content if isinstance(content, str) else json.dumps(content))

    def command(self, *more, without=()):
        """The command line; an option in `more` stands in place of ours."""
        ours = {"--dir": self.dir / "node", "--rpc": self.chain.url, "--statement": self.dir / "statement",
                "--tree": self.dir / "tree"}
        words = [str(word) for name, value in ours.items() if name not in (*more, *without) for word in (name, value)]
        return ["granary-node", "claim", *words, *more]

    def run(self, *more):
        return subprocess.run(self.command(*more), capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)

    def refused(self, *more, status=1):
        """The one line that says why."""
        done = self.run("--yes", *more)
        assert done.returncode == status, done
        assert done.stderr.startswith("granary-node: ") and done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.isprintable() or done.stderr.strip().isprintable(), repr(done.stderr)
        return done.stderr

    def answer(self, name, answer):
        self.chain.answers[name] = answer


@pytest.fixture
def claim(tmp_path):
    made = Claim(tmp_path)
    yield made
    made.chain.close()


def sent_nothing(claim):
    return claim.chain.sent == [] and "eth_sendRawTransaction" not in claim.chain.asked


def test_pays(claim):
    done = claim.run("--yes", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == {
        "period": "2026-05", "satellite": claim.satellite.address_text, "chain_id": CHAIN_ID,
        "contract": address_text(CONTRACT), "payee": address_text(claim.payee), "amount": str(CUMULATIVE),
        "cumulative": str(CUMULATIVE), "transaction": claim.chain.sent_hash(), "block": 17, "gas_used": 100000,
        "gas_price": str(2 * GWEI), "fee": "0.0002",
    }
    assert len(claim.chain.sent) == 1 and claim.chain.sent[0][0] == 2
    # The key's secret is nowhere in what was sent.
    assert claim.key.secret.to_bytes(32, "big") not in claim.chain.sent[0]


def test_tells_people(claim):
    done = claim.run("--yes")
    assert done.returncode == 0, done.stderr
    assert "to claim   125.00000007\n" in done.stdout and "paid       125.00000007 to" in done.stdout
    assert "at most 133120 at 3 gwei: 0.00039936 of the chain's coin" in done.stdout


def test_asks_first(claim):
    done = claim.run()
    assert done.returncode == 1 and "--yes" in done.stderr and sent_nothing(claim)
    for answer, status in ((b"n\n", 1), (b"\n", 1), (b"\x04", 1), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        done = subprocess.run(claim.command(), stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
        os.close(ours)
        os.close(theirs)
        assert done.returncode == status and "Send it? [y/N]" in done.stderr
        assert sent_nothing(claim) == (status == 1)


@pytest.mark.parametrize("arguments, why", [
    (["--rpc", "https://node.example/"], "https is not spoken here"),
    (["--rpc", "node.example"], "not a URL"),
    (["--period", "2026-06"], "is of 2026-05, not of 2026-06"),
    (["--period", "2026-13"], "not a month as YYYY-MM"),
    (["--statement", "/nonexistent"], "cannot read /nonexistent"),
    (["--tree", "/nonexistent"], "cannot read /nonexistent"),
    (["--max-gas-price", "1"], "gas costs 2 gwei just now, the limit (--max-gas-price) is 1"),
])
def test_arguments(claim, arguments, why):
    assert why in claim.refused(*arguments, status=2 if "--rpc" in arguments or "2026-13" in arguments else 1)
    assert sent_nothing(claim)


def test_papers_needed(claim):
    for missing, status, why in (("--rpc", 2, "--rpc"), ("--statement", 1, "has kept no statement yet"),
                                 ("--tree", 1, "cannot get the payout from the satellite")):
        command = claim.command("--yes", without=[missing])
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status and why in done.stderr
    assert sent_nothing(claim) and not (claim.dir / "node" / "papers.db").exists()


def papers(claim):
    """(name, content of a file, what is said of it) for all that can be wrong with the papers."""
    node, satellite = claim.payee, claim.satellite
    good = statement(satellite, node, node, PERIOD, CUMULATIVE)
    other_tree, no_leaf = Tree({node: CUMULATIVE - 1, OTHER: 7}), Tree({OTHER: 7})
    no_root = {**claim.tree.json, "tree": ["0x" + "00" * 32] + claim.tree.json["tree"][1:]}
    return [
        ("statement", "{", "is not JSON"),
        ("statement", "[]", "is no signed statement"),
        ("statement", {**good, "signature": "0x" + "00" * 65}, "did not sign"),
        ("statement", statement(satellite, node, node, PERIOD, CUMULATIVE, paid=5), "did not sign"),
        ("statement", statement(satellite, OTHER, node, PERIOD, CUMULATIVE), "is for another node"),
        ("statement", statement(Key(), node, node, PERIOD, CUMULATIVE), "no satellite that this node works for"),
        ("statement", statement(satellite, node, node, PERIOD, CUMULATIVE, Domain()), "no payout contract"),
        ("statement", statement(satellite, node, node, PERIOD, CUMULATIVE + 1), "the statement of 2026-05 and"),
        ("statement", statement(satellite, node, b"\x0c" * 20, PERIOD, CUMULATIVE), "no leaf for the statement's"),
        ("tree", "{", "is no payout tree"),
        ("tree", other_tree.json, "disagree"),
        ("tree", no_leaf.json, "no leaf"),
        ("tree", no_root, "is no payout tree"),
        ("tree", Tree({node: CUMULATIVE, OTHER: 8}).json, "the tree's is 0x"),
    ]


def test_wrong_papers(claim):
    for name, content, why in papers(claim):
        kept = (claim.dir / name).read_text()
        claim.write(name, content)
        assert why in claim.refused(), (name, why)
        claim.write(name, kept)
    assert sent_nothing(claim)


@pytest.fixture
def satellite(claim):
    """The satellite in person: it answers one ASK_PAYOUT with what .answer says."""
    class Satellite:
        def __init__(self):
            self.acceptor = Acceptor(claim.satellite)
            self.good = {"root": claim.tree.root, "payee": claim.payee, "cumulative": CUMULATIVE,
                         "proof": claim.tree.proof(claim.payee, CUMULATIVE)}
            self.endpoint = self.acceptor.endpoint

        def during(self, command, name="PAYOUT", **changes):
            """What `command` prints while the satellite answers so."""
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True)
            with self.acceptor.accept() as peer:
                asked = peer.recv()
                assert (asked.name, asked.fields["period"]) == ("ASK_PAYOUT", PERIOD)
                peer.send(name, asked.request, **({**self.good, **changes} if name == "PAYOUT" else changes))
                peer.expect_closed()
            out, err = child.communicate(timeout=60)
            return child.returncode, out, err

    made = Satellite()
    yield made
    made.acceptor.sock.close()


def test_asks_the_satellite(claim, satellite):
    command = claim.command("--yes", "--satellite", satellite.endpoint, without=["--tree"])
    for changes, why in (
        ({"cumulative": CUMULATIVE - 1}, "proof does not lead to its root"),
        ({"payee": OTHER}, "proof does not lead to its root"),
        ({"proof": satellite.good["proof"][:-32]}, "proof does not lead to its root"),
        ({"proof": satellite.good["proof"] + bytes(32)}, "proof does not lead to its root"),
        ({"proof": bytes(33 * 32)}, "cannot get the payout from the satellite"),
        ({"root": claim.tree.leaf(OTHER, 7), "payee": OTHER, "cumulative": 7, "proof": b""},
         "disagree"),
        ({"name": "ERROR", "code": 53, "text": "period: not closed"}, "period: not closed"),
        ({"name": "DONE"}, "cannot get the payout from the satellite"),
    ):
        status, _, err = satellite.during(command, **changes)
        assert status == 1 and why in err and err.count("\n") == 1, (changes, err)
    assert sent_nothing(claim)
    status, out, err = satellite.during(command)
    assert status == 0 and "paid       125.00000007" in out, err


def test_pinned_domain(claim):
    """What the satellite's signatures are bound to was learned at the first greeting."""
    pins = claim.dir / "node" / "domains.json"
    for chain_id, contract in ((CHAIN_ID, OTHER), (1, CONTRACT)):
        pins.write_text(json.dumps({"version": 1, "domains": [{
            "satellite": claim.satellite.address_text, "chain_id": str(chain_id),
            "contract": address_text(contract)}]}))
        assert "is known to pay from" in claim.refused()
    assert sent_nothing(claim)


WRONG_CHAIN = [
    ("eth_chainId", "0x1", "that is chain 1, but the satellite pays on chain 31337"),
    ("eth_chainId", "31337", "eth_chainId: the answer makes no sense"),
    ("eth_chainId", None, "makes no sense"),
    ("eth_chainId", {"error": {"code": -32000, "message": "rate\x1b[2Jlimit\n" + "a" * 400}}, "rate?[2Jlimit?aaa"),
    ("eth_chainId", b"HTTP/1.1 429 Slow down\r\n\r\n", "HTTP status 429"),
    ("eth_chainId", b"", "hung up without an answer"),
    ("eth_chainId", b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, "no answer in JSON-RPC"),
    ("eth_getCode", "0x", "there is no contract at"),
    ("eth_getCode", 7, "makes no sense"),
    (selector("root()"), word(0), "the contract has no root yet"),
    (selector("root()"), word(1), "the contract's root is 0x" + "0" * 63 + "1"),
    (selector("root()"), "0x", "eth_call: the answer makes no sense"),
    (selector("root()"), word(1) + "00", "makes no sense"),
    (selector("root()"), revert("Panic(uint256)", 1), "the contract refuses: a check of the compiler failed"),
    (selector("token()"), word(1 << 200), "names no token"),
    (selector("claimed(address)"), word(CUMULATIVE), "has been paid all of it already"),
    (selector("claimed(address)"), word(CUMULATIVE + 1), "has been paid all of it already"),
    (selector("balanceOf(address)"), word(CUMULATIVE - 1), f"the contract holds {CUMULATIVE - 1} base units"),
    ("eth_getTransactionCount", lambda params: "0x6" if params[1] == "pending" else "0x5", "under way already"),
    ("eth_getTransactionCount", hex(1 << 64), "makes no sense"),
    ("eth_estimateGas", hex(500_001), "would take 500001 gas"),
    ("eth_estimateGas", revert("InvalidProof()"), "the contract refuses: the contract's tree has no such payee"),
    ("eth_estimateGas", revert("Whatever()"), "which is unknown here"),
    ("eth_estimateGas", {"error": {"code": -32000, "message": "gas required exceeds allowance"}}, "exceeds allowance"),
    ("eth_getBlockByNumber", {"number": "0x1"}, "no base fee"),
    ("eth_getBlockByNumber", None, "makes no sense"),
    ("eth_getBlockByNumber", {"baseFeePerGas": hex(100 * GWEI)}, "gas costs 101 gwei"),
    ("eth_getBlockByNumber", {"baseFeePerGas": hex((1 << 64) - 1)}, "gas costs 18446744074.709551615 gwei"),
    ("eth_maxPriorityFeePerGas", hex((1 << 64) - 1), "gas costs 18446744074"),
    ("eth_getBalance", hex(399_359_999_999_999), "not enough for the gas"),
    ("eth_getBalance", "lots", "makes no sense"),
]


def test_wrong_chain(claim):
    for name, answer, why in WRONG_CHAIN:
        kept = claim.chain.answers[name]
        claim.answer(name, answer)
        assert why in claim.refused(), (name, why)
        claim.answer(name, kept)
    assert sent_nothing(claim)


def test_tolerates(claim):
    """What differs from server to server and does not matter."""
    claim.answer("eth_maxPriorityFeePerGas", {"error": {"code": -32601, "message": "unknown"}})
    claim.answer("eth_getBalance", hex(1 << 200))
    assert claim.run("--yes").returncode == 0


def test_refused_when_sent(claim):
    claim.answer("eth_sendRawTransaction", {"error": {"code": -32000, "message": "insufficient funds for gas"}})
    assert "eth_sendRawTransaction: insufficient funds for gas" in claim.refused()


def test_waits(claim):
    """In no block for a while, and the server is not always there."""
    answers = [None, b"", {"error": {"code": 1, "message": "busy"}}, None]
    claim.answer("eth_getTransactionReceipt", lambda _: answers.pop() if answers else claim.chain.receipt())
    done = claim.run("--yes")
    assert done.returncode == 0 and not answers, done.stderr


def test_sent_without_an_answer(claim):
    """The connection broke after the server had it: it counts as sent."""
    def take(params):
        claim.chain.sent.append(bytes.fromhex(params[0][2:]))
        return b""
    claim.answer("eth_sendRawTransaction", take)
    assert claim.run("--yes").returncode == 0


@pytest.mark.parametrize("receipt, why", [
    (lambda chain: None, "not in a block after 1 s: the transaction is in no block yet"),
    (lambda chain: chain.receipt(status="0x2"), "makes no sense"),
    (lambda chain: chain.receipt(transactionHash=word(1)), "makes no sense"),
    (lambda chain: chain.receipt(logs=[]), "its receipt shows no such payment"),
    (lambda chain: chain.receipt(logs="none"), "its receipt shows no such payment"),
    (lambda chain: chain.receipt(status="0x0", logs=[]), "it was reverted, though the same claim would pass now"),
])
def test_wrong_receipts(claim, receipt, why):
    claim.answer("eth_getTransactionReceipt", lambda _: receipt(claim.chain))
    said = claim.refused("--wait", "1s")
    assert why in said and f"transaction {claim.chain.sent_hash()} was sent, but" in said


def test_reverted(claim):
    """Another claim came first: the reason is found by asking again."""
    def estimate(_):
        return revert("NothingToClaim(address,uint256)", 1, 2) if claim.chain.sent else "0x1a000"
    claim.answer("eth_estimateGas", estimate)
    claim.answer("eth_getTransactionReceipt", lambda _: claim.chain.receipt(status="0x0", logs=[]))
    assert "it was reverted: the contract refuses: 0x" in claim.refused()


def test_nobody_there(claim):
    url = claim.chain.url
    claim.chain.close()
    assert "nothing answers there" in claim.refused("--rpc", url)
    claim.chain = Chain(claim.tree.root, claim.payee, CUMULATIVE)
