"""The ready adapters, each where its package is installed."""

import unittest

import harness
from harness import rules

PREFIX = "python:deformdiff.adapters."


class Adapters(harness.ProgramTest):
    def agrees(self, name, cases, declares=""):
        report = self.fuzz(PREFIX + name + (f"?{declares}" if declares else ""), cases=cases)
        self.assertEqual(rules(report), [], report["findings"])
        for subject in report["subjects"]:
            self.assertGreater(subject["verdicts"].get("agree", 0), 0, subject)
        return report

    @unittest.skipUnless(harness.has("sympy"), "torch's autograd needs sympy")
    def test_torch_composite(self):
        self.assertEqual(len(self.agrees("torch_composite", 15)["subjects"]), 2)

    @unittest.skipUnless(harness.has("transformers"), "transformers is not installed")
    def test_transformers(self):
        # In bfloat16 torch's grid_sample folds far coordinates onto the map.
        report = self.agrees("transformers_mask2former", 8, declares="dtypes=float32,float64")
        self.assertEqual(len(report["subjects"]), 8)
        self.assertIn("transformers", report["environment"])


if __name__ == "__main__":
    harness.main("numpy", "torch")
