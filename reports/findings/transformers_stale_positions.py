#!/usr/bin/env python3
# python:deformdiff.adapters.transformers_mask2former, position_embedding: out_of_bound: position_embedding[0, 0, 0, 0] = 0.84147096, wanted 0 +- 0 (ratio inf); 8 of 8 elements are wrong; computed from y_embed, x_embed, dim_t, angle_y, angle_x, which were not seen
#
# Needs Python 3.8 and numpy. Found with: numpy 2.4.6, python 3.11.7, torch 2.11.0+cu130, transformers 5.24.0.
# Usage: python3 THIS
# Exit code: 1 the failure shows, 0 it does not, 2 it could not be run.
import array
import base64
import math
import platform
import sys
import traceback
from fractions import Fraction
from math import inf, isnan, nan

try:
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(2)

FINITE, NAN, PLUS_INF, MINUS_INF, ANYTHING = 1, 2, 4, 8, 16


def numbers(data):
    """A list, or the doubles that a text in base64 holds."""
    return data if isinstance(data, list) else array.array("d", base64.b64decode(data)).tolist()


def rounded(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return inf if fraction > 0 else -inf


class Expected:
    """What every correct evaluation gives: wanted + low +- radius, or a number of another kind. Where there is
    a jump, or a number in another such interval: element, wanted, low and radius of each."""

    def __init__(self, name, dtype, shape, wanted, radius, low=None, kinds=None, others=()):
        self.name, self.dtype, self.shape = name, dtype, shape
        self.wanted, self.radius = numbers(wanted), numbers(radius)
        self.low = [0.0] * len(self.wanted) if low is None else numbers(low)
        self.kinds = [FINITE] * len(self.wanted) if kinds is None else [int(k) for k in numbers(kinds)]
        self.others = {}
        for i, *other in others:
            self.others.setdefault(i, []).append(other)

    def intervals(self, i):
        """Middle and radius of each."""
        all_of = [(self.wanted[i], self.low[i], self.radius[i]), *self.others.get(i, [])]
        return [(Fraction(wanted) + Fraction(low), radius) for wanted, low, radius in all_of]

    def excess(self, i, got):
        """Error beside the radius: more than 1 is wrong."""
        kinds = self.kinds[i]
        if kinds & ANYTHING:
            return 0
        if isnan(got):
            return 0 if kinds & NAN else inf
        if got in (inf, -inf):
            return 0 if kinds & (PLUS_INF if got > 0 else MINUS_INF) else inf
        if not kinds & FINITE:
            return inf
        if self.radius[i] == inf:
            return 0
        excesses = []
        for middle, radius in self.intervals(i):
            error = abs(Fraction(got) - middle)
            excesses.append(0 if error == 0 else inf if radius == 0 else error / Fraction(radius))
        return min(excesses)

    def interval(self, i):
        words = []
        if self.kinds[i] & FINITE and self.radius[i] == inf:
            words.append("any number")
        elif self.kinds[i] & FINITE:
            for middle, radius in self.intervals(i):
                low, high = (rounded(middle + s * Fraction(radius)) for s in (-1, 1))
                words.append(repr(low) if low == high else f"a number from {low!r} to {high!r}")
        named = ((NAN, "nan"), (PLUS_INF, "inf"), (MINUS_INF, "-inf"))
        return " or ".join(words + [word for kind, word in named if self.kinds[i] & kind])

    def element(self, i):
        position = []
        for side in reversed(self.shape):
            position.insert(0, i % side)
            i //= side
        return f"{self.name}{position}"

    def check(self, values, remark=lambda i: None):
        """Prints the worst element that is wrong; whether there is one."""
        wrong = [i for i, got in enumerate(values) if self.excess(i, got) > 1]
        if not wrong:
            print(f"{self.name}: {len(values)} of {len(values)} elements are as expected")
            return False
        i = max(wrong, key=lambda i: self.excess(i, values[i]))
        print(f"{self.element(i)}\n  expected {self.interval(i)}\n  got      {values[i]!r}")
        remark(i)
        print(f"  {len(wrong)} of {len(values)} elements of {self.name} are wrong")
        return True


def tensor(dtype, shape, data):
    if isinstance(data, list):
        return np.array(data, dtype).reshape(shape)
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape)


def values_of(tensor):
    return [float(value) for value in np.asarray(tensor).flat]


# What position_embedding was computed from, by the operation sine_embedding.
OPERANDS = {
    'angle_y': tensor('float64', (1, 1, 1, 4), [0.0, 0.0, 0.0, 0.0]),
    'angle_x': tensor('float64', (1, 1, 1, 4), [0.0, 0.0, 0.0, 0.0]),
}

# What was computed.
GOT = tensor('float64', (1, 8, 1, 1), [0.8414709568023682, 0.5403023362159729, 0.009999833069741726, 0.9999499917030334, 0.8414709568023682,
    0.5403023362159729, 0.009999833069741726, 0.9999499917030334])


# Estimated: results of the same formulas with every operation rounded at random, and a
# margin beside their spread. A correct evaluation stays inside.
EXPECTED = [
    Expected('position_embedding', 'float32', (1, 8, 1, 1), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
]


def plain(x):
    a = {}
    both = np.concatenate([x["angle_y"], x["angle_x"]], -1).transpose(0, 3, 1, 2)
    even = (np.arange(both.shape[1]) % (both.shape[1] // 2) % 2 == 0)[:, None, None]
    value = np.where(even, np.sin(both), np.cos(both))
    return value


def main():
    print(f"numpy {np.__version__}, Python {platform.python_version()}, {platform.machine()}")
    beside = values_of(plain(OPERANDS))

    def remark(i):
        expected = "as expected" if EXPECTED[0].excess(i, beside[i]) <= 1 else "not as expected"
        print(f"  the formula in float64, here and now: {beside[i]!r}, {expected}")

    return EXPECTED[0].check(values_of(GOT), remark)


if __name__ == "__main__":
    try:
        code = 1 if main() else 0
    except Exception:
        traceback.print_exc()
        code = 2
    print(("The failure does not show.", "The failure shows.", "It could not be run.")[code])
    sys.exit(code)
