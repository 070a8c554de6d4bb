"""From what a user has at hand to an address that the program knows (`deformdiff list addresses`)."""

import os
import re
import sys
import sysconfig
from typing import Any, Callable, Tuple, Union

from deformdiff.adapter import Subject


def address_of(subject: Union[str, Callable[..., Any]]) -> Tuple[str, str]:
    """The address, and the folder in which its modules are found (empty: where the interpreter looks anyway).

    A text is an address already, or "package.module:name". A function must be one that a file or a module has under
    its name: it is called in another process, which loads that file.
    """
    if isinstance(subject, str):
        named = re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)(\?.*)?", subject)
        if named and named[1] not in ("python", "torchop", "worker", "torchscript", "recorded"):
            return f"python:{named[1]}#{named[2]}{named[3] or ''}", os.getcwd()
        return subject, ""
    function = subject.function if isinstance(subject, Subject) else subject
    module = sys.modules.get(getattr(function, "__module__", None))
    name = _name_of(subject, module) or getattr(function, "__qualname__", None)
    if not name or module is None:
        raise TypeError(f"{subject!r} is neither an address nor a function that a module has")
    if "<" in name:
        raise TypeError(
            f"{name} is not a function of its file but made inside another one, and the process that calls it loads "
            f"the file anew: define it at the file's top level, or give the address of one that is"
        )
    file = getattr(module, "__file__", None)
    if file is None:
        raise TypeError(f"{name} was typed in, and the process that calls it has nothing to load: write it to a file")
    package = (module.__spec__.parent if module.__spec__ else "") or ""
    if not package or module.__name__ == "__main__":
        return f"python:{_encoded(os.path.abspath(file))}#{name}", ""
    root = os.path.dirname(os.path.abspath(sys.modules[package.split(".")[0]].__path__[0]))
    installed = {os.path.realpath(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    return f"python:{module.__name__}#{name}", "" if os.path.realpath(root) in installed else root


def _name_of(subject, module):
    """By which the module has it; nothing if it has it by none."""
    return next((name for name, value in vars(module).items() if value is subject), None) if module else None


def _encoded(path):
    """The signs of an address are written as % and two digits."""
    return re.sub("[%#?&]", lambda sign: f"%{ord(sign[0]):02X}", path)


def declaring(address: str, declares: str) -> str:
    """The address, promising this too."""
    if not declares:
        return address
    return f"{address}{'&' if '?' in address else '?'}{declares}"
