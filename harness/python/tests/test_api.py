"""The package's functions, and the files that they read and write."""

import os
import struct
import subprocess
import sys
import unittest

import harness

sys.path.insert(0, harness.PACKAGE_FOLDER)


class Api(unittest.TestCase):
    """In a folder of its own, as results name files by where they were made."""

    def setUp(self):
        harness.in_new_folder(self)
        sys.path.insert(0, harness.ADAPTERS)
        self.addCleanup(sys.path.remove, harness.ADAPTERS)

    def test_a_function_that_is_right(self):
        import numpy_kernel

        import deformdiff

        result = deformdiff.fuzz(numpy_kernel.marked, cases=10, seed=4)
        self.assertTrue(result.ok, result)
        self.assertIs(result.assert_ok(), result)
        (subject,) = result.subjects
        self.assertEqual((subject.block, subject.cases), ("ms_deform_attn", 10))
        self.assertGreater(subject.agreed, 0)
        self.assertTrue(subject.not_judged)
        self.assertIn("numpy", result.environment)

    def test_a_finding_has_its_inputs_and_the_element(self):
        import numpy_kernel

        import deformdiff

        result = deformdiff.fuzz(numpy_kernel.half_a_pixel_off, cases=10, first_finding=True, only="N>0,Q>0")
        self.assertFalse(result.ok)
        (finding,) = result.findings
        self.assertEqual((finding.rule, finding.output, finding.index), ("out_of_bound", "output", (0, 0, 0)))
        right = numpy_kernel.ms_deform_attn(*finding.inputs.values(), finding.attributes["im2col_step"])
        self.assertEqual(float(right[finding.index]), finding.wanted)
        self.assertNotEqual(finding.got, finding.wanted)
        self.assertIn("shrunk from", str(result))
        self.assertIn("class " + finding.element_class, finding.explain())
        with self.assertRaises(AssertionError) as failure:
            result.assert_ok()
        self.assertIn("deformdiff replay", str(failure.exception))
        # The same case, on right code and on the wrong one.
        self.assertTrue(deformdiff.replay(finding.case, subject=numpy_kernel.ms_deform_attn).ok)
        self.assertFalse(deformdiff.replay(finding.case).ok)

    def test_recorded_arrays_are_judged(self):
        import numpy

        import deformdiff

        tensors = {
            "in.value": numpy.arange(1, 5, dtype="f4").reshape(1, 4, 1, 1),
            "in.spatial_shapes": numpy.array([[2, 2]]),
            "in.level_start_index": numpy.array([0]),
            "in.sampling_loc": numpy.full((1, 1, 1, 1, 1, 2), 0.5, "f4"),
            "in.attn_weight": numpy.ones((1, 1, 1, 1, 1), "f4"),
            "out.output": numpy.full((1, 1, 1), 2.5, "f4"),
        }
        self.assertTrue(deformdiff.judge(tensors, "ms_deform_attn").ok)
        tensors["out.output"] = tensors["out.output"] + numpy.float32(0.5)
        result = deformdiff.judge(tensors, "ms_deform_attn")
        self.assertEqual([finding.got for finding in result.findings], [3])

    def test_what_the_program_refuses(self):
        import deformdiff

        for call in (
            lambda: deformdiff.fuzz("python:gone.py"),
            lambda: deformdiff.judge("gone.safetensors", "ms_deform_attn"),
            lambda: deformdiff.replay("gone.json"),
            lambda: deformdiff.check("gone.pt", "ms_deform_attn"),
        ):
            with self.assertRaises(deformdiff.Error) as refused:
                call()
            self.assertIn("gone", str(refused.exception))


class Addresses(unittest.TestCase):
    def setUp(self):
        self.folder = harness.in_new_folder(self)
        os.makedirs("package")
        for name in ("package/__init__.py", "package/ops.py", "package/a#b.py"):
            with open(name, "w") as file:
                file.write("def f(*arguments):\n    return lambda: 0\n")
        for folder in (self.folder, harness.ADAPTERS):
            sys.path.insert(0, folder)
            self.addCleanup(sys.path.remove, folder)
        self.addCleanup(lambda: [sys.modules.pop(name, None) for name in ("package", "package.ops")])

    def test_texts(self):
        from deformdiff.addresses import address_of, declaring

        self.assertEqual(
            address_of("package.ops:f?dtypes=float32"), ("python:package.ops#f?dtypes=float32", os.getcwd())
        )
        for text in ("cpu", "python:a.py#f", "torchop:l.so#a::b", "worker:prog#a", "fault/half_pixel"):
            self.assertEqual(address_of(text), (text, ""))
        self.assertEqual(declaring("python:a.py", "x=1"), "python:a.py?x=1")
        self.assertEqual(declaring("python:a.py?y=2", "x=1"), "python:a.py?y=2&x=1")

    def test_functions(self):
        import numpy_kernel_for_addresses as kernel
        from package import ops

        from deformdiff.addresses import address_of

        self.assertEqual(address_of(ops.f), ("python:package.ops#f", self.folder))
        self.assertEqual(address_of(kernel.other), (f"python:{kernel.__file__}#other", ""))
        self.assertEqual(address_of(kernel.marked), (f"python:{kernel.__file__}#marked", ""))
        for made in (ops.f(), 3, max):
            with self.assertRaises(TypeError):
                address_of(made)


