"""Cases out and answers back: generate, what an implementation makes of them, judge; and show."""

import collections
import glob
import json
import os
import sys

import harness

sys.path.insert(0, harness.PACKAGE_FOLDER)
sys.path.insert(0, harness.ADAPTERS)


class Generate(harness.ProgramTest):
    #: Inputs in the blocks' order, which is not that of their names.
    FIRST = collections.defaultdict(list, ms_deform_attn=["value", "spatial_shapes", "attn_weight"])

    def generate(self, block, *words):
        done = self.run_program("generate", "--block", block, "--seed", "4", "-o", "cases", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return sorted(glob.glob(os.path.join(self.folder, "cases", "*.safetensors")))

    def test_answers_of_the_operator(self):
        import numpy_kernel

        from deformdiff.tensors import read_safetensors, write_safetensors

        files = self.generate("ms_deform_attn", "--cases", "12", "--only", "N>0,Q<50", "--dtype", "float32")
        self.assertEqual(len(files), 12)
        untouched = self.run_program("judge", "cases")
        self.assertEqual(untouched.returncode, 4)
        self.assertIn("12 not_run: no output is recorded", untouched.stdout)
        for i, path in enumerate(files):
            tensors, metadata = read_safetensors(path)
            self.assertEqual((metadata["block"], metadata["index"]), ("ms_deform_attn", str(i)))
            names = ("value", "spatial_shapes", "level_start_index", "sampling_loc", "attn_weight")
            inputs = [tensors["in." + name] for name in names]
            self.assertEqual({array.dtype.name for array in inputs[::3]}, {"float32"})
            tensors["out.right.output"] = numpy_kernel.ms_deform_attn(*inputs, 64)
            tensors["out.wrong.output"] = numpy_kernel.half_a_pixel_off(*inputs)
            write_safetensors(path, tensors, metadata)
        judged = self.run_program("judge", "cases", "--report", "json:report.json")
        self.assertEqual(judged.returncode, 1, judged.stderr)
        report = harness.read_report(self.folder)
        right, wrong = report["subjects"]
        self.assertEqual((right["name"], right["cases"], wrong["cases"]), ("recorded/right", 12, 12))
        self.assertGreater(right["verdicts"]["agree"], 6)
        self.assertEqual({finding["signature"]["subject"] for finding in report["findings"]}, {"recorded/wrong"})
        self.assertEqual(
            sum(finding["count"] for finding in report["findings"]),
            sum(wrong["verdicts"].get(rule, 0) for rule in ("out_of_bound", "nonfinite_mismatch")),
        )
        self.assertLess(len(report["findings"]), 6)

    def test_every_block_and_both_forms(self):
        from deformdiff.worker.blocks import BLOCKS

        for block in BLOCKS:
            with self.subTest(block):
                files = self.generate(block, "--cases", "2")
                shown = [self.run_program("show", files[-1]).stdout]
                for name in ("other.json", "other.safetensors"):
                    done = self.run_program("show", files[-1], "-o", name)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    shown.append(self.run_program("show", name).stdout)
                self.assertIn(f"block       {block}\n", shown[0])
                with open(os.path.join(self.folder, "other.json")) as file:
                    names = list(json.load(file)["inputs"])
                self.assertEqual([name for name in names if name in self.FIRST[block]], self.FIRST[block])
                self.assertEqual(len(set(shown)), 1)
                for file in files:
                    os.remove(file)

    def test_refusals(self):
        for words, said in (
            (("generate", "--block", "nothing", "--cases", "1", "-o", "x"), "nothing"),
            (("generate", "--block", "ms_deform_attn", "--cases", "1", "--tier", "none", "-o", "x"), "--tier none"),
            (("generate", "--block", "ms_deform_attn", "--cases", "1", "--dtype", "int64", "-o", "x"), "--dtype int64"),
            (("generate", "--block", "ms_deform_attn", "--cases", "1", "-o", "/dev/null/x"), "-o /dev/null/x"),
            (("show", "gone.json"), "gone.json"),
            (("judge", "."), "the folder has no safetensors files"),
        ):
            done = self.run_program(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    harness.main("numpy")
