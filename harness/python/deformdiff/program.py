"""The program `deformdiff`, of this installation."""

import os
import sys
from typing import List


def path() -> str:
    """Where it lies: in the package (a wheel), or wherever $DEFORMDIFF_PROGRAM says (a build of your own)."""
    named = os.environ.get("DEFORMDIFF_PROGRAM")
    if named:
        return named
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "deformdiff")
    if not os.path.exists(program):
        raise FileNotFoundError(
            f"{program} is missing: `pip install .` in deformdiff's folder puts it there; for a build of your own set "
            f"DEFORMDIFF_PROGRAM=build/release/bin/deformdiff"
        )
    return program


def environment() -> dict:
    """That of the program: python: addresses are run by this interpreter unless they name another."""
    return {"DEFORMDIFF_PYTHON": sys.executable, **os.environ}


def main() -> None:
    """The console script: becomes the program."""
    program = path()
    words: List[str] = ["deformdiff", *sys.argv[1:]]
    os.execve(program, words, environment())
