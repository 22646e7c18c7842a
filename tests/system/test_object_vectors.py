"""Names, units, wrapped keys, metadata, parity and accesses, again from doc/formats.md (section 7) in plain Python,
against tests/vectors/objects.json, which the C unit tests check too."""
import base64
import hashlib
import json
import os
import pathlib
import struct

VECTORS = pathlib.Path(os.environ.get("GRANARY_VECTORS", pathlib.Path(__file__).parents[1] / "vectors"))


def h(personal, data, key=b"", size=32):
    return hashlib.blake2b(data, digest_size=size, person=personal.encode(), key=key).digest()


# ChaCha20 and Poly1305 (RFC 8439), HChaCha20 (draft-irtf-cfrg-xchacha)


def rounds(state):
    s = list(state)

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] ^= s[x]
            s[z] = (s[z] << turn | s[z] >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


def chacha_state(key, tail):
    return struct.unpack("<16I", b"expand 32-byte k" + key + tail)


def chacha(key, nonce, data, counter=0):
    """nonce: 12 bytes with a 32-bit counter, or 8 with a 64-bit one."""
    out = b""
    for at in range(0, len(data), 64):
        state = chacha_state(key, (counter + at // 64).to_bytes(16 - len(nonce), "little") + nonce)
        words = [(a + b) & 0xFFFFFFFF for a, b in zip(rounds(state), state)]
        out += bytes(a ^ b for a, b in zip(struct.pack("<16I", *words), data[at : at + 64]))
    return out


def hchacha(key, nonce16):
    s = rounds(chacha_state(key, nonce16))
    return struct.pack("<8I", *(s[:4] + s[12:]))


def xchacha(key, nonce, data):
    return chacha(hchacha(key, nonce[:16]), nonce[16:], data)


def aead(key, nonce, plain, bound=b""):
    sealed = chacha(key, nonce, plain, 1)
    one_time = chacha(key, nonce, bytes(64))
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    pad = lambda data: data + bytes(-len(data) % 16)
    text = pad(bound) + pad(sealed) + struct.pack("<QQ", len(bound), len(sealed))
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    tag = (total + int.from_bytes(one_time[16:32], "little")) % 2**128
    return sealed + tag.to_bytes(16, "little")


def xseal(key, nonce, plain, bound):
    return nonce + aead(hchacha(key, nonce[:16]), bytes(4) + nonce[16:], plain, bound)


# formats.md, section 7


def bucket_key(root, bucket):
    return h("granary.bucket", bucket.encode(), root)


def path_key(key, path):
    for name in path.split("/"):
        key = h("granary.folder", name.encode(), key)
    return key


def encrypt_path(key, path):
    out = b""
    for name in path.encode().split(b"/"):
        padded = name + bytes(-len(name) % 16 if name else 16)
        iv = h("granary.name.iv", padded, key, 24)
        component = iv + xchacha(h("granary.name.key", b"", key), iv, padded)
        out += len(component).to_bytes(2, "big") + component
        key = h("granary.folder", name, key)
    return out


def seal_unit(key, number, plain, unit_size):
    return aead(key, number.to_bytes(12, "big"), plain + bytes(unit_size - 16 - len(plain)))


def bound_bucket(v):
    bucket = v["bucket"].encode()
    return bytes.fromhex(v["satellite"]) + bytes([len(bucket)]) + bucket


def wrap_key(v):
    bound = bound_bucket(v) + bytes.fromhex(v["version"]) + v["number"].to_bytes(4, "big")
    bound += bytes([v["last"]]) + v["plain_size"].to_bytes(8, "big")
    key = h("granary.content", b"", path_key(bucket_key(bytes.fromhex(v["root"]), v["bucket"]), v["path"]))
    return xseal(key, bytes.fromhex(v["nonce"]), bytes.fromhex(v["segment_key"]), bound)


def seal_metadata(v):
    kind = v["type"].encode()
    plain = bytes.fromhex(v["version"]) + v["plain_size"].to_bytes(8, "big") + v["modified"].to_bytes(8, "big")
    plain += len(kind).to_bytes(2, "big") + kind
    key = h("granary.metadata", b"", path_key(bucket_key(bytes.fromhex(v["root"]), v["bucket"]), v["path"]))
    return xseal(key, bytes.fromhex(v["nonce"]), plain, bound_bucket(v))


def gf_tables():
    """Powers of 2 in GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1, twice over, and their logarithms."""
    power, log, x = [], {}, 1
    for i in range(255):
        power.append(x)
        log[x] = i
        x = x << 1 ^ (0x11D if x & 0x80 else 0)
    return power * 2, log


def parity(required, total, units):
    power, log = gf_tables()
    out = []
    for row in range(required, total):
        unit = bytearray(len(units[0]))
        for column, data in enumerate(units):
            inverse = 255 - log[row ^ column]
            for at, byte in enumerate(data):
                unit[at] ^= power[inverse + log[byte]] if byte else 0
        out.append(bytes(unit))
    return out


def access_text(v):
    host = v["host"].encode()
    data = bytes.fromhex(v["satellite"]) + bytes([len(host)]) + host + v["port"].to_bytes(2, "big")
    data += v["chain_id"].to_bytes(8, "big") + bytes.fromhex(v["contract"])
    data += bytes.fromhex(v["key"]) + bytes.fromhex(v["root"])
    data += h("granary.access", data)[:4]
    return "granary-access-1-" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def vectors(name):
    return json.loads((VECTORS / "objects.json").read_text())[name]


def test_paths():
    for v in vectors("paths"):
        assert encrypt_path(bucket_key(bytes.fromhex(v["root"]), v["bucket"]), v["plain"]).hex() == v["encrypted"]


def test_units():
    for v in vectors("units"):
        sealed = seal_unit(bytes.fromhex(v["key"]), v["number"], bytes.fromhex(v["plain"]), v["unit_size"])
        assert sealed.hex() == v["sealed"]


def test_wrapped_keys():
    for v in vectors("wrapped_keys"):
        assert wrap_key(v).hex() == v["wrapped"]


def test_metadata():
    for v in vectors("metadata"):
        assert seal_metadata(v).hex() == v["sealed"]


def test_parity():
    for v in vectors("parity"):
        units = [bytes((i * 37 + j * 11) & 0xFF for j in range(v["size"])) for i in range(v["required"])]
        made = b"".join(parity(v["required"], v["total"], units))
        assert h("", made).hex() == v["blake2b"]


def test_accesses():
    for v in vectors("accesses"):
        assert access_text(v) == v["text"]
