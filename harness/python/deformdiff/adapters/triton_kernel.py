"""The operator as a Triton kernel: an example of one that is right, and a test of the compiler that runs it.

python:deformdiff.adapters.triton_kernel                  in Triton's interpreter, on the CPU
python:deformdiff.adapters.triton_kernel?device=cuda      compiled, where a GPU is
"""

import os
import sys

# Triton reads this when it is imported, and compiles what is decorated for a GPU unless it is set.
if "cuda" not in sys.argv:
    os.environ["TRITON_INTERPRET"] = "1"

import torch
import triton
import triton.language as tl

import deformdiff

_CHANNELS_AT_ONCE = 64


@triton.jit
def _corner(rows, x, y, height, width, weight, step, channel, channels, accumulator: tl.constexpr):
    """`weight` times the pixel (x, y)'s channels, 0 outside the map."""
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    there = channel < tl.where(inside, channels, 0)
    pixel = tl.load(rows + (y * width + x) * step + channel, mask=there, other=0)
    return tl.where(inside, weight, 0) * pixel.to(accumulator)


@triton.jit
def _forward(
    value,  # [N, S, M, D], contiguous as all others
    spatial_shapes,
    level_start_index,
    sampling_loc,
    attn_weight,
    output,
    rows,
    queries,
    heads,
    channels,
    levels: tl.constexpr,
    points: tl.constexpr,
    at_once: tl.constexpr,
    accumulator: tl.constexpr,
):
    """A program computes `at_once` channels of one head of one query of one image."""
    program = tl.program_id(0).to(tl.int64)  # image, query, head
    head = program % heads
    image = program // heads // queries
    channel = tl.program_id(1) * at_once + tl.arange(0, at_once)
    step = heads * channels
    total = tl.zeros([at_once], dtype=accumulator)
    for level in range(levels):
        height = tl.load(spatial_shapes + 2 * level)
        width = tl.load(spatial_shapes + 2 * level + 1)
        start = tl.load(level_start_index + level)
        first = value + (image * rows + start) * step + head * channels
        for point in range(points):
            place = (program * levels + level) * points + point
            x = tl.load(sampling_loc + 2 * place).to(accumulator) * width.to(accumulator) - 0.5
            y = tl.load(sampling_loc + 2 * place + 1).to(accumulator) * height.to(accumulator) - 0.5
            weight = tl.load(attn_weight + place).to(accumulator)
            inside = (x > -1) & (x < width) & (y > -1) & (y < height)
            # What is not on the map, not finite or too large for an integer, is a point of weight 0 at its first pixel.
            x, y, weight = tl.where(inside, x, 0), tl.where(inside, y, 0), tl.where(inside, weight, 0)
            left, top = tl.floor(x), tl.floor(y)
            right_part, lower_part = x - left, y - top
            left_part, upper_part = 1 - right_part, 1 - lower_part
            column, line = left.to(tl.int64), top.to(tl.int64)
            sample = _corner(
                first, column, line, height, width, upper_part * left_part, step, channel, channels, accumulator
            )
            sample += _corner(
                first, column + 1, line, height, width, upper_part * right_part, step, channel, channels, accumulator
            )
            sample += _corner(
                first, column, line + 1, height, width, lower_part * left_part, step, channel, channels, accumulator
            )
            sample += _corner(
                first,
                column + 1,
                line + 1,
                height,
                width,
                lower_part * right_part,
                step,
                channel,
                channels,
                accumulator,
            )
            total += tl.where(inside, sample, 0) * weight
    tl.store(output + program * channels + channel, total.to(output.dtype.element_ty), mask=channel < channels)


@deformdiff.subject(
    block="ms_deform_attn",
    declares="coordinates=fused&nonfinite_location=zero&nonfinite_weight_outside=ignored",
    arrays="torch",
)
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    batch, rows, heads, channels = value.shape
    _, queries, _, levels, points, _ = sampling_loc.shape
    output = torch.empty(batch, queries, heads * channels, dtype=value.dtype, device=value.device)
    if output.numel() > 0:
        at_once = min(triton.next_power_of_2(channels), _CHANNELS_AT_ONCE)
        _forward[(batch * queries * heads, triton.cdiv(channels, at_once))](
            value.contiguous(),
            spatial_shapes.contiguous(),
            level_start_index.contiguous(),
            sampling_loc.contiguous(),
            attn_weight.contiguous(),
            output,
            rows,
            queries,
            heads,
            channels,
            levels,
            points,
            at_once,
            tl.float64 if value.dtype == torch.float64 else tl.float32,
        )
    return output
