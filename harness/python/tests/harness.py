"""What the tests share: the program, and runs of it."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ADAPTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapters")
PACKAGE_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("DEFORMDIFF_PROGRAM", "deformdiff")
SKIPPED = 77


def has(package):
    found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True)
    return found.returncode == 0


def address(file, name="", declares=""):
    return (
        f"python:{os.path.join(ADAPTERS, file)}" + (f"#{name}" if name else "") + (f"?{declares}" if declares else "")
    )


def read_report(folder):
    with open(os.path.join(folder, "report.json")) as file:
        return json.load(file)


def in_new_folder(test):
    """The test's working directory from here to its end."""
    folder = tempfile.mkdtemp(prefix="deformdiff-python-")
    before = os.getcwd()
    os.chdir(folder)
    test.addCleanup(shutil.rmtree, folder)
    test.addCleanup(os.chdir, before)
    return folder


class ProgramTest(unittest.TestCase):
    """Runs the program in a folder of its own, with this Python as the workers'."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="deformdiff-python-")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_program(self, *words):
        environment = dict(os.environ, DEFORMDIFF_PYTHON=sys.executable)
        return subprocess.run(
            [PROGRAM, *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )

    def fuzz(self, *subjects, block=None, cases=6, options=()):
        """The report of a run whose findings are not shrunk."""
        words = ["fuzz", "--cases", str(cases), "--seed", "3", "--no-shrink", "--progress", "never"]
        words += ["--block", block] if block else []
        for subject in subjects:
            words += ["--subject", subject]
        done = self.run_program(*words, *options, "--report", "json:report.json")
        report = self.report_of(done)
        self.assertEqual(report["exit_code"], done.returncode)
        return report

    def report_of(self, done):
        """What a run with `--report json:report.json` has written."""
        if not os.path.exists(os.path.join(self.folder, "report.json")):
            self.fail(f"no report; exit code {done.returncode}: {done.stderr}")
        return read_report(self.folder)

    def refusal(self, subject):
        done = self.run_program("fuzz", "--subject", subject, "--cases", "2", "--progress", "never")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr


def rules(report):
    return [finding["signature"]["rule"] for finding in report["findings"]]


class OneElement:
    """A case of one pixel, one query and one point: the output is the value, twice."""

    attributes = {"im2col_step": 64}

    def __init__(self, value):
        self.inputs = [
            ("value", "F32", (1, 1, 1, 2), None, 0, struct.pack("<2f", value, value)),
            ("spatial_shapes", "I64", (1, 2), None, 0, struct.pack("<2q", 1, 1)),
            ("level_start_index", "I64", (1,), None, 0, struct.pack("<q", 0)),
            ("sampling_loc", "F32", (1, 1, 1, 1, 1, 2), None, 0, struct.pack("<2f", 0.5, 0.5)),
            ("attn_weight", "F32", (1, 1, 1, 1, 1), None, 0, struct.pack("<f", 1)),
        ]


class ExecutorTest(unittest.TestCase):
    """Calls functions of KERNEL in this process, as the worker does."""

    KERNEL = ""

    def arrays(self):
        raise NotImplementedError

    def execute(self, name, *cases, twice=False, tap=False):
        sys.path.insert(0, PACKAGE_FOLDER)
        from deformdiff.worker import poison
        from deformdiff.worker.execution import Executor
        from deformdiff.worker.loading import load

        served = load(os.path.join(ADAPTERS, self.KERNEL), None, name)
        executor = Executor(next(iter(served.values())), self.arrays(), None)
        poison.fill_with(poison.FIRST)
        return [executor.execute(case, twice, tap, None) for case in cases]

    def output(self, result):
        self.assertEqual(result.kind, "returned", result.notes)
        return struct.unpack("<2f", result.outputs[0][-1])


def main(*needed):
    """Runs the tests of the calling file; exit code 77 where a package that they need is not there."""
    for package in needed:
        if not has(package):
            print(f"skipped: {sys.executable} has no {package}")
            sys.exit(SKIPPED)
    unittest.main()
