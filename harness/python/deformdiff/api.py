"""`fuzz`, `judge`, `check` and `replay`: the program's commands as functions."""

import json
import os
import subprocess
import tempfile
from typing import Any, Callable, List, Mapping, Optional, Sequence, Union

from deformdiff import adapter, program
from deformdiff.addresses import address_of, declaring
from deformdiff.results import Error, Result
from deformdiff.tensors import write_safetensors

AnySubject = Union[str, Callable[..., Any]]


def run_program(words: Sequence[str], paths: Sequence[str] = (), reports: bool = False) -> Result:
    """Runs the program with these words; `paths` are folders in which its Python workers look for modules. Raises
    Error where it refuses (exit code 2)."""
    if adapter.in_worker:
        raise Error(
            "a file under test runs deformdiff itself when it is loaded: put that under `if __name__ == '__main__':`"
        )
    environment = program.environment()
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [environment.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory(prefix="deformdiff-") as folder:
        file = os.path.join(folder, "report.json")
        asked = ["--report", "terminal", "--report", f"json:{file}", "--progress", "never"] if reports else []
        done = subprocess.run(
            [program.path(), *words, *asked], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if done.returncode not in (0, 1, 4):
            raise Error(done.stderr.strip().removeprefix("deformdiff: ") or f"exit code {done.returncode}")
        report = None
        if reports:
            with open(file) as read:
                report = json.load(read)
    return Result(done.returncode, done.stdout, report, os.getcwd())


def fuzz(
    *subjects: AnySubject,
    block: Optional[str] = None,
    cases: Optional[int] = None,
    seconds: Optional[float] = None,
    seed: int = 0,
    tiers: Sequence[str] = (),
    only: str = "",
    declares: str = "",
    shrink: bool = True,
    first_finding: bool = False,
    case_timeout: Optional[float] = None,
    known: Optional[str] = None,
    out: Union[str, os.PathLike] = "deformdiff-out",
) -> Result:
    """Generates cases, runs implementations on them, judges every element, and shrinks what fails.

    subjects       functions, "package.module:name", or addresses as on the command line: "python:FILE.py#NAME",
                   "torchop:libmine.so#mine::ms_deform_attn", "cpu"
    block          the block (`deformdiff list blocks`); left out, those that the implementations serve
    cases          how many cases of each block (500 of the operator, 10 of a deep block where nothing is said)
    seconds        or for how long
    seed           cases are a function of the seed: the same everywhere
    tiers          only these kinds of cases (`deformdiff list tiers`)
    only           conditions that all cases meet, "D==32,L<=4"
    declares       what the implementations promise beyond what they declare themselves, "dtypes=float32"
    shrink         look for the smallest case of each finding
    first_finding  no further cases for an implementation that has failed once
    case_timeout   seconds after which a case counts as hanging
    known          folder of saved cases whose failures are known; "cases" in the working directory if left out
    out            folder for findings

    >>> result = deformdiff.fuzz("my_package.ops:ms_deform_attn", cases=500)
    >>> assert result.ok, result
    >>> result.findings[0].inputs["value"]
    """
    if not subjects:
        raise TypeError("fuzz() needs an implementation: a function, or an address")
    words: List[str] = ["fuzz", "--seed", str(seed), "--out", os.fspath(out)]
    paths = _add_subjects(words, subjects, declares)
    if block is not None:
        words += ["--block", block]
    if cases is not None:
        words += ["--cases", str(cases)]
    if seconds is not None:
        words += ["--time", f"{seconds:g}s"]
    for tier in tiers:
        words += ["--tier", tier]
    if only:
        words += ["--only", only]
    if not shrink:
        words.append("--no-shrink")
    if first_finding:
        words.append("--first-finding")
    if case_timeout is not None:
        words += ["--case-timeout", f"{case_timeout:g}s"]
    if known is not None:
        words += ["--known", known]
    return run_program(words, paths, reports=True)


def replay(*cases: Union[str, os.PathLike], subject: Optional[AnySubject] = None, declares: str = "") -> Result:
    """Runs saved cases again, on what they are saved with or on `subject`. The result is ok if all agree.

    >>> deformdiff.replay("cases/ms_deform_attn/regression/left_border.json", subject=my_kernel).assert_ok()
    """
    words = ["replay", *map(os.fspath, cases)]
    paths = [] if subject is None else _add_subjects(words, [subject], declares)
    return run_program(words, paths, reports=True)


def judge(
    recording: Union[str, os.PathLike, Mapping[str, Any]],
    block: Optional[str] = None,
    *,
    layout: Optional[str] = None,
    config: Optional[Mapping[str, Any]] = None,
    mapping: Optional[Mapping[str, str]] = None,
    declares: str = "",
    out: Union[str, os.PathLike] = "deformdiff-out",
) -> Result:
    """Judges recorded tensors: a safetensors file, or arrays (numpy, torch) by the names that such a file has:
    `in.NAME`, `out.NAME` or `out.TAG.NAME`, of deep blocks `param.NAME` and `stage.NAME` too.

    config   attributes of the block, or a framework's configuration
    mapping  our name of a tensor to the one that it has here

    >>> deformdiff.judge({"in.value": value, ..., "out.output": result}, block="ms_deform_attn").assert_ok()
    """
    with tempfile.TemporaryDirectory(prefix="deformdiff-") as folder:
        if isinstance(recording, Mapping):
            file = os.path.join(os.fspath(out), "recorded.safetensors")
            os.makedirs(os.fspath(out), exist_ok=True)
            write_safetensors(file, recording, {})
        else:
            file = os.fspath(recording)
        words = ["judge", file, "--out", os.fspath(out)]
        words += _model_words(block, layout, config, folder)
        for ours, theirs in (mapping or {}).items():
            words += ["--map", f"{ours}={theirs}"]
        words += _declare_words(declares)
        return run_program(words, reports=True)


def check(
    model: Union[str, os.PathLike],
    block: str,
    *,
    layout: Optional[str] = None,
    config: Optional[Mapping[str, Any]] = None,
    inputs: Sequence[Union[str, os.PathLike]] = (),
    parameters: Union[str, os.PathLike, None] = None,
    declares: str = "",
    seed: int = 0,
    out: Union[str, os.PathLike] = "deformdiff-out",
) -> Result:
    """Is this exported TorchScript model right, and if not, why: `result.report["cause"]` and `["scenarios"]`. It needs
    the program deformdiff-worker, which is built where LibTorch is (`harness/setup.sh build`), not by pip."""
    with tempfile.TemporaryDirectory(prefix="deformdiff-") as folder:
        words = ["check", os.fspath(model), "--seed", str(seed), "--out", os.fspath(out)]
        words += _model_words(block, layout, config, folder)
        for file in inputs:
            words += ["--inputs", os.fspath(file)]
        if parameters is not None:
            words += ["--params", os.fspath(parameters)]
        words += _declare_words(declares)
        return run_program(words, reports=True)


def _add_subjects(words, subjects, declares):
    paths = []
    for subject in subjects:
        address, folder = address_of(subject)
        words += ["--subject", declaring(address, declares)]
        if folder and folder not in paths:
            paths.append(folder)
    return paths


def _model_words(block, layout, config, folder):
    words = ["--block", block] if block is not None else []
    words += ["--layout", layout] if layout is not None else []
    if config is not None:
        file = os.path.join(folder, "config.json")
        with open(file, "w") as written:
            json.dump(config, written)
        words += ["--config", file]
    return words


def _declare_words(declares):
    return [word for item in filter(None, declares.split("&")) for word in ("--declare", item)]
