"""A worker that has loaded numpy, and PyTorch where the implementation imports it, and forks for every other one.

The parent's end is harness/engine/fork_server. An implementation itself is loaded by each worker anew.
"""

import importlib.util
import os
import re
import socket
import sys
import time

_SOCKET, _DESCRIPTORS, _LONGEST = 3, 5, 65536
_IMPORTS_TORCH = re.compile(r"^[ \t]*(import|from)[ \t]+torch\b", re.MULTILINE)
_SETS_UP_FIRST = re.compile(r"\benviron\b|\bputenv\b|\bsys\.path\b")


def preload(file, module):
    """What nothing is lost by having loaded before the fork."""
    path = file or path_of(module)
    for name in packages_of("" if path is None else _text_of(path)):
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


def packages_of(text):
    """To load before an implementation with this text."""
    imports_torch = _IMPORTS_TORCH.search(text) and not _SETS_UP_FIRST.search(text)
    return ["numpy", "torch"] if imports_torch else ["numpy"]


def serve():
    """Returns in each new process, which has its own descriptors by then, with words for its command line. Ends where
    the parent is gone."""
    server = socket.socket(fileno=os.dup(_SOCKET))
    os.dup2(0, _SOCKET)
    while True:
        text, descriptors, _, _ = socket.recv_fds(server, _LONGEST, _DESCRIPTORS)
        if not descriptors:
            os._exit(0)
        near, far = os.pipe()
        # A process of a process that ends at once: it is adopted by the parent, which is to wait for it.
        between = os.fork()
        if between == 0:
            parent = os.getpid()
            process = os.fork()
            if process != 0:
                os.setpgid(process, process)
                os.write(far, process.to_bytes(4, sys.byteorder))
                os._exit(0)
            while os.getppid() == parent:
                time.sleep(1e-4)
            for place, descriptor in enumerate(descriptors):
                os.dup2(descriptor, place)
            for descriptor in (*descriptors, near, far):
                os.close(descriptor)
            server.close()
            return [os.fsdecode(word) for word in text[:-1].split(b"\0")[:-1]]
        for descriptor in (*descriptors, far):
            os.close(descriptor)
        os.waitpid(between, 0)
        server.send(os.read(near, 4))
        os.close(near)


def path_of(module):
    """Of its source, without importing what is around it; None where there is none."""
    if module is None:
        return None
    sys.path.insert(0, os.getcwd())
    try:
        top, *inner = module.split(".")
        spec = importlib.util.find_spec(top)
    finally:
        del sys.path[0]
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return spec.origin
    path = os.path.join(os.path.dirname(spec.origin), *inner)
    return next((each for each in (path + ".py", os.path.join(path, "__init__.py")) if os.path.isfile(each)), None)


def _text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
