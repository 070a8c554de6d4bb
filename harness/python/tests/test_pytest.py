"""The pytest plugin, in runs of pytest."""

import os
import re
import shutil
import subprocess
import sys

import harness

TESTS = """
import numpy_kernel
import pytest

def test_right(deformdiff):
    assert deformdiff.fuzz(numpy_kernel.marked).subjects[0].cases == 7

def test_wrong(deformdiff):
    deformdiff.fuzz(numpy_kernel.half_a_pixel_off, only="N>0")

@pytest.mark.deformdiff(subject=numpy_kernel.supports_nothing)
def test_marked():
    pass

@pytest.mark.deformdiff("python:gone.py")
def test_refused(deformdiff_result):
    pass
"""


class Plugin(harness.ProgramTest):
    def pytest(self, *words):
        environment = dict(os.environ, PYTHONPATH=harness.PACKAGE_FOLDER)
        # Of no other plugins: what is installed beside pytest is not ours to test.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        words = [sys.executable, "-m", "pytest", "-p", "deformdiff.pytest_plugin", "-p", "no:cacheprovider", *words]
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True).stdout

    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(harness.ADAPTERS, "numpy_kernel.py"), self.folder)
        with open(os.path.join(self.folder, "test_mine.py"), "w") as file:
            file.write(TESTS)

    def test_fixture_marker_and_saved_cases(self):
        printed = self.pytest("--deformdiff-cases", "7", "--deformdiff-seed", "5", "--deformdiff-out", "out", "-rA")
        outcomes = {
            name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) test_mine.py::(\w+)", printed, re.M)
        }
        self.assertEqual(
            outcomes, {"test_right": "PASSED", "test_wrong": "FAILED", "test_marked": "ERROR", "test_refused": "ERROR"}
        )
        # The report is the failure's text, and no traceback.
        self.assertIn("deformdiff replay out/findings/", printed)
        self.assertIn("--seed 5", printed)
        self.assertIn("unsupported: out of principle", printed)
        self.assertIn("there is no file gone.py", printed)
        self.assertNotIn("api.py", printed)

        saved = "--deformdiff-saved=out/findings"
        self.assertIn("1 failed", self.pytest(saved, "out"))
        self.assertIn("1 passed", self.pytest(saved + "=numpy_kernel:ms_deform_attn", "out"))
        self.assertIn("no tests ran", self.pytest("out"))


if __name__ == "__main__":
    harness.main("numpy", "pytest")