class OtherProcesses(unittest.TestCase):
    def test_a_script_that_tests_its_own_function(self):
        harness.in_new_folder(self)
        with open("mine.py", "w") as file:
            file.write(
                f"import sys; sys.path.insert(0, {harness.PACKAGE_FOLDER!r})\n"
                "import deformdiff\ndef ms_deform_attn(*arguments): raise deformdiff.Unsupported('all')\n"
                "def mine(): print(deformdiff.fuzz(ms_deform_attn, cases=2).exit_code)\n"
            )
        guarded = "if __name__ == '__main__': mine()\n"
        for last, wanted in ((guarded, "4"), ("mine()\n", "put that under `if __name__ == '__main__':`")):
            with open("mine.py") as file:
                text = file.read().replace(guarded, "")
            with open("mine.py", "w") as file:
                file.write(text + last)
            done = subprocess.run([sys.executable, "mine.py"], capture_output=True, text=True)
            self.assertIn(wanted, done.stdout + done.stderr)


class Files(unittest.TestCase):
    def setUp(self):
        harness.in_new_folder(self)

    def test_safetensors(self):
        import numpy

        from deformdiff.tensors import read_safetensors, write_safetensors

        tensors = {
            "a": numpy.arange(6, dtype="f2").reshape(2, 3)[:, ::-1],
            "b": numpy.array(True),
            "empty": numpy.zeros((0, 3)),
        }
        write_safetensors("t.safetensors", tensors, {"block": "x"})
        read, metadata = read_safetensors("t.safetensors")
        self.assertEqual(metadata, {"block": "x"})
        for name, value in tensors.items():
            numpy.testing.assert_array_equal(read[name], value)
            self.assertEqual(read[name].dtype, value.dtype)
        with self.assertRaises(TypeError):
            write_safetensors("t.safetensors", {"a": numpy.zeros(2, "c8")}, {})

    def test_numbers_of_saved_cases(self):
        import numpy

        from deformdiff.tensors import read_case

        with open("case.json", "w") as file:
            file.write(
                '{"inputs": {"a": {"dtype": "float32", "shape": [2, 2], "strides": [0, 2], "offset": 1, '
                '"data": [9, -0.0, 9, "inf", "0x7fc00001"]}, "b": {"dtype": "bfloat16", "shape": [3], '
                '"data": [1.5, "nan", "0xff80"]}, "c": {"dtype": "bool", "shape": [2], "data": [0, 1]}, '
                '"d": {"dtype": "float16", "shape": [1], "data": [0.1]}}}'
            )
        inputs = read_case("case.json")["inputs"]
        numpy.testing.assert_array_equal(inputs["a"], [[-0.0, numpy.inf]] * 2)
        self.assertTrue(numpy.signbit(inputs["a"][0, 0]))
        numpy.testing.assert_array_equal(inputs["b"].astype("f4"), [1.5, numpy.nan, -numpy.inf])
        self.assertEqual(inputs["c"].tolist(), [False, True])
        self.assertEqual(inputs["d"].tobytes(), struct.pack("<e", 0.1))

    def test_large_tensors_of_saved_cases(self):
        import numpy

        from deformdiff.tensors import read_case, write_safetensors

        write_safetensors("case.large.safetensors", {"in.a": numpy.arange(6.0)}, {})
        with open("case.json", "w") as file:
            file.write(
                '{"inputs": {"a": {"dtype": "float64", "shape": [2, 3], "file": "case.large.safetensors", '
                '"tensor": "in.a", "sha256": ""}}}'
            )
        numpy.testing.assert_array_equal(read_case("case.json")["inputs"]["a"], [[0, 1, 2], [3, 4, 5]])


class Blocks(unittest.TestCase):
    def test_outputs_are_those_of_the_program(self):
        from deformdiff.worker.blocks import BLOCKS, output_names

        listed = subprocess.run([harness.PROGRAM, "list", "blocks"], stdout=subprocess.PIPE, text=True).stdout
        known = {}
        for line in listed.splitlines():
            if line and not line.startswith(" ") and ": " in line:
                block = line.split(":")[0]
            elif line.startswith("  outputs:"):
                known[block] = line.split(":")[1]
            elif block in known and line.startswith("              "):
                known[block] += line
        wanted = {block: [name.strip() for name in names.split(",")] for block, names in known.items()}
        self.assertEqual(wanted, {block: output_names(block, {"num_levels": 3}) for block in BLOCKS})


if __name__ == "__main__":
    harness.main("numpy")
