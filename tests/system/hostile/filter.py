"""Filters of pieces that a satellite wants kept (doc/formats.md, section 6.5), with nothing but hashlib.

    filter = Filter(pieces, time.time())
    filter.encoded, filter.digest, piece in filter
"""

import hashlib
import os
import struct

MASK = (1 << 64) - 1


def siphash128(key, data):
    """SipHash-2-4 with 128 bits of output."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(value, by):
        return (value << by | value >> (64 - by)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[2] = (v[2] + v[3]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (rotate(v[0], 32) + v[3]) & MASK
            v[2] = (v[2] + v[1]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xEE
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return struct.pack("<QQ", first, v[0] ^ v[1] ^ v[2] ^ v[3])


class Filter:
    """Those of the pieces that begin with the shard's `bits` bits."""

    def __init__(self, pieces, time, *, hashes=7, bits=0, shard=0, seed=None, claimed=None):
        pieces = [piece for piece in pieces if piece[0] >> (8 - bits) == shard]
        claimed = len(pieces) if claimed is None else claimed
        self.hashes, self.seed = hashes, seed or os.urandom(16)
        self.row = bytearray(max(8, (claimed * hashes * 14427 // 10000 + 7) // 8))
        for piece in pieces:
            for bit in self._bits(piece):
                self.row[bit // 8] |= 1 << bit % 8
        self.encoded = (struct.pack(">BBBBQQ", 1, hashes, bits, shard, int(time), claimed) + self.seed
                        + struct.pack(">Q", len(self.row)) + self.row)
        self.digest = hashlib.blake2b(self.encoded, digest_size=32, person=b"granary.filter").digest()

    def _bits(self, piece):
        start, step = struct.unpack(">QQ", siphash128(self.seed, piece))
        return [((start + i * (step | 1)) & MASK) * len(self.row) * 8 >> 64 for i in range(self.hashes)]

    def __contains__(self, piece):
        return all(self.row[bit // 8] & 1 << bit % 8 for bit in self._bits(piece))
