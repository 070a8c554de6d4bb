"""The operator in JAX's own map_coordinates, compiled by XLA for each case's shapes.

python:deformdiff.adapters.jax_composite

XLA's code for the CPU reads and writes subnormal numbers as zero.
"""

import functools

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

import deformdiff


def _level(maps, locations, weights):
    """Of one image and head. maps [H, W, D], locations [Q, P, 2], weights [Q, P]; returns [Q, D]."""
    height, width, _ = maps.shape
    places = [locations[..., 1] * height - 0.5, locations[..., 0] * width - 0.5]
    samples = jax.vmap(lambda channel: map_coordinates(channel, places, order=1, mode="constant"), -1, -1)(maps)
    return (samples * weights[..., None]).sum(1)


@functools.partial(jax.jit, static_argnums=(3, 4))
def _sampled(value, sampling_loc, attn_weight, spatial_shapes, level_start_index):
    batch, _, heads, channels = value.shape
    # 16 bits are widened, as a kernel would.
    wide = jnp.float64 if value.dtype == jnp.float64 else jnp.float32
    value, sampling_loc, attn_weight = (x.astype(wide) for x in (value, sampling_loc, attn_weight))
    of_images_and_heads = jax.vmap(jax.vmap(_level, (2, 1, 1), 1))
    total = jnp.zeros((batch, sampling_loc.shape[1], heads, channels), wide)
    for level, (height, width) in enumerate(spatial_shapes):
        start = level_start_index[level]
        maps = value[:, start : start + height * width].reshape(batch, height, width, heads, channels)
        total = total + of_images_and_heads(maps, sampling_loc[:, :, :, level], attn_weight[:, :, :, level])
    return total.reshape(batch, sampling_loc.shape[1], heads * channels)


@deformdiff.subject(block="ms_deform_attn", declares="flush_to_zero=1", arrays="jax")
def ms_deform_attn(value, spatial_shapes, level_start_index, sampling_loc, attn_weight):
    shapes = tuple(tuple(sides) for sides in spatial_shapes.tolist())
    output = _sampled(value, sampling_loc, attn_weight, shapes, tuple(level_start_index.tolist()))
    return output.astype(value.dtype)
