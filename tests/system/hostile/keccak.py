"""Keccak-256 as Ethereum uses it: the original padding 0x01, where hashlib's sha3_256 has FIPS 202's."""

MASK = (1 << 64) - 1
RATE = 136


def _round_constants():
    """The iota constants from their shift register (FIPS 202, algorithm 5)."""
    state, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << (1 << j) - 1
            state = state << 1 ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


def _rotations():
    """The rho offsets, by walking x, y as pi does (FIPS 202, algorithm 2)."""
    offsets, x, y = {(0, 0): 0}, 1, 0
    for t in range(24):
        offsets[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


CONSTANTS, ROTATIONS = _round_constants(), _rotations()


def _rotate(value, by):
    return (value << by | value >> 64 - by) & MASK if by else value


def _permute(lanes):
    for constant in CONSTANTS:
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        for x in range(5):
            mixed = parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1)
            for y in range(5):
                lanes[x + 5 * y] ^= mixed
        moved = [0] * 25
        for (x, y), by in ROTATIONS.items():
            moved[y + 5 * ((2 * x + 3 * y) % 5)] = _rotate(lanes[x + 5 * y], by)
        for y in range(0, 25, 5):
            for x in range(5):
                lanes[x + y] = moved[x + y] ^ (~moved[(x + 1) % 5 + y] & moved[(x + 2) % 5 + y])
        lanes[0] ^= constant


def keccak256(data):
    padded = bytearray(data)
    padded += b"\x01" + bytes(-(len(data) + 1) % RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for at in range(0, len(padded), RATE):
        for i in range(RATE // 8):
            lanes[i] ^= int.from_bytes(padded[at + 8 * i : at + 8 * i + 8], "little")
        _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
