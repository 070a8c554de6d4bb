"""libdeformdiff_ops.so loaded by Python: nothing of the harness is there, and PyTorch's own checks of operators pass."""

import os
import unittest

import harness

LIBRARY = os.environ.get("DEFORMDIFF_OPS_LIBRARY", "libdeformdiff_ops.so")


def inputs(value="float32", points=None, grad=False, queries=6):
    """Two levels, 3 heads of 5 channels, 2 points."""
    import torch

    torch.manual_seed(1)
    value_type, point_type = getattr(torch, value), getattr(torch, points or value)
    shapes = torch.tensor([[5, 7], [3, 4]])
    tensors = [
        torch.randn(2, 47, 3, 5).to(value_type),
        (1.4 * torch.rand(2, queries, 3, 2, 2, 2) - 0.2).to(point_type),
        torch.rand(2, queries, 3, 2, 2).to(point_type),
    ]
    value, locations, weights = [tensor.requires_grad_(grad) for tensor in tensors]
    return value, shapes, torch.tensor([0, 35]), locations, weights


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import torch

        torch.ops.load_library(LIBRARY)
        cls.forward = torch.ops.deformdiff.ms_deform_attn_forward
        cls.backward = torch.ops.deformdiff.ms_deform_attn_backward

    def assert_equal(self, a, b):
        import torch

        self.assertTrue(torch.equal(a, b), f"{a}\n{b}")

    def test_opcheck(self):
        import torch

        for value, points in [("float32", None), ("float64", None), ("bfloat16", "float32")]:
            for grad in [False, True]:
                torch.library.opcheck(self.forward, (*inputs(value, points, grad), 64))
            example = inputs(value, points)
            grad_output = torch.ones(2, 6, 15, dtype=example[0].dtype)
            torch.library.opcheck(self.backward, (*example, grad_output, 64))

    def test_gradients_are_those_of_differences(self):
        import torch

        self.assertTrue(torch.autograd.gradcheck(self.forward, (*inputs("float64", grad=True), 64)))

    def test_autocast_keeps_locations_in_float32(self):
        import torch

        value, shapes, starts, locations, weights = inputs("float32", grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            output = self.forward(value, shapes, starts, locations, weights, 64)
            of_halves = self.forward(value, shapes, starts, locations.bfloat16(), weights, 64)
        self.assertEqual(output.dtype, torch.bfloat16)
        self.assert_equal(output, self.forward(value.bfloat16(), shapes, starts, locations, weights, 64))
        self.assert_equal(of_halves, self.forward(value.bfloat16(), shapes, starts, locations.bfloat16().float(), weights, 64))
        output.sum().backward()
        self.assertEqual([t.grad.dtype for t in (value, locations, weights)], [torch.float32] * 3)
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(self.forward(*inputs("float64"), 64).dtype, torch.float64)

    @unittest.skipUnless(harness.has("filelock"), "torch.compile needs filelock")
    def test_a_compiled_function(self):
        import torch

        def function(value, shapes, starts, locations, weights):
            return torch.relu(self.forward(value, shapes, starts, locations, weights, 64)).sum(-1)

        compiled = torch.compile(function, backend="aot_eager", fullgraph=True, dynamic=True)
        for queries in [6, 9]:
            with torch.no_grad():
                example = inputs(queries=queries)
                self.assert_equal(compiled(*example), function(*example))

    @unittest.skipUnless(harness.has("filelock"), "torch.export needs filelock")
    def test_an_exported_module(self):
        import torch

        class Module(torch.nn.Module):
            def forward(self, value, shapes, starts, locations, weights):
                return 2 * torch.ops.deformdiff.ms_deform_attn_forward(value, shapes, starts, locations, weights, 64)

        queries = torch.export.Dim("queries", min=2)
        exported = torch.export.export(
            Module(), inputs(), dynamic_shapes=(None, None, None, {1: queries}, {1: queries})
        )
        targets = [node.target for node in exported.graph.nodes if node.op == "call_function"]
        self.assertIn(torch.ops.deformdiff.ms_deform_attn_forward.default, targets)
        for count in [6, 11]:
            example = inputs(queries=count)
            self.assert_equal(exported.module()(*example), Module()(*example))

    def test_what_is_wrong_is_named(self):
        value, shapes, starts, locations, weights = inputs()
        with self.assertRaisesRegex(ValueError, "attn_weight has shape"):
            self.forward(value, shapes, starts, locations, weights[:1], 64)
        with self.assertRaisesRegex(TypeError, "sampling_loc is Double"):
            self.forward(value, shapes, starts, locations.double(), weights, 64)


if __name__ == "__main__":
    harness.main("numpy", "torch", "sympy")
