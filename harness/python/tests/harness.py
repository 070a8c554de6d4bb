"""What the tests share: the program, and runs of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ADAPTERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "adapters")
PROGRAM = os.environ.get("DEFORMDIFF_PROGRAM", "deformdiff")
SKIPPED = 77


def has(package):
    found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True)
    return found.returncode == 0


def address(file, name="", declares=""):
    return (
        f"python:{os.path.join(ADAPTERS, file)}" + (f"#{name}" if name else "") + (f"?{declares}" if declares else "")
    )


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
        path = os.path.join(self.folder, "report.json")
        if not os.path.exists(path):
            self.fail(f"no report; exit code {done.returncode}: {done.stderr}")
        with open(path) as file:
            report = json.load(file)
        self.assertEqual(report["exit_code"], done.returncode)
        return report

    def refusal(self, subject):
        done = self.run_program("fuzz", "--subject", subject, "--cases", "2", "--progress", "never")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr


def rules(report):
    return [finding["signature"]["rule"] for finding in report["findings"]]


def main(*needed):
    """Runs the tests of the calling file; exit code 77 where a package that they need is not there."""
    for package in needed:
        if not has(package):
            print(f"skipped: {sys.executable} has no {package}")
            sys.exit(SKIPPED)
    unittest.main()
