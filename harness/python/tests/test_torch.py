"""The worker with torch: tensors of all dtypes, gradients, modules whose submodules are stages."""

import struct
import unittest

import harness
from harness import OneElement, address, rules

KERNEL = "torch_kernel.py"


class Agreement(harness.ProgramTest):
    @unittest.skipUnless(harness.has("sympy"), "torch's autograd needs sympy")
    def test_all_dtypes_and_gradients_agree(self):
        report = self.fuzz(address(KERNEL, "composite"), cases=30)
        self.assertEqual(rules(report), [])
        blocks = {subject["block"]: subject for subject in report["subjects"]}
        self.assertEqual(set(blocks), {"ms_deform_attn", "ms_deform_attn_backward"})
        for subject in blocks.values():
            self.assertGreater(subject["verdicts"]["agree"], 20)
            # Mixed types are for those that declare them.
            refused = {reason for reason in subject["not_judged"] if reason.startswith("unsupported")}
            self.assertLessEqual(refused, {"unsupported: mixed_float16", "unsupported: mixed_bfloat16"})
        self.assertIn("torch", report["environment"])

    def test_arrays_through_dlpack(self):
        report = self.fuzz(address(KERNEL, "through_dlpack"), cases=20)
        self.assertEqual(rules(report), [])
        (subject,) = report["subjects"]
        self.assertGreater(subject["verdicts"]["agree"], 8)
        self.assertIn("unsupported: bfloat16: numpy's DLPack has none", subject["not_judged"])

    def test_submodules_are_stages(self):
        report = self.fuzz(address(KERNEL, "predictor"), cases=8)
        self.assertEqual(rules(report), [])
        self.assertEqual(report["subjects"][0]["estimated"], 0)


class PredictorCase:
    attributes = {"num_heads": 1, "eps": 1e-5, "mask_threshold": 0.5}

    def __init__(self):
        def ones(name, *shape):
            count = 1
            for extent in shape:
                count *= extent
            return name, "F32", shape, None, 0, struct.pack(f"<{count}f", *range(1, count + 1))

        self.inputs = [
            ones("hidden_states", 1, 1, 2),
            ones("pixel_embeddings", 1, 2, 2, 2),
            ("target_size", "I64", (2,), None, 0, struct.pack("<2q", 1, 1)),
            ones("param.layernorm.weight", 2),
            ones("param.layernorm.bias", 2),
            ones("param.class_predictor.weight", 3, 2),
            ones("param.class_predictor.bias", 3),
        ]
        for layer in range(3):
            self.inputs.append(ones(f"param.mask_predictor.mask_embedder.{layer}.0.weight", 2, 2))
            self.inputs.append(ones(f"param.mask_predictor.mask_embedder.{layer}.0.bias", 2))


class InOneProcess(harness.ExecutorTest):
    KERNEL = KERNEL

    def arrays(self):
        from deformdiff.worker.arrays import TorchArrays

        return TorchArrays()

    def test_a_result_and_a_second_run(self):
        (result,) = self.execute("composite", OneElement(3), twice=True)
        self.assertEqual(self.output(result), (3, 3))
        self.assertEqual(
            (result.ran_twice, result.repeated_bits, result.modified, result.overran), (True, True, "", "")
        )

    def test_elements_that_are_never_written(self):
        (result,) = self.execute("forgets_half", OneElement(3))
        self.assertEqual((result.unwritten_output, result.first_unwritten), ("output", 0))

    def test_inputs_lie_where_those_of_the_call_before_lay(self):
        first, second = self.execute("keeps_an_input", OneElement(3), OneElement(4))
        self.assertEqual((self.output(first), self.output(second)), ((3, 3), (3, 3)))

    def test_an_input_that_is_written_to(self):
        (result,) = self.execute("writes_to_an_input", OneElement(3))
        self.assertEqual(result.modified, "value")

    def test_a_result_that_cannot_be_shown(self):
        (result,) = self.execute("returns_a_complex_tensor", OneElement(3))
        self.assertEqual(result.notes, ["output is a torch.complex64 tensor of shape [1, 1, 2]"])

    def test_a_result_without_dlpack(self):
        from deformdiff.worker.arrays import DlpackArrays

        self.arrays = DlpackArrays
        (result,) = self.execute("returns_no_dlpack", OneElement(3))
        self.assertEqual(result.notes, ["output is a list without __dlpack__"])

    def test_names_of_stages(self):
        (result,) = self.execute("predictor", PredictorCase(), tap=True)
        names = {name for name, *_ in result.stages}
        wanted = {"layernorm", "class_predictor", "mask_predictor.mask_embedder.1.0", "output:mask_logits"}
        self.assertLessEqual(wanted, names)

    def test_other_names_of_parameters(self):
        (result,) = self.execute("predictor_with_other_names", PredictorCase())
        self.assertEqual(result.kind, "threw")
        self.assertIn("block has no norm.bias, norm.weight; the module has no layernorm.bias", result.notes[0])


if __name__ == "__main__":
    harness.main("numpy", "torch")
