"""`deformdiff check` on torch.export packages and ONNX models: right ones agree, the cause of wrong ones is named."""

import json
import os
import sys
import tempfile
import unittest

import harness

sys.path.insert(0, harness.PACKAGE_FOLDER)


class CheckTest(harness.ProgramTest):
    """Runs the program on a file that `save` writes."""

    ENDING = ""

    def check(self, save, wrapper):
        import exported_attention
        from deformdiff.tensors import write_safetensors

        save(wrapper, os.path.join(self.folder, "model" + self.ENDING))
        inputs = dict(zip(["in." + name for name in exported_attention.NAMES], exported_attention.example()))
        write_safetensors(os.path.join(self.folder, "in.safetensors"), inputs, {})
        parameters = {name: parameter for name, parameter in wrapper.named_parameters()}
        write_safetensors(os.path.join(self.folder, "parameters.safetensors"), parameters, {})
        with open(os.path.join(self.folder, "config.json"), "w") as file:
            json.dump(exported_attention.CONFIG, file)
        done = self.run_program(
            "check", "model" + self.ENDING, "--block", "attention_layer", "--config", "config.json",
            "--inputs", "in.safetensors", "--params", "parameters.safetensors", "--progress", "never",
            "--report", "json:report.json",
        )  # fmt: skip
        report = self.report_of(done)
        return report, {each["name"]: each for each in report["scenarios"]}

    def assert_right(self, report):
        self.assertEqual(report["exit_code"], 0, report["scenarios"])

    def assert_wrong(self, report, cause, stage):
        found = (report["exit_code"], report["cause"], report["first_diverging_stage"])
        self.assertEqual(found, (1, cause, stage), report["audit"])


@unittest.skipUnless(harness.has("filelock"), "torch.export needs filelock")
class Package(CheckTest):
    ENDING = ".pt2"

    def test_a_right_one_agrees_at_every_size(self):
        from exported_attention import module, save_pt2

        report, rows = self.check(save_pt2, module())
        self.assert_right(report)
        for name in ("in", "other_batch", "transposed", "other_shape/executor", "float64/in"):
            self.assertEqual(rows[name]["verdict"], "agree", rows[name])
        self.assertNotIn("in/frozen", rows)

    def test_a_result_kept_from_the_export_is_named_and_other_sizes_are_unsupported(self):
        from exported_attention import constant_result, module, save_fixed_pt2

        report, rows = self.check(save_fixed_pt2, module(operator=constant_result()))
        self.assert_wrong(report, "stale_constant", "msda.output")
        self.assertEqual(rows["other_batch"]["verdict"], "unsupported")
        self.assertIn("refuses these sizes", rows["other_batch"]["reason"])


@unittest.skipUnless(harness.has("onnx") and harness.has("onnxruntime"), "onnx and onnxruntime are not installed")
class Onnx(CheckTest):
    ENDING = ".onnx"

    def test_a_right_one_agrees_at_every_size(self):
        from exported_attention import module, save_onnx

        report, rows = self.check(save_onnx, module())
        self.assert_right(report)
        for name in ("in", "other_batch", "transposed", "other_shape/executor"):
            self.assertEqual(rows[name]["verdict"], "agree", rows[name])

    def test_sizes_kept_from_the_export_are_named(self):
        from exported_attention import module, save_onnx

        report, rows = self.check(save_onnx, module(traced_sizes=True))
        self.assert_wrong(report, "baked_shape", "msda.sampling_locations")
        self.assertEqual(rows["other_values"]["verdict"], "agree")


