"""What memory holds before anything is written to it, so that elements that an implementation forgot are known.

The C library fills what it hands out (M_PERTURB), numpy's `empty` is wrapped: numpy keeps small arrays for itself.
"""

import ctypes
import os
import sys

_M_PERTURB = -6
_TUNABLES = "GLIBC_TUNABLES"
_NO_CACHE = "glibc.malloc.tcache_count=0"

#: Fill bytes. One is looked for; where it is found, another shows whether the element is really never written. As
#: float16 both are NaN, as larger types large numbers.
FIRST, SECOND = 0xFD, 0xFE

_byte = FIRST


def restart_without_cache():
    """The C library's cache of small pieces hands them out as they are: starts this program anew without it."""
    tunables = os.environ.get(_TUNABLES, "")
    if _NO_CACHE not in tunables:
        os.environ[_TUNABLES] = ":".join(filter(None, [tunables, _NO_CACHE]))
        os.execv(sys.executable, [sys.executable] + sys.argv)


def fill_with(byte):
    """From now on."""
    global _byte
    _byte = byte
    try:
        # What is handed out is filled with the complement.
        ctypes.CDLL(None).mallopt(_M_PERTURB, byte ^ 0xFF)
    except AttributeError:
        pass  # another C library: only what numpy hands out is filled


def wrap_numpy(numpy):
    """`numpy.empty` and `numpy.empty_like` fill what they return."""

    def filled(make):
        def made(*arguments, **keywords):
            array = make(*arguments, **keywords)
            if array.nbytes and not array.dtype.hasobject:
                ctypes.memset(array.ctypes.data, _byte, array.nbytes)
            return array

        made.__doc__ = make.__doc__
        made.__name__ = make.__name__
        return made

    numpy.empty, numpy.empty_like = filled(numpy.empty), filled(numpy.empty_like)


def first_unwritten(data, element_bytes, byte):
    """The index of the first element all of whose bytes are `byte`, or -1. Elements of one byte say nothing."""
    if element_bytes < 2:
        return -1
    pattern = bytes([byte]) * element_bytes
    at = data.find(pattern)
    while at >= 0:
        if at % element_bytes == 0:
            return at // element_bytes
        at = data.find(pattern, at + 1)
    return -1
