"""Writes thresholds.json: the first 160 bits of every coin's probability, by Python's decimal instead of our intervals.

Run from anywhere: python3 thresholds.py. Two precisions must agree, and the digits' product must be the geometric mass.
"""

import json
import pathlib
import random
from decimal import ROUND_FLOOR, Decimal, getcontext
from fractions import Fraction

# (micro-epsilon, L1): the production L1 from the largest to the smallest epsilon, then small scales.
RATES = [(e, 65536) for e in (64_000_000, 10_000_000, 5_000_000, 1_000_000, 100_000, 10_000, 1)] + [
    (1_000_000, 1),
    (500_000, 1),
    (750_000, 1),
    (5_000_000, 7),
    (64_000_000, 1),
    (2_000_000, 1),
    (5_000_000, 32),
    (1, 2**40),
]
BITS = 160


def coins(epsilon, l1, digits):
    getcontext().prec = digits
    exact = Fraction(epsilon, 1_000_000 * l1)
    m = 0
    while exact * 2**m < 45:
        m += 1
    rate = Decimal(epsilon) / (Decimal(1_000_000) * l1)
    q = (-rate).exp()
    digit = [1 / (1 + (rate * 2**i).exp()) for i in range(m)]
    tail = (-rate * 2**m).exp()

    for _ in range(5 if m else 0):
        g = random.Random(epsilon + m).getrandbits(m)
        product = Decimal(1)
        for i, p in enumerate(digit):
            product *= p if g >> i & 1 else 1 - p
        assert abs(product * (1 - tail) / ((1 - q) * (-rate * g).exp()) - 1) < Decimal(10) ** (40 - digits)

    floor = lambda p: int((p * 2**BITS).to_integral_value(rounding=ROUND_FLOOR))
    return [floor(p) for p in digit + [(1 - q) / (1 + q), tail]]


table = []
for epsilon, l1 in RATES:
    found = coins(epsilon, l1, 160)
    assert found == coins(epsilon, l1, 220), "not enough digits"
    table.append({"epsilon": epsilon, "l1": l1, "m": len(found) - 2, "coins": " ".join(f"{c:0{BITS // 4}x}" for c in found)})

pathlib.Path(__file__).with_name("thresholds.json").write_text(json.dumps(table, indent=2) + "\n")
