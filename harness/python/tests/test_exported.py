"""`deformdiff check` on torch.export packages and ONNX models: right ones agree, the cause of wrong ones is named."""

import json
import os
import sys
import unittest

import harness

sys.path.insert(0, harness.PACKAGE_FOLDER)


class ExportedTest(harness.ProgramTest):
    """`ENDING`: of the format. `save`: writes a module in it."""

    ENDING = ""

    def save(self, wrapper, path):
        raise NotImplementedError

    def check(self, wrapper, *words):
        import exported_attention
        from deformdiff.tensors import write_safetensors

        model = os.path.join(self.folder, "model" + self.ENDING)
        self.save(wrapper, model)
        inputs = dict(zip(["in." + name for name in exported_attention.NAMES], exported_attention.example()))
        write_safetensors(os.path.join(self.folder, "in.safetensors"), inputs, {})
        with open(os.path.join(self.folder, "config.json"), "w") as file:
            json.dump(exported_attention.CONFIG, file)
        return self.check_file(model, *words)

    def check_file(self, model, *words):
        done = self.run_program(
            "check", model, "--block", "attention_layer", "--config", "config.json", "--inputs", "in.safetensors",
            "--progress", "never", "--report", "json:report.json", *words,
        )  # fmt: skip
        report = os.path.join(self.folder, "report.json")
        if not os.path.exists(report):
            self.fail(f"no report; exit code {done.returncode}: {done.stderr}")
        return harness.read_report(self.folder)

    def assert_right(self, report):
        self.assertEqual(report["exit_code"], 0, report["scenarios"])
        self.assertEqual({each["verdict"] for each in report["scenarios"]} - {"agree", "vacuous", "unsupported"}, set())

    def assert_wrong(self, report, cause, stage=None):
        self.assertEqual((report["exit_code"], report["cause"]), (1, cause), report["audit"])
        if stage:
            self.assertEqual(report["first_diverging_stage"], stage)


@unittest.skipUnless(harness.has("filelock"), "torch.export needs filelock")
class Package(ExportedTest):
    ENDING = ".pt2"
    fixed = False  # sizes and batch, to those of the example

    def save(self, wrapper, path):
        import exported_attention

        exported_attention.save_pt2(wrapper, path, self.fixed)

    def test_a_right_one_agrees_at_every_size(self):
        from exported_attention import module

        report = self.check(module())
        self.assert_right(report)
        rows = {each["name"]: each["verdict"] for each in report["scenarios"]}
        self.assertEqual(rows["other_batch"], "agree")
        self.assertEqual(rows["float64/in"], "agree")
        self.assertNotIn("in/frozen", rows)

    def test_a_lost_result_is_named(self):
        from exported_attention import module, zeros

        self.assert_wrong(self.check(module(operator=zeros)), "outputs_ignore_inputs", "msda.output")

    def test_a_result_kept_from_the_export_is_named(self):
        from exported_attention import constant_result, module

        self.fixed = True
        self.assert_wrong(self.check(module(operator=constant_result())), "stale_constant", "msda.output")

    def test_sizes_kept_from_the_export_are_named(self):
        from exported_attention import module

        self.assert_wrong(self.check(module(traced_sizes=True)), "baked_shape", "msda.sampling_locations")

    def test_one_image_of_the_batch_is_named(self):
        from exported_attention import module, one_image

        self.assert_wrong(self.check(module(operator=one_image)), "baked_batch")

    def test_sizes_that_the_package_refuses_are_unsupported(self):
        from exported_attention import module

        self.fixed = True
        report = self.check(module())
        self.assert_right(report)
        other = next(each for each in report["scenarios"] if each["name"] == "other_batch")
        self.assertEqual(other["verdict"], "unsupported")
        self.assertIn("refuses these sizes", other["reason"])


@unittest.skipUnless(harness.has("onnx") and harness.has("onnxruntime"), "onnx and onnxruntime are not installed")
class Onnx(ExportedTest):
    ENDING = ".onnx"

    def save(self, wrapper, path):
        import exported_attention

        exported_attention.save_onnx(wrapper, path)

    def test_a_right_one_agrees_at_every_size(self):
        from exported_attention import module

        report = self.check(module())
        self.assert_right(report)
        rows = {each["name"]: each["verdict"] for each in report["scenarios"]}
        self.assertEqual(rows["other_batch/executor"], "agree")

    def test_a_lost_result_is_named(self):
        from exported_attention import module, zeros

        self.assert_wrong(self.check(module(operator=zeros)), "outputs_ignore_inputs", "msda.output")

    def test_a_result_kept_from_the_export_is_named(self):
        from exported_attention import constant_result, module

        self.assert_wrong(self.check(module(operator=constant_result())), "stale_constant", "msda.output")

    def test_sizes_kept_from_the_export_are_named(self):
        from exported_attention import module

        self.assert_wrong(self.check(module(traced_sizes=True)), "baked_shape", "msda.sampling_locations")

    def test_weights_that_were_transposed_have_their_names(self):
        """Those of a layer of the attention are constants of the graph, and known by the sum behind them."""
        import onnx

        import exported_attention
        from deformdiff.worker.module.onnx_graph import OnnxGraph

        model = os.path.join(self.folder, "model.onnx")
        wrapper = exported_attention.module()
        exported_attention.save_onnx(wrapper, model)
        found = dict(OnnxGraph(onnx.load(model)).parameters)
        self.assertEqual(set(found), {name for name, _ in wrapper.named_parameters()})
        for name, parameter in wrapper.named_parameters():
            self.assertEqual(found[name].tolist(), parameter.tolist())


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

    @unittest.skipIf(harness.has("onnxruntime"), "onnxruntime is installed")
    def test_a_python_without_the_runtime_is_named_with_the_fix(self):
        said = self.refused("broken.onnx", "nothing")
        self.assertIn("install it", said)
        self.assertIn("DEFORMDIFF_PYTHON", said)


if __name__ == "__main__":
    harness.main("torch")
