"""A chain's JSON-RPC server that says whatever a test wants, and the papers that a claim is made with.

It knows no EVM: it answers the questions of `granary-node claim` from a table, in which a test replaces one answer.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .curve import address_text
from .keccak import keccak256
from .typed import Domain, digest, fields_of

CONTRACT, TOKEN = b"\xc0" * 20, b"\x70" * 20
CHAIN_ID = 31337
GWEI = 10**9


def selector(signature):
    return "0x" + keccak256(signature.encode())[:4].hex()


def word(number):
    return "0x" + number.to_bytes(32, "big").hex()


def revert(signature, *numbers):
    """A JSON-RPC error as servers report a revert."""
    data = selector(signature) + "".join(word(n)[2:] for n in numbers)
    return {"error": {"code": 3, "message": "execution reverted", "data": data}}


class Tree:
    """OpenZeppelin's standard tree over {payee: cumulative}, as its JSON."""

    def __init__(self, leaves):
        hashed = sorted((self.leaf(payee, cumulative), payee, cumulative) for payee, cumulative in leaves.items())
        size = 2 * len(hashed) - 1
        tree = [b""] * size
        for i, (leaf, _, _) in enumerate(hashed):
            tree[size - 1 - i] = leaf
        for i in range(size - len(hashed) - 1, -1, -1):
            tree[i] = keccak256(min(tree[2 * i + 1], tree[2 * i + 2]) + max(tree[2 * i + 1], tree[2 * i + 2]))
        self.root = tree[0]
        self.json = {
            "format": "standard-v1", "leafEncoding": ["address", "uint256"],
            "tree": ["0x" + node.hex() for node in tree],
            "values": [{"value": [address_text(payee), str(cumulative)], "treeIndex": size - 1 - i}
                       for i, (_, payee, cumulative) in enumerate(hashed)],
        }

    def proof(self, payee, cumulative):
        """The sibling hashes of a leaf, nearest first, one after the other."""
        tree = [bytes.fromhex(node[2:]) for node in self.json["tree"]]
        at, hashes = tree.index(self.leaf(payee, cumulative)), b""
        while at > 0:
            hashes += tree[at + 1 if at % 2 else at - 1]
            at = (at - 1) // 2
        return hashes

    @staticmethod
    def leaf(payee, cumulative):
        return keccak256(keccak256(payee.rjust(32, b"\0") + cumulative.to_bytes(32, "big")))


def statement(satellite, node, payee, period, cumulative, domain=None, **changed):
    """A signed Statement as evidence; `changed` replaces members after signing."""
    domain = domain or Domain(CHAIN_ID, CONTRACT)
    fields = {name: bytes(32) if kind == "bytes32" else 0 for kind, name in fields_of("Statement")}
    fields.update(satellite=satellite.address, node=node, payee=payee, period=period, payeeCumulative=cumulative)
    signature = satellite.sign(digest("Statement", fields, domain))
    fields.update(changed)
    shown = {"address": address_text, "bytes32": lambda value: "0x" + value.hex()}
    types = {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                         {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
        "Statement": [{"name": name, "type": kind} for kind, name in fields_of("Statement")],
    }
    message = {name: shown.get(kind, str)(fields[name]) for kind, name in fields_of("Statement")}
    return {
        "typedData": {"types": types, "primaryType": "Statement", "message": message,
                      "domain": {"name": "Granary", "version": "1", "chainId": domain.chain_id,
                                 "verifyingContract": address_text(domain.contract)}},
        "signature": "0x" + signature.hex(), "signer": address_text(satellite.address),
    }


class Chain:
    """The server. `answers` maps a method, or a call's selector, to a result, to {"error": …}, to bytes that are sent
    in place of the whole HTTP answer, or to a function of the parameters that returns one of these."""

    def __init__(self, root, payee, cumulative):
        self.asked, self.sent = [], []
        self.root, self.payee, self.cumulative = root, payee, cumulative
        self.answers = {
            "eth_chainId": hex(CHAIN_ID),
            "eth_getCode": "0x60",
            "eth_getBalance": hex(10**18),
            "eth_getTransactionCount": "0x5",
            "eth_getBlockByNumber": {"number": "0x10", "baseFeePerGas": hex(GWEI)},
            "eth_maxPriorityFeePerGas": hex(GWEI),
            "eth_estimateGas": "0x1a000",
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": lambda params: self.receipt(),
            selector("root()"): "0x" + root.hex(),
            selector("token()"): word(int.from_bytes(TOKEN, "big")),
            selector("claimed(address)"): word(0),
            selector("balanceOf(address)"): word(10**18),
        }
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _call(self, params):
        return self._answer(params[0]["data"][:10], params)

    def _send(self, params):
        self.sent.append(bytes.fromhex(params[0][2:]))
        return self.sent_hash()

    def sent_hash(self):
        return "0x" + keccak256(self.sent[-1]).hex()

    def receipt(self, **changed):
        """A good one of what was sent last; `changed` replaces members."""
        event = "0x" + keccak256(b"Claimed(address,uint256,uint256)").hex()
        log = {"address": address_text(CONTRACT).lower(), "topics": [event, word(int.from_bytes(self.payee, "big"))],
               "data": word(self.cumulative) + word(self.cumulative)[2:]}
        return {"transactionHash": self.sent_hash(), "status": "0x1", "blockNumber": "0x11", "gasUsed": "0x186a0",
                "effectiveGasPrice": hex(2 * GWEI), "logs": [log], **changed}

    def _answer(self, name, params):
        answer = self.answers.get(name, {"error": {"code": -32601, "message": "the method is not known"}})
        return answer(params) if callable(answer) else answer

    def _handler(self):
        chain = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                chain.asked.append(question["method"])
                answer = chain._answer(question["method"], question["params"])
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    return
                wrapped = answer if isinstance(answer, dict) and "error" in answer else {"result": answer}
                body = json.dumps({"jsonrpc": "2.0", "id": question["id"], **wrapped}).encode()
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

            def log_message(self, *_):
                pass

        return Handler
