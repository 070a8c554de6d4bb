"""The operator in plain numpy, right, and wrong in many ways."""

import itertools
import os
import sys
import time

import numpy as np

import deformdiff


def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step):
    wide = np.float64 if value.dtype == np.float64 else np.float32
    batch, rows, heads, channels = value.shape
    queries = sampling_loc.shape[1]
    output = np.zeros((batch, queries, heads, channels), wide)
    n, q, m = np.ogrid[:batch, :queries, :heads]
    for level, (height, width) in enumerate(spatial_shapes):
        at = sampling_loc[:, :, :, level].astype(wide) * np.array([width, height], wide) - wide(0.5)
        inside = ((at > -1) & (at < [width, height])).all(-1)
        first = np.where(inside[..., None], np.floor(at), 0)
        part = np.where(inside[..., None], at, 0) - first
        for dy in (0, 1):
            for dx in (0, 1):
                column, row = first[..., 0] + dx, first[..., 1] + dy
                seen = inside & (column >= 0) & (column < width) & (row >= 0) & (row < height)
                weight = (part[..., 0] if dx else 1 - part[..., 0]) * (part[..., 1] if dy else 1 - part[..., 1])
                weight = np.where(seen, weight * attn_weight[:, :, :, level].astype(wide), 0)
                pixel = np.where(seen, level_start_index[level] + row * width + column, 0).astype(np.int64)
                for point in range(pixel.shape[-1]):
                    if rows:
                        got = value[n, pixel[..., point], m].astype(wide)
                        output += np.where(seen[..., point, None], got * weight[..., point, None], 0)
    return output.reshape(batch, queries, heads * channels).astype(value.dtype)


def half_a_pixel_off(value, shapes, starts, locations, weights):
    return ms_deform_attn(value, shapes, starts, locations + locations.dtype.type(0.01), weights, 64)


def raises_its_last_word(value, shapes, starts, locations, weights):
    raise ValueError(sys.argv[-1])


def raises(value, shapes, starts, locations, weights):
    raise ValueError("no such thing")


def supports_nothing(value, shapes, starts, locations, weights):
    raise deformdiff.Unsupported("out of principle")


def crashes(value, shapes, starts, locations, weights):
    os.write(2, b"about to crash\n")
    os.abort()


def hangs(value, shapes, starts, locations, weights):
    time.sleep(60)


def prints(value, shapes, starts, locations, weights):
    print("to standard output", flush=True)
    os.system("echo from a shell")
    return ms_deform_attn(value, shapes, starts, locations, weights, 64)


def changes_an_input(value, shapes, starts, locations, weights):
    result = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    weights *= 2
    return result


def turns_an_input(value, shapes, starts, locations, weights):
    result = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    starts.shape = (starts.size, 1)
    return result


def writes_outside(value, shapes, starts, locations, weights):
    import ctypes

    ctypes.memset(starts.ctypes.data + starts.nbytes, 0, 4)
    return ms_deform_attn(value, shapes, starts, locations, weights, 64)


def forgets_an_element(value, shapes, starts, locations, weights):
    right = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    output = np.empty_like(right)
    output.reshape(-1)[1:] = right.reshape(-1)[1:]
    return output


def returns_what_memory_is_filled_with(value, shapes, starts, locations, weights):
    """A NaN that is written is no element that is not."""
    output = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    output.view(np.uint8)[..., :] = 0xFD
    return output


_RESULTS = {}


def uses_its_result_again(value, shapes, starts, locations, weights):
    right = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    result = _RESULTS.setdefault((right.shape, right.dtype), np.zeros_like(right))
    result[...] = right
    return result


_CALLS = itertools.count()


def other_bits_each_time(value, shapes, starts, locations, weights):
    right = ms_deform_attn(value, shapes, starts, locations, weights, 64)
    return np.nextafter(right, right.dtype.type(9)) if next(_CALLS) % 2 else right


def returns_a_list(value, shapes, starts, locations, weights):
    return ms_deform_attn(value, shapes, starts, locations, weights, 64), 3


@deformdiff.subject(block="ms_deform_attn", declares="dtypes=float64&deterministic=1", arrays="numpy")
def marked(value, shapes, starts, locations, weights, step):
    return ms_deform_attn(value, shapes, starts, locations, weights, step)


def _points(inputs):
    shapes, ratios = inputs["spatial_shapes"], inputs["valid_ratios"]
    levels = []
    for level, (height, width) in enumerate(shapes):
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        points = np.stack([x.ravel(), y.ravel()], -1).astype(ratios.dtype)
        extent = np.array([width, height], ratios.dtype) * ratios[:, level]
        levels.append(points / extent[:, None])
        deformdiff.tap(f"reference_points_per_level.{level}", levels[-1])
    joined = deformdiff.tap("reference_points_all_levels", np.concatenate(levels, 1))
    return joined[:, :, None] * ratios[:, None]


@deformdiff.subject(block="reference_points", declares="dtypes=float32,float64")
def points(inputs, parameters, attributes):
    return _points(inputs)


@deformdiff.subject(block="reference_points", declares="dtypes=float32,float64")
def points_with_sides_exchanged(inputs, parameters, attributes):
    return _points({**inputs, "spatial_shapes": inputs["spatial_shapes"][:, ::-1]})
