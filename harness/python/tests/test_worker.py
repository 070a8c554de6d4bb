"""The worker, seen from the program: implementations in numpy, right ones and all that can go wrong."""

import os
import shutil
import sys
import unittest
import unittest.mock

import harness
from harness import OneElement, address, rules

KERNEL = "numpy_kernel.py"


#: What goes wrong, by the function that does it: the rule, and what is said of it.
MISHAPS = {
    "half_a_pixel_off": ("out_of_bound", ""),
    "raises": ("threw", "ValueError: no such thing (" + os.path.join(harness.ADAPTERS, KERNEL) + ":"),
    "crashes": ("crashed", "killed by SIGABRT (Aborted); its last words: about to crash Fatal Python error: Aborted"),
    "hangs": ("timed_out", "no answer within"),
    "uses_its_result_again": ("modified_input", "earlier output"),
    "other_bits_each_time?deterministic=1": ("nondeterministic", ""),
}


class Mishaps(harness.ProgramTest):
    def test_each_gets_its_verdict(self):
        subjects = {address(KERNEL, name): name for name in MISHAPS}
        report = self.fuzz(
            *subjects, cases=24, options=("--first-finding", "--case-timeout", "0.3s", "--only", "N>0,Q>0,Q<50,S<500")
        )
        found = {subjects[finding["signature"]["subject"]]: finding for finding in report["findings"]}
        for name, (rule, text) in MISHAPS.items():
            with self.subTest(name):
                self.assertIn(name, found)
                self.assertEqual(found[name]["signature"]["rule"], rule)
                self.assertIn(text, found[name]["one_line"])


class Forked(harness.ProgramTest):
    def test_workers_are_forked(self):
        report = self.fuzz(address(KERNEL, "raises_its_last_word"), cases=1)
        self.assertIn("--fork-server", report["findings"][0]["one_line"])

    def test_what_is_loaded_before(self):
        sys.path.insert(0, harness.PACKAGE_FOLDER)
        from deformdiff.worker.fork_server import packages_of

        self.assertEqual(packages_of("import numpy\n"), ["numpy"])
        self.assertEqual(packages_of("import numpy\nimport torch.nn as nn\n"), ["numpy", "torch"])
        self.assertEqual(packages_of("def f():\n    from torch import nn\n"), ["numpy", "torch"])
        self.assertEqual(packages_of("import torchvision\n"), ["numpy"])
        self.assertEqual(packages_of("import os\nos.environ['A'] = 'b'\nimport torch\n"), ["numpy"])

    def test_a_module_is_found_and_not_imported(self):
        sys.path.insert(0, harness.PACKAGE_FOLDER)
        from deformdiff.worker.fork_server import path_of

        folder = os.path.join(self.folder, "never_imported")
        os.makedirs(os.path.join(folder, "inner"))
        for name in ("__init__.py", "kernel.py", "inner/__init__.py"):
            with open(os.path.join(folder, name), "w") as file:
                file.write("raise RuntimeError('imported')\n")
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            self.assertEqual(path_of("never_imported.kernel"), os.path.join(folder, "kernel.py"))
            self.assertEqual(path_of("never_imported.inner"), os.path.join(folder, "inner", "__init__.py"))
            self.assertIsNone(path_of("never_imported.missing"))
            self.assertIsNone(path_of("no_such_package_at_all"))
        finally:
            os.chdir(before)
        self.assertNotIn("never_imported", sys.modules)


class InOneProcess(harness.ExecutorTest):
    KERNEL = KERNEL

    def arrays(self):
        from deformdiff.worker.arrays import NumpyArrays

        return NumpyArrays()

    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, harness.PACKAGE_FOLDER)
        import numpy
        from deformdiff.worker import poison

        poison.wrap_numpy(numpy)

    def test_a_changed_input(self):
        (result,) = self.execute("changes_an_input", OneElement(3))
        self.assertEqual((self.output(result), result.modified), ((3, 3), "attn_weight"))

    def test_an_input_with_another_shape(self):
        self.assertEqual(self.execute("turns_an_input", OneElement(3))[0].modified, "level_start_index")

    def test_a_write_outside_an_input(self):
        self.assertEqual(self.execute("writes_outside", OneElement(3))[0].overran, "after input level_start_index")

    def test_an_element_that_is_never_written(self):
        (result,) = self.execute("forgets_an_element", OneElement(3))
        self.assertEqual((result.unwritten_output, result.first_unwritten), ("output", 0))

    def test_bytes_that_are_written_are_written(self):
        (result,) = self.execute("returns_what_memory_is_filled_with", OneElement(3))
        self.assertEqual((result.kind, result.unwritten_output), ("returned", ""))

    def test_a_result_too_many(self):
        (result,) = self.execute("returns_a_list", OneElement(3))
        self.assertEqual([name for name, *_ in result.outputs], ["output", "extra_1"])


