"""`deformdiff check --image-size`: a block inside a TorchScript model that takes an image."""

import json
import os

import harness


class WholeModel(harness.ProgramTest):
    def check(self, **how):
        import exported_decoder

        exported_decoder.save_traced(os.path.join(self.folder, "model.pt"), **how)
        with open(os.path.join(self.folder, "config.json"), "w") as file:
            json.dump(exported_decoder.CONFIG, file)
        done = self.run_program(
            "check", "model.pt", "--image-size", "64x96", "--block", "pixel_decoder", "--config", "config.json",
            "--progress", "never", "--report", "json:report.json",
        )  # fmt: skip
        return self.report_of(done)

    def test_a_right_block_agrees_on_every_image(self):
        report = self.check()
        self.assertEqual(report["exit_code"], 0, report["scenarios"])
        rows = {each["name"]: each["verdict"] for each in report["scenarios"]}
        names = ("same_shape", "other_values", "other_batch", "transposed", "other_shape")
        self.assertEqual(rows, dict.fromkeys(names, "agree"))

    def test_a_lost_result_is_named(self):
        from exported_attention import zeros

        report = self.check(operator=zeros)
        self.assertEqual((report["exit_code"], report["cause"]), (1, "outputs_ignore_inputs"))
        self.assertEqual(report["first_diverging_stage"], "encoder.layers.0.self_attn.msda.output")

    def test_an_image_that_the_model_does_not_take_is_named(self):
        import exported_decoder
        import torch

        exported_decoder.save_traced(os.path.join(self.folder, "model.pt"), offset=torch.zeros(64, 96))
        with open(os.path.join(self.folder, "config.json"), "w") as file:
            json.dump(exported_decoder.CONFIG, file)
        for size, wanted in (("64", "HEIGHTxWIDTH"), ("0x64", "--image-size"), ("48x48", "does not take such an image")):
            done = self.run_program(
                "check", "model.pt", "--image-size", size, "--block", "pixel_decoder", "--config", "config.json"
            )  # fmt: skip
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(wanted, done.stderr)


if __name__ == "__main__":
    harness.main("torch")
