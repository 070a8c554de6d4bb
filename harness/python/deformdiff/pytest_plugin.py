"""pytest: the fixture `deformdiff`, the marker `deformdiff`, and saved cases as tests.

def test_my_kernel(deformdiff):
    deformdiff.fuzz("my_package.ops:ms_deform_attn")            # fails with the report of what is wrong

@pytest.mark.deformdiff(subject=my_kernel, block="ms_deform_attn", cases=2000)
def test_my_kernel(deformdiff_result):
    assert deformdiff_result.subjects[0].worst < 0.5

pytest --deformdiff-cases 5000 --deformdiff-saved cases=my_package.ops:ms_deform_attn
"""

import os

import pytest

from deformdiff import api
from deformdiff.results import Error, Result

_FEW = 200


def pytest_addoption(parser):
    group = parser.getgroup("deformdiff")
    group.addoption(
        "--deformdiff-cases",
        type=int,
        metavar="N",
        help=f"cases of each block in a test that does not say how many (default {_FEW})",
    )
    group.addoption("--deformdiff-seed", type=int, default=0, metavar="N", help="names the cases (default 0)")
    group.addoption(
        "--deformdiff-out", default="deformdiff-out", metavar="DIR", help="where findings are saved (deformdiff-out)"
    )
    group.addoption(
        "--deformdiff-saved",
        action="append",
        default=[],
        metavar="DIR[=SUBJECT]",
        help="each saved case in the folder and below is a test: on the implementation that it names, or on SUBJECT; "
        "repeatable",
    )
    parser.addini("deformdiff_saved", "as --deformdiff-saved, a line each", type="linelist", default=[])


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "deformdiff(*addresses, subject=FUNCTION, **options): the test is given what deformdiff.fuzz() comes to as "
        "deformdiff_result, and fails if that is not ok",
    )


class Checker:
    """deformdiff's functions, whose results must be ok: a test fails with the report."""

    def __init__(self, config):
        self._config = config

    def fuzz(self, *subjects, **options) -> Result:
        """deformdiff.fuzz, with the cases, the seed and the folder of the command line where nothing else is said, and
        no further cases after the first that fails."""
        given = self._config.getoption
        if "cases" not in options and "seconds" not in options:
            cases = given("--deformdiff-cases")
            options["cases"] = _FEW if cases is None else cases
        options.setdefault("first_finding", True)
        options.setdefault("seed", given("--deformdiff-seed"))
        options.setdefault("out", given("--deformdiff-out"))
        return _checked(api.fuzz, *subjects, **options)

    def replay(self, *cases, **options) -> Result:
        return _checked(api.replay, *cases, **options)

    def judge(self, recording, block=None, **options) -> Result:
        options.setdefault("out", self._config.getoption("--deformdiff-out"))
        return _checked(api.judge, recording, block, **options)

    def check(self, model, block, **options) -> Result:
        options.setdefault("out", self._config.getoption("--deformdiff-out"))
        return _checked(api.check, model, block, **options)


def _checked(run, *arguments, **options):
    __tracebackhide__ = True
    try:
        result = run(*arguments, **options)
    except Error as error:
        pytest.fail(str(error), pytrace=False)
    if not result.ok:
        pytest.fail(str(result), pytrace=False)
    return result


@pytest.fixture
def deformdiff(request) -> Checker:
    """deformdiff.fuzz, .replay, .judge and .check, failing the test with the report of what is wrong."""
    return Checker(request.config)


@pytest.fixture
def deformdiff_result(request, deformdiff) -> Result:
    """What the marker `deformdiff` asks for."""
    marker = request.node.get_closest_marker("deformdiff")
    if marker is None:
        raise pytest.UsageError("deformdiff_result: the test has no marker @pytest.mark.deformdiff(subject, ...)")
    options = dict(marker.kwargs)
    # Not as an argument alone: pytest would take the function for what is marked.
    subjects = [*marker.args, *([options.pop("subject")] if "subject" in options else [])]
    return deformdiff.fuzz(*subjects, **options)


@pytest.fixture(autouse=True)
def _deformdiff_marked(request):
    """A marked test that does not ask for the result fails nevertheless if it is not ok."""
    if request.node.get_closest_marker("deformdiff") is not None:
        request.getfixturevalue("deformdiff_result")


def _saved_folders(config):
    for text in [*config.getoption("--deformdiff-saved"), *config.getini("deformdiff_saved")]:
        folder, _, subject = text.partition("=")
        yield os.path.abspath(os.path.join(str(config.rootpath), folder)), subject or None


def pytest_collect_file(file_path, parent):
    if file_path.suffix != ".json":
        return None
    for folder, subject in _saved_folders(parent.config):
        if str(file_path).startswith(folder + os.sep):
            return SavedCaseFile.from_parent(parent, path=file_path, subject=subject)
    return None


class SavedCaseFile(pytest.File):
    def __init__(self, *, subject, **keywords):
        super().__init__(**keywords)
        self._subject = subject

    def collect(self):
        yield SavedCase.from_parent(self, name="replay", subject=self._subject)


class SavedCase(pytest.Item):
    def __init__(self, *, subject, **keywords):
        super().__init__(**keywords)
        self._subject = subject

    def runtest(self):
        _checked(api.replay, self.path, subject=self._subject)

    def reportinfo(self):
        return self.path, None, f"deformdiff replay {self.path.name}"
