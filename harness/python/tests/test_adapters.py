"""The ready adapters, each where its package is installed, but for deformops_eager, rfdetr_mps, libreyolo_export and
torch_aotinductor, which have no test."""

import re
import sys
import unittest

import harness
from harness import rules

PREFIX = "python:deformdiff.adapters."


SMALL = "N<=2,Q<=3,M<=2,D<=4,L<=2,P<=2"


def needs(*packages):
    missing = [package for package in packages if not harness.has(package)]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


class Adapters(harness.ProgramTest):
    def agrees(self, name, cases, *options, declares=""):
        report = self.fuzz(PREFIX + name + (f"?{declares}" if declares else ""), cases=cases, options=options)
        self.assertEqual(rules(report), [], report["findings"])
        for subject in report["subjects"]:
            self.assertGreater(subject["verdicts"].get("agree", 0), 0, subject)
        return report

    @needs("torch", "sympy")
    def test_torch_composite(self):
        self.assertEqual(len(self.agrees("torch_composite", 15)["subjects"]), 2)

    @needs("torch", "sympy", "networkx")
    def test_torch_export(self):
        self.agrees("torch_export", 4, "--only", SMALL)

    @needs("torch", "sympy", "networkx", "jinja2")
    def test_torch_compile(self):
        self.agrees("torch_compile", 2, "--only", SMALL, "--tier", "exact", declares="dtypes=float32,float64")

    @needs("torch", "transformers")
    def test_transformers(self):
        # In bfloat16 torch's grid_sample counts pixels in 16 bits.
        report = self.agrees("transformers_mask2former", 8, declares="dtypes=float32,float64")
        self.assertEqual(len(report["subjects"]), 11)
        self.assertIn("transformers", report["environment"])

    @needs("torch", "transformers")
    def test_of_a_faulty_module_the_stage_is_named(self):
        blocks = ("encoder_layer", "mask_predictor")
        subject = harness.address("transformers_one_percent_off.py", declares="dtypes=float32,float64")
        options = [word for block in blocks for word in ("--block", block)]
        report = self.fuzz(subject, cases=3, options=("--first-finding", *options))
        sys.path.insert(0, harness.PACKAGE_FOLDER)
        sys.path.insert(0, harness.ADAPTERS)
        from transformers_one_percent_off import FAULTY

        named = {}
        for finding in report["findings"]:
            named.setdefault(finding["signature"]["block"], finding["signature"]["output"])
        self.assertEqual(set(named), set(blocks))
        for block, stage in named.items():
            wanted = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", FAULTY[block])
            self.assertEqual(stage.split("#")[0], wanted, block)

    @needs("torch", "mmcv")
    def test_mmcv(self):
        report = self.agrees("mmcv_composite", 10, declares="dtypes=float32,float64")
        self.assertEqual(len(report["subjects"]), 2)

    @needs("jax")
    def test_jax(self):
        self.agrees("jax_composite", 4, "--only", SMALL)

    @needs("torch", "triton")
    def test_triton(self):
        self.agrees("triton_kernel", 3, "--only", SMALL)

    @needs("openvino", "onnx")
    def test_openvino(self):
        self.agrees("openvino_composite", 10)

    @needs("onnxruntime", "onnx")
    def test_onnxruntime(self):
        # Far and infinite locations sample half the first pixel.
        self.agrees("onnxruntime_composite", 10, "--tier", "typical")

    @needs("onnx")
    def test_onnx_reference(self):
        self.agrees("onnx_reference", 3, "--only", SMALL, "--tier", "typical", declares="dtypes=float32")


if __name__ == "__main__":
    harness.main("numpy")