class RightCode(harness.ProgramTest):
    def test_the_operator_agrees_whatever_it_prints(self):
        report = self.fuzz(address(KERNEL, "prints"), address(KERNEL, "marked"), cases=30)
        self.assertEqual(report["findings"], [])
        prints, marked = report["subjects"]
        self.assertGreater(prints["verdicts"]["agree"], 15)
        self.assertIn("unsupported: float32", marked["not_judged"])
        self.assertIn("numpy", report["environment"])

    def test_versions_that_differ_are_told_apart(self):
        with open(os.path.join(self.folder, "other.py"), "w") as file:
            file.write("import numpy\nnumpy.__version__ = '0.1'\ndef ms_deform_attn(*arguments): pass\n")
        report = self.fuzz(address(KERNEL, "ms_deform_attn"), "python:other.py", cases=1, options=("--tier", "exact"))
        self.assertNotIn(report["environment"]["numpy"], ("", "0.1"))
        self.assertEqual(report["environment"]["numpy of python:other.py"], "0.1")

    def test_unsupported_with_its_reason(self):
        report = self.fuzz(address(KERNEL, "supports_nothing"))
        self.assertEqual(report["exit_code"], 4)
        self.assertIn("unsupported: out of principle", report["subjects"][0]["not_judged"])

    def test_large_tensors_go_through_shared_memory(self):
        report = self.fuzz(address(KERNEL, "ms_deform_attn"), cases=6, options=("--only", "Q>2000,Q<5000,D==3"))
        self.assertEqual(rules(report), [])
        self.assertGreater(report["subjects"][0]["verdicts"].get("agree", 0), 0)

    def test_a_module_on_the_path(self):
        with open(os.path.join(self.folder, "kernels.py"), "w") as file:
            file.write(f"import sys\nsys.path.insert(0, {harness.ADAPTERS!r})\nfrom numpy_kernel import *\n")
        report = self.fuzz("python:kernels#ms_deform_attn", cases=20)
        self.assertEqual(rules(report), [])

    def test_a_module_beside_no_built_in_implementation(self):
        """As a wheel is: the program and the package, without deformdiff-worker."""
        os.makedirs(os.path.join(self.folder, "share", "deformdiff"))
        os.symlink(harness.PACKAGE_FOLDER, os.path.join(self.folder, "share", "deformdiff", "python"))
        os.makedirs(os.path.join(self.folder, "bin"))
        program = shutil.copy(harness.PROGRAM, os.path.join(self.folder, "bin"))
        with open(os.path.join(self.folder, "kernels.py"), "w") as file:
            file.write(
                f"import sys\nsys.path.insert(0, {harness.ADAPTERS!r})\nfrom numpy_kernel import ms_deform_attn\n"
            )
        with unittest.mock.patch.object(harness, "PROGRAM", program):
            report = self.fuzz("python:kernels", cases=5)
        self.assertEqual(rules(report), [])
        self.assertEqual([subject["block"] for subject in report["subjects"]], ["ms_deform_attn"])

    def test_a_worker_by_its_command(self):
        starter = os.path.join(harness.PACKAGE_FOLDER, "deformdiff", "start_worker.py")
        kernel = os.path.join(harness.ADAPTERS, KERNEL)
        command = f"'{sys.executable}' {starter} --file {kernel} --name half_a_pixel_off --subject mine"
        found = self.fuzz(f"worker:{command}#mine", cases=5, options=("--first-finding",))
        self.assertEqual(rules(found), ["out_of_bound"])
        self.assertIn("the worker knows no subject 'other'; it knows mine", self.refusal(f"worker:{command}#other"))


class SharedMemory(unittest.TestCase):
    def test_it_grows_between_messages(self):
        sys.path.insert(0, harness.PACKAGE_FOLDER)
        from deformdiff.worker import channel

        memory = os.memfd_create("parent")
        receiver = channel.Channel.__new__(channel.Channel)
        receiver._mapping = None
        with unittest.mock.patch.object(channel, "_TO_WORKER_MEMORY", memory):
            for data in (b"a" * 40000, b"b" * 90000, b"c" * 50000):
                os.pwrite(memory, data, 0)
                self.assertEqual(receiver._shared(len(data))[: len(data)], data)


class DeepBlocks(harness.ProgramTest):
    def test_stages_that_are_shown_are_judged(self):
        right, wrong = address(KERNEL, "points"), address(KERNEL, "points_with_sides_exchanged")
        report = self.fuzz(right, wrong, cases=20)
        self.assertEqual({finding["signature"]["subject"] for finding in report["findings"]}, {wrong})
        outputs = {finding["signature"]["output"] for finding in report["findings"]}
        self.assertTrue(outputs and all("per_level" in output for output in outputs), outputs)
        self.assertEqual(report["subjects"][0]["estimated"], 0)


class SavedFindings(harness.ProgramTest):
    def test_a_finding_is_shrunk_replayed_and_gone_when_mended(self):
        path = os.path.join(self.folder, "mine.py")
        with open(os.path.join(harness.ADAPTERS, KERNEL)) as file:
            right = file.read()
        with open(path, "w") as file:
            file.write(right.replace("(at > -1)", "(at >= 0)"))
        done = self.run_program(
            "fuzz", "--subject", "python:mine.py#ms_deform_attn", "--cases", "60", "--first-finding", "--report",
            "json:report.json", "--progress", "never",
        )  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stderr)
        finding = harness.read_report(self.folder)["findings"][0]
        self.assertLess(finding["shrunk_elements"], 20)
        # From another folder, too.
        case = os.path.join(self.folder, finding["case"])
        self.folder = os.path.dirname(self.folder)
        self.assertEqual(self.run_program("replay", case).returncode, 1)
        with open(path, "w") as file:
            file.write(right)
        replayed = self.run_program("replay", case)
        self.assertEqual(replayed.returncode, 0, replayed.stdout)
        self.assertIn("gone", replayed.stdout)
        self.assertIn("is not the file that was recorded", replayed.stdout)


if __name__ == "__main__":
    harness.main("numpy")
