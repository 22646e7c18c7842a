"""The piece tree, its proofs and the draw of leaves, again from doc/formats.md (section 5) with nothing but hashlib,
against tests/vectors/tree.json, which the C unit tests check too."""
import functools
import hashlib
import json
import os
import pathlib

VECTORS = pathlib.Path(os.environ.get("GRANARY_VECTORS", pathlib.Path(__file__).parents[1] / "vectors"))
LEAF, BLOCK = 1024, 32768


def h(personal, data):
    return hashlib.blake2b(data, digest_size=32, person=personal.encode()).digest()


@functools.cache
def content(size):
    return bytes((i * 131 + (i >> 8) * 17 + (i >> 16) * 101) & 0xFF for i in range(size))


def leaves_of(data):
    return [data[i : i + LEAF] for i in range(0, len(data), LEAF)] or [b""]


def split(n):
    half = 1
    while half * 2 < n:
        half *= 2
    return half


def top(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return h("granary.leaf", leaves[0])
    half = split(len(leaves))
    return h("granary.node", top(leaves[:half]) + top(leaves[half:]))


def root(data):
    return h("granary.root", b"\x01" + len(data).to_bytes(8, "big") + top(leaves_of(data)))


def block_path(data, block):
    """The siblings of a block, nearest first."""

    def walk(first, leaves):
        if len(leaves) <= BLOCK // LEAF:
            return []
        half = split(len(leaves))
        if block * 32 < first + half:
            return walk(first, leaves[:half]) + [top(leaves[half:])]
        return walk(first + half, leaves[half:]) + [top(leaves[:half])]

    return walk(0, leaves_of(data))


def multi_proof(data, samples):
    def walk(first, leaves):
        if not any(first <= s < first + len(leaves) for s in samples):
            return top(leaves)
        if len(leaves) == 1:
            return b""
        half = split(len(leaves))
        return walk(first, leaves[:half]) + walk(first + half, leaves[half:])

    leaves = leaves_of(data)
    return b"".join(leaves[s] for s in samples) + walk(0, leaves)


def drawn(nonce, piece, previous, wanted, size):
    leaves = max(1, -(-size // LEAF))
    limit, found, counter = 2**32 // leaves * leaves, set(), 0
    while len(found) < min(wanted, leaves):
        block = h("granary.sample", nonce + piece + previous + counter.to_bytes(4, "big"))
        counter += 1
        for i in range(0, 32, 4):
            value = int.from_bytes(block[i : i + 4], "big")
            if value < limit and len(found) < min(wanted, leaves):
                found.add(value % leaves)
    return sorted(found)


def vectors(name):
    return json.loads((VECTORS / "tree.json").read_text())[name]


def test_roots():
    for v in vectors("roots"):
        assert root(content(v["size"])).hex() == v["root"]


def test_paths():
    for v in vectors("paths"):
        assert b"".join(block_path(content(v["size"]), v["block"])).hex() == v["path"]


def test_proofs():
    for v in vectors("proofs"):
        proof = multi_proof(content(v["size"]), v["samples"])
        assert len(proof) == v["length"]
        assert h("", proof).hex() == v["blake2b"]


def test_draws():
    for v in vectors("draws"):
        nonce, piece, previous = (bytes.fromhex(v[name]) for name in ("nonce", "piece", "previous"))
        assert drawn(nonce, piece, previous, v["wanted"], v["size"]) == v["leaves"]
