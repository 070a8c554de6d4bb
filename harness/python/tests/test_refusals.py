"""Adapters that cannot be used: what is wrong, where, and what to do, in the program's one line."""

import os

import harness

ARGUMENTS = "value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step"


class Refusals(harness.ProgramTest):
    def refused(self, text, name="", file="mine.py"):
        path = os.path.join(self.folder, file)
        with open(path, "w") as written:
            written.write(text)
        return self.refusal(f"python:{file}{'#' + name if name else ''}").replace(path, file)

    def test_a_file_that_is_not_there(self):
        self.assertIn("there is no file gone.py in this folder", self.refusal("python:gone.py"))

    def test_a_syntax_error(self):
        self.assertIn("mine.py:2: ", self.refused("x = 1\ndef f(:\n"))

    def test_an_exception_on_loading(self):
        self.assertIn("mine.py:2: on loading: ZeroDivisionError", self.refused("x = 1\ny = x / 0\n"))

    def test_a_package_that_is_not_installed(self):
        said = self.refused("\nimport no_such_package\n")
        self.assertIn("mine.py:2: No module named 'no_such_package': install it for", said)
        self.assertIn("?python=PATH", said)

    def test_nothing_to_call(self):
        self.assertIn(f"write def ms_deform_attn({ARGUMENTS})", self.refused("x = 1\n"))

    def test_functions_of_other_names(self):
        self.assertIn("name the one that is meant, as in #other", self.refused("def other(*arguments): pass\n"))

    def test_a_name_that_is_not_there(self):
        said = self.refused("def other(*arguments): pass\n", "mine")
        self.assertIn("mine.py has no mine; it has: other", said)

    def test_what_is_no_function(self):
        self.assertIn("mine.py: x is no function but a int", self.refused("x = 1\n", "x"))

    def test_other_arguments(self):
        said = self.refused("\ndef ms_deform_attn(value, shapes, locations, weights): pass\n")
        self.assertIn("mine.py:2: ms_deform_attn(value, shapes, locations, weights) cannot be called as a", said)
        self.assertIn(f"write def ms_deform_attn({ARGUMENTS}) and call yours from there", said)

    def test_a_block_that_is_not_there(self):
        text = "import deformdiff\n@deformdiff.subject(block='attention')\ndef mine(*arguments): pass\n"
        self.assertIn("mine.py:2: mine: there is no block attention; there are: ms_deform_attn", self.refused(text))

    def test_arrays_that_are_not_there(self):
        text = "import deformdiff\n@deformdiff.subject(arrays='cupy')\ndef ms_deform_attn(*arguments): pass\n"
        self.assertIn("mine.py:2: subject(arrays='cupy'): wanted is one of torch, numpy, jax", self.refused(text))

    def test_two_for_one_block(self):
        text = "import deformdiff\nmark = deformdiff.subject('ms_deform_attn')\na = mark(lambda *x: 0)\nb = mark(max)\n"
        self.assertIn("both compute ms_deform_attn: name one of them", self.refused(text))

    def test_a_bad_declaration_of_the_adapter(self):
        text = "import deformdiff\n@deformdiff.subject(declares='colour=red')\ndef ms_deform_attn(*arguments): pass\n"
        self.assertIn("colour", self.refused(text))

    def test_an_interpreter_that_is_not_there(self):
        self.refused("x = 1\n")
        self.assertIn("there is no such program", self.refusal("python:mine.py?python=/gone/python"))


if __name__ == "__main__":
    harness.main("numpy")