class AuditTest(unittest.TestCase):
    """What the graph of each wrong export gives away, and that of a right one does not."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="deformdiff-python-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def kinds(self, wrapper):
        """(kind, submodule) of what is found."""
        return {(each["kind"], each["scope"]) for each in self.described(wrapper)["audit"]}

    def assert_named(self):
        from exported_attention import constant_result, module, one_image, zeros

        self.assertEqual(self.kinds(module()), set())
        self.assertEqual(self.kinds(module(traced_sizes=True)), {("baked_shape", "part")})
        self.assertEqual(self.kinds(module(operator=one_image)), {("baked_batch", "part")})
        self.assertIn(("output_ignores_inputs", "part"), self.kinds(module(operator=zeros)))
        self.assertIn(("large_constant", "part.output_proj"), self.kinds(module(operator=constant_result())))


@unittest.skipUnless(harness.has("filelock"), "torch.export needs filelock")
class PackageAudit(AuditTest):
    def described(self, wrapper):
        from deformdiff.worker.module.package import Package
        from exported_attention import save_pt2

        path = os.path.join(self.folder, "model.pt2")
        save_pt2(wrapper, path)
        return Package(path).describe()

    def test_causes_are_named(self):
        self.assert_named()

    def test_sizes_of_the_example_are_each_tensors_own(self):
        import torch
        from deformdiff.worker.module.package import Package

        class Scaled(torch.nn.Module):
            def forward(self, factor, x, y):
                return factor * x.sum() + y

        path = os.path.join(self.folder, "model.pt2")
        torch.export.save(torch.export.export(Scaled(), (2, torch.ones(3), torch.ones(4, 5))), path)
        traced = [(each["name"], each["traced"]) for each in Package(path).describe()["inputs"]]
        self.assertEqual(traced, [("x", [3]), ("y", [4, 5])])


@unittest.skipUnless(harness.has("onnx") and harness.has("onnxruntime"), "onnx and onnxruntime are not installed")
class OnnxAudit(AuditTest):
    def described(self, wrapper):
        from deformdiff.worker.module.onnx_model import OnnxModel
        from exported_attention import save_onnx

        path = os.path.join(self.folder, "model.onnx")
        save_onnx(wrapper, path)
        return OnnxModel(path).describe()

    def test_causes_are_named(self):
        self.assert_named()

    def test_weights_that_were_transposed_have_their_names(self):
        """They are constants of the graph without a name, known by the sum behind them."""
        from exported_attention import module

        wrapper = module()
        found = dict(self.described(wrapper)["parameters"])
        self.assertEqual(set(found), {name for name, _ in wrapper.named_parameters()})
        for name, parameter in wrapper.named_parameters():
            self.assertEqual(found[name].tolist(), parameter.tolist())

    def test_a_size_that_a_reshape_keeps_is_no_use_outside_of_its_module(self):
        import numpy
        from deformdiff.worker.module.onnx_graph import OnnxGraph
        from deformdiff.worker.module.places import Places
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            [
                helper.make_node("Relu", ["x"], ["inner"], "/part/Relu"),
                helper.make_node("Reshape", ["inner", "sizes"], ["flat"], "/part/Reshape"),
                helper.make_node("Neg", ["flat"], ["y"], "/other/Neg"),
            ],
            "model",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [helper.make_tensor("sizes", TensorProto.INT64, [2], [0, -1])],
        )
        places, shown = Places(OnnxGraph(helper.make_model(graph)).graph), []
        for i in range(3):
            places.show_before(i, lambda _: numpy.ones(1), lambda name, _: shown.append(name))
            places.show_after(i, lambda _: numpy.ones(1), lambda name, _: shown.append(name))
        self.assertEqual([name for name in shown if name.startswith("part:")], ["part:in", "part:out"])


class Refusals(harness.ProgramTest):
    def refused(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        done = self.run_program("check", path, "--block", "attention_layer")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def test_what_is_no_package_or_model_is_named(self):
        said = self.refused("broken.pt2", "nothing")
        self.assertIn("broken.pt2", said)
        self.assertIn("torch.export.save", said)

    @unittest.skipUnless(harness.has("filelock"), "torch.export needs filelock")
    def test_a_package_that_takes_no_tensor_is_named(self):
        import torch

        class Filled(torch.nn.Module):
            def forward(self, number):
                return torch.ones(3) * number

        path = os.path.join(self.folder, "numbers.pt2")
        torch.export.save(torch.export.export(Filled(), (2,)), path)
        done = self.run_program("check", path, "--block", "attention_layer")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("numbers.pt2: the package takes no tensor", done.stderr)

    @unittest.skipIf(harness.has("onnxruntime"), "onnxruntime is installed")
    def test_a_python_without_the_runtime_is_named_with_the_fix(self):
        said = self.refused("broken.onnx", "nothing")
        self.assertIn("install it", said)
        self.assertIn("DEFORMDIFF_PYTHON", said)


if __name__ == "__main__":
    harness.main("torch")
