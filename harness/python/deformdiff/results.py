"""What runs of the program come to, as objects."""

import os
from typing import Any, Dict, List, Mapping, Optional

import numpy

from deformdiff.tensors import read_case


class Error(Exception):
    """The program was asked for something that it cannot do: a subject, a block or a file that is not there, an
    adapter that cannot be used. The text says what, where and how to mend it."""


class Finding:
    """A failure, with the smallest input that was found to show it.

    subject, block, rule, output, element_class   what identifies it: `rule` is a verdict as in the README
    count        cases of the run that failed so
    case         path of the saved case; `deformdiff replay CASE` and `deformdiff explain CASE` take it
    one_line     what is wrong, in words
    inputs       the case's tensors by name, as numpy arrays
    attributes   and its numbers by name
    got, wanted, bound, index   the element to blame: what came, what is right, how far it may be off, and where; None
                 where no element is
    """

    def __init__(self, report: Mapping[str, Any], folder: str):
        signature = report["signature"]
        self.subject: str = signature["subject"]
        self.block: str = signature["block"]
        self.rule: str = signature["rule"]
        self.output: str = signature["output"]
        self.element_class: str = signature["class"]
        self.count: int = report["count"]
        self.one_line: str = report["one_line"]
        self.case: str = os.path.join(folder, report["case"])
        self.elements: int = report["shrunk_elements"]
        self.is_known: bool = report.get("status") == "known"
        self.excused_by: str = report["excused_by"]
        self._read: Optional[Dict[str, Any]] = None
        worst = report.get("worst")
        self.got = self.wanted = self.bound = self.index = None
        if worst is not None:
            self.got, self.wanted, self.bound = (float(worst[key]) for key in ("got", "wanted", "bound"))
            self.index = tuple(int(i) for i in numpy.unravel_index(worst["element"], worst["shape"]))

    def _case(self) -> Dict[str, Any]:
        if self._read is None:
            self._read = read_case(self.case)
        return self._read

    @property
    def inputs(self) -> Dict[str, numpy.ndarray]:
        return self._case()["inputs"]

    @property
    def attributes(self) -> Dict[str, float]:
        return self._case()["attributes"]

    def explain(self) -> str:
        """Which rule, which element, which sampling points and which term of the bound: `deformdiff explain`."""
        from deformdiff.api import run_program

        return run_program(["explain", self.case]).text

    def __str__(self) -> str:
        return f"{self.one_line}\n  deformdiff replay {self.case}"

    def __repr__(self) -> str:
        return f"<Finding {self.one_line}>"


class SubjectResult:
    """Of one implementation on one block.

    name, block, cases
    verdicts     how many cases got which verdict
    not_judged   how many were not judged, by the reason
    agreed       how many agreed
    worst        the largest error, in parts of its bound
    """

    def __init__(self, report: Mapping[str, Any]):
        self.name: str = report["name"]
        self.block: str = report["block"]
        self.cases: int = report["cases"]
        self.verdicts: Dict[str, int] = dict(report["verdicts"])
        self.not_judged: Dict[str, int] = dict(report["not_judged"])
        self.agreed: int = self.verdicts.get("agree", 0)
        self.worst: float = report["ratio"]["max"]

    def __repr__(self) -> str:
        return f"<SubjectResult {self.name}: {self.agreed} of {self.cases} cases of {self.block} agree>"


class Result:
    """What a run came to. `str()` of it is the program's report.

    ok           something agreed, and nothing was found but what is known
    exit_code    the program's: 0 is ok, 1 findings, 4 nothing was judged
    findings     list of Finding, known ones too
    subjects     list of SubjectResult
    environment  versions, by package
    text         the report for people
    report       the whole report, as `--report json` writes it
    """

    def __init__(self, exit_code: int, text: str, report: Optional[Mapping[str, Any]], folder: str):
        self.exit_code = exit_code
        self.text = text
        self.report: Dict[str, Any] = dict(report or {})
        self.findings: List[Finding] = [Finding(each, folder) for each in self.report.get("findings", [])]
        self.subjects: List[SubjectResult] = [SubjectResult(each) for each in self.report.get("subjects", [])]
        self.environment: Dict[str, str] = dict(self.report.get("environment", {}))

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    def assert_ok(self) -> "Result":
        """Raises AssertionError with the report unless the result is ok; else returns it."""
        if not self.ok:
            raise AssertionError(str(self))
        return self

    def __str__(self) -> str:
        return self.text.strip()

    def __repr__(self) -> str:
        return f"<Result {'ok' if self.ok else f'{len(self.findings)} findings'}>"
