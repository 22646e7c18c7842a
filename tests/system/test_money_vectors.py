"""Usage, closed months and payout trees, again from doc/formats.md (sections 4.7 to 4.10) with the integers of Python
and a Keccak of its own, against tests/vectors/money.json, which the C unit tests check too.

`python3 tests/system/test_money_vectors.py` writes the file anew: facts drawn from a fixed seed, and what follows."""
import calendar
import datetime
import json
import os
import pathlib
import random

VECTORS = pathlib.Path(os.environ.get("GRANARY_VECTORS", pathlib.Path(__file__).parents[1] / "vectors"))
DAY, TB = 86400, 10**12
STATEMENT = ("Statement(address satellite,address node,address payee,uint32 period,bytes32 lines,uint64 earned,"
             "uint64 held,uint64 released,uint64 forfeited,uint64 rolled,uint64 paid,uint256 nodeCumulative,"
             "uint256 payeeCumulative)")


def keccak(data):
    """Keccak-256 by FIPS 202's description of the permutation, with the original padding."""
    mask = 2**64 - 1

    def turn(lane, by):
        return (lane << by % 64 | lane >> (64 - by % 64)) & mask

    def permute(a):
        register = 1
        for _ in range(24):
            columns = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
            spread = [columns[(x - 1) % 5] ^ turn(columns[(x + 1) % 5], 1) for x in range(5)]
            a = [[a[x][y] ^ spread[x] for y in range(5)] for x in range(5)]
            x, y, lane = 1, 0, a[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                lane, a[x][y] = a[x][y], turn(lane, (t + 1) * (t + 2) // 2)
            a = [[a[x][y] ^ ~a[(x + 1) % 5][y] & a[(x + 2) % 5][y] & mask for y in range(5)] for x in range(5)]
            for bit in range(7):
                register = (register << 1 ^ (register >> 7) * 0x71) % 256
                if register & 2:
                    a[0][0] ^= 1 << ((1 << bit) - 1)
        return a

    data += b"\x01" + bytes(-(len(data) + 1) % 136)
    data = data[:-1] + bytes([data[-1] | 0x80])
    state = [[0] * 5 for _ in range(5)]
    for block in range(0, len(data), 136):
        for i in range(17):
            state[i % 5][i // 5] ^= int.from_bytes(data[block + 8 * i : block + 8 * i + 8], "little")
        state = permute(state)
    return b"".join(state[i][0].to_bytes(8, "little") for i in range(4))


def big(value, width):
    return int(value).to_bytes(width, "big")


# Section 4.7.
def usage(facts):
    end = (facts["day"] + 1) * DAY
    carried, debt = facts["bytes"], int(facts["debt"])
    earned, taken, out, rows = carried * DAY, debt, carried, b""
    for piece, change, size, start, to in facts["rows"]:
        rows += bytes.fromhex(piece) + big(change, 1) + big(size, 8) + big(start, 8) + big(to, 8)
        earned += {1: end - start, 2: 0, 3: to - start}[change] * size
        taken += (end - to) * size if change == 2 else 0
        out += {1: size, 2: -size, 3: 0}[change]
    return {"rows_hex": rows.hex(), "changes": keccak(big(carried, 8) + big(debt, 16) + rows).hex(),
            "byte_seconds": str(max(0, earned - taken)), "bytes_out": out, "debt_out": str(max(0, taken - earned))}


# Section 4.9.
def month_of(at):
    date = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return date.year * 12 + date.month - 1


def paid_prices(part):
    ask = part["ask"] or part["offer"]
    return [min(pair) for pair in zip(part["offer"], ask)]


def work_lines(facts):
    year, month = divmod(facts["period"], 100)
    seconds = calendar.monthrange(year, month)[1] * DAY
    work = {}
    for part in facts["parts"]:
        storage, egress, audit, repair = paid_prices(part)
        for kind, price, quantity in ((1, storage, int(part["byte_seconds"])), (2, egress, part["get"]),
                                      (3, audit, part["audit"]), (4, repair, part["repair"])):
            if quantity:
                work[kind, price] = work.get((kind, price), 0) + quantity
    return [(kind, quantity, price, quantity * price // (TB * seconds if kind == 1 else TB))
            for (kind, price), quantity in sorted(work.items())]


# Section 4.8, the default schedule.
def held_back(facts, work):
    before, number = facts["before"], facts["period"] // 100 * 12 + facts["period"] % 100 - 1
    year, month = divmod(number + 1, 12)
    end = calendar.timegm((year, month + 1, 1, 0, 0, 0))
    happened = {name: facts[name] if 0 < facts[name] < end else None for name in ("exiting", "exited", "disqualified")}
    exited = happened["exited"] is not None and (
        facts["disqualified"] == 0 or facts["exited"] <= facts["disqualified"])
    disqualified = happened["disqualified"] is not None and not exited
    age = number - month_of(facts["registered"]) + 1
    percent = 0 if exited or not 1 <= age <= 9 else (75, 50, 25)[(age - 1) // 3]
    held = work * percent // 100
    withheld = before["withheld"] + held
    balance = withheld - before["released"] - before["forfeited"]
    released = forfeited = 0
    if disqualified:
        forfeited = balance
    elif exited:
        released = balance
    elif age > 15:
        released = min(balance, max(0, withheld // 2 - before["released"]))
    codes = (disqualified * 1 | exited * 2 | (happened["exiting"] is not None and not exited and not disqualified) * 4
             | facts["offline"] * 8 | (percent > 0) * 16 | (facts["bonus"] > 0) * 32)
    return codes, percent, held, released, forfeited


def statement_hash(facts, lines, numbers):
    words = [facts[name] for name in ("satellite", "node", "payee")] + [hex(facts["period"]), lines] + [
        hex(n) for n in numbers]
    return keccak(keccak(STATEMENT.encode()) + b"".join(big(int(w, 16), 32) for w in words)).hex()


def month(facts):
    before, lines = facts["before"], work_lines(facts)
    work = sum(line[3] for line in lines)
    codes, percent, held, released, forfeited = held_back(facts, work)
    earned = work + facts["bonus"] + sum(amount for _, amount in facts["corrections"])
    payable = earned - held + released + before["rolled"]
    wanted = before["deduct"] + facts["deduction"]
    deducted = min(wanted, payable)
    payable -= deducted
    money = [(5, 0, facts["bonus"])] + [(6, period, amount) for period, amount in sorted(facts["corrections"])] + [
        (7, percent, held), (8, 0, released), (9, 0, forfeited), (10, 0, before["rolled"])]
    lines += [(kind, quantity, 0, amount) for kind, quantity, amount in money if amount]
    lines += [(11, wanted - deducted, 0, deducted)] if wanted else []
    sheet = big(codes, 1) + b"".join(big(k, 1) + big(q, 16) + big(p, 8) + big(a, 8) for k, q, p, a in lines)
    paid, rolled = (payable, 0) if facts["pays"] else (0, payable)
    cumulative = int(before["cumulative"]) + paid
    numbers = [earned, held, released, forfeited, rolled, paid, cumulative, int(facts["payee_cumulative"])]
    return {"sheet": sheet.hex(), "left": wanted - deducted, "withheld": before["withheld"] + held, "paid": paid,
            "rolled": rolled, "cumulative": str(cumulative),
            "statement_hash": statement_hash(facts, keccak(sheet).hex(), numbers)}


# Section 4.10.
def checksummed(address):
    digits = keccak(address.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(address, digits))


def tree(facts):
    values = sorted((payee, int(cumulative)) for payee, cumulative in facts["leaves"])
    hashes = [keccak(keccak(bytes(12) + bytes.fromhex(payee) + big(cumulative, 32))) for payee, cumulative in values]
    count = len(values)
    nodes = [b""] * (count - 1) + sorted(hashes, reverse=True)
    for i in reversed(range(count - 1)):
        nodes[i] = keccak(b"".join(sorted((nodes[2 * i + 1], nodes[2 * i + 2]))))
    text = json.dumps({"format": "standard-v1", "leafEncoding": ["address", "uint256"],
                       "tree": ["0x" + node.hex() for node in nodes],
                       "values": [{"value": [checksummed(payee), str(cumulative)], "treeIndex": nodes.index(leaf)}
                                  for (payee, cumulative), leaf in zip(values, hashes)]}, separators=(",", ":"))
    return {"root": nodes[0].hex(), "json": text}


RULES = {"usages": usage, "months": month, "trees": tree}


def check(name):
    cases = json.loads((VECTORS / "money.json").read_text())[name]
    assert len(cases) >= 8
    for case in cases:
        for key, value in RULES[name](case).items():
            assert case[key] == value, key


def test_keccak():
    known = json.loads((VECTORS / "ethereum.json").read_text())
    assert keccak(b"").hex() == known["keccak256"][""]
    for length, digest in known["keccak256_lengths"].items():
        if length.isdigit():
            assert keccak(bytes(7 * i % 256 for i in range(int(length)))).hex() == digest


def test_usages():
    check("usages")


def test_months():
    check("months")


def test_trees():
    check("trees")


def some(draw, bits):
    """Small and large numbers alike."""
    return draw.getrandbits(draw.randrange(1, bits + 1))


def drawn_usage(draw, number):
    day = 20000 + number
    begin, rows, ended = day * DAY, [], 0
    for _ in range(number):
        change, size = draw.randrange(1, 4), some(draw, 40)
        start = begin + draw.randrange(-3 * DAY, 0 if change == 2 else DAY)
        to = 0 if change == 1 else draw.randrange(start, begin + DAY + 1)
        ended += size if change == 2 else 0
        rows.append([draw.randbytes(32).hex(), change, size, start, to])
    return {"day": day, "bytes": ended + some(draw, 50), "debt": str(some(draw, 60) if number % 3 == 2 else 0),
            "rows": sorted(rows)}


def drawn_part(draw):
    offer = [some(draw, 34) for _ in range(4)]
    ask = [some(draw, 34) for _ in range(4)] if draw.random() < 0.5 else None
    return {"byte_seconds": str(some(draw, 66)), "get": some(draw, 45), "audit": some(draw, 40),
            "repair": some(draw, 40), "offer": offer, "ask": ask}


def drawn_month(draw, number):
    year, index = 2024 + draw.randrange(4), draw.randrange(1, 13)
    start = calendar.timegm((year, index, 1, 0, 0, 0))
    parts = [drawn_part(draw) for _ in range(draw.randrange(6))]
    parts += [dict(part, byte_seconds=str(some(draw, 66))) for part in parts[:2]]  # the same prices again
    withheld = some(draw, 40)
    when = {name: start + draw.randrange(-20 * DAY, 40 * DAY) if draw.random() < 0.2 else 0
            for name in ("exiting", "exited", "disqualified")}
    return {"period": year * 100 + index, "registered": start - draw.randrange(-27, 30 * number) * DAY, **when,
            "offline": draw.random() < 0.2, "parts": parts, "bonus": draw.choice([0, some(draw, 36)]),
            "corrections": draw.choice([[], [[202312, some(draw, 30) + 1], [202311, some(draw, 30) + 1]]]),
            "deduction": draw.choice([0, some(draw, 40)]), "pays": draw.random() < 0.7,
            "before": {"withheld": withheld, "released": withheld // 4, "forfeited": 0, "rolled": some(draw, 30),
                       "deduct": draw.choice([0, some(draw, 40)]), "cumulative": str(some(draw, 80))},
            "satellite": draw.randbytes(20).hex(), "node": draw.randbytes(20).hex(), "payee": draw.randbytes(20).hex(),
            "payee_cumulative": str(2**80 + some(draw, 80))}


def drawn_tree(draw, number):
    return {"leaves": [[draw.randbytes(20).hex(), str(some(draw, 256))] for _ in range(number + 1)]}


def main():
    draw = random.Random("granary money")
    made = [' "source": "tests/system/test_money_vectors.py, with a Keccak of its own"']
    for name, draw_one, count in (("usages", drawn_usage, 9), ("months", drawn_month, 40), ("trees", drawn_tree, 9)):
        cases = [draw_one(draw, number) for number in range(count)]
        lines = ",\n  ".join(json.dumps({**case, **RULES[name](case)}) for case in cases)
        made.append(f' "{name}": [\n  {lines}\n ]')
    (VECTORS / "money.json").write_text("{\n" + ",\n".join(made) + "\n}\n")


if __name__ == "__main__":
    main()
