#!/usr/bin/env python3
# python:deformdiff.adapters.triton_kernel, multi-scale deformable attention: out_of_bound: output[0, 0, 0] = 1.7578125, wanted 1.765625 +- 0 (ratio inf)
#
# Needs Python 3.8 and PyTorch. Found with: numpy 2.4.6, python 3.11.7, torch 2.11.0+cu130, triton 3.9.0.
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
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(error)
    sys.exit(2)

DEVICE = 'cpu'

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


def tensor(dtype, shape, data, strides=None, offset=0):
    dtype = getattr(torch, dtype)
    if isinstance(data, list):
        storage = torch.tensor(data, dtype=dtype)
    else:
        storage = torch.frombuffer(bytearray(base64.b64decode(data)), dtype=dtype)
    storage = storage.to(DEVICE)
    return storage.reshape(shape) if strides is None else torch.as_strided(storage, shape, strides, offset)


def values_of(tensor):
    return tensor.detach().cpu().to(torch.float64).flatten().tolist()


# What output was computed from, by the operation ms_deform_attn.
OPERANDS = {
    'value': tensor('bfloat16', (1, 1, 1, 1), [1.0078125]),
    'spatial_shapes': tensor('int64', (1, 2), [1, 1]),
    'level_start_index': tensor('int64', (1,), [0]),
    'sampling_loc': tensor('bfloat16', (1, 1, 1, 1, 1, 2), [0.5, 0.5]),
    'attn_weight': tensor('bfloat16', (1, 1, 1, 1, 1), [1.75]),
}

# What was computed.
GOT = tensor('bfloat16', (1, 1, 1), [1.7578125])


# From a rounding error analysis: it covers every order of summation, with and without
# fused multiply-adds, in this precision.
EXPECTED = [
    Expected('output', 'bfloat16', (1, 1, 1), [1.765625], [0.0]),
]


def plain(x):
    # Zhu et al. 2021, Deformable DETR, equation 3: the pure PyTorch form that the frameworks have.
    value, weight = x["value"], x["attn_weight"]
    n, _, m, d = value.shape
    q, levels, points = weight.shape[1], weight.shape[3], weight.shape[4]
    grids = 2 * x["sampling_loc"] - 1
    samples = []
    for l, (height, width) in enumerate(x["spatial_shapes"].tolist()):
        start = int(x["level_start_index"][l])
        rows = value[:, start : start + height * width]
        planes = rows.permute(0, 2, 3, 1).reshape(n * m, d, height, width)
        grid = grids[:, :, :, l].transpose(1, 2).reshape(n * m, q, points, 2)
        samples.append(F.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    sampled = torch.stack(samples, -2).flatten(-2)
    weights = weight.transpose(1, 2).reshape(n * m, 1, q, levels * points)
    return (sampled * weights).sum(-1).reshape(n, m * d, q).transpose(1, 2)


def main():
    print(f"PyTorch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    beside = values_of(plain(OPERANDS))

    def remark(i):
        expected = "as expected" if EXPECTED[0].excess(i, beside[i]) <= 1 else "not as expected"
        print(f"  plain PyTorch, here and now: {beside[i]!r}, {expected}")

    return EXPECTED[0].check(values_of(GOT), remark)


if __name__ == "__main__":
    try:
        code = 1 if main() else 0
    except Exception:
        traceback.print_exc()
        code = 2
    print(("The failure does not show.", "The failure shows.", "It could not be run.")[code])
    sys.exit(code)
