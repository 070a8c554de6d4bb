#!/usr/bin/env python3
"""Whether two JSON reports tell the same results: same_results.py A B [counts].

Times, paths, numbers of workers and what was run again because one was killed may differ; with `counts` also which case stands for a finding.
"""

import json
import os
import sys


def results_of(path, counts):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    for subject in report["subjects"]:
        for key in ("run_seconds", "workers", "retried"):
            subject.pop(key)
    for finding in report["findings"]:
        finding["case"] = os.path.basename(finding["case"])
    if counts:
        kept = ("signature", "count", "first_case", "case")
        report["findings"] = [{key: finding[key] for key in kept} for finding in report["findings"]]
    results = {key: report[key] for key in ("seed", "exit_code", "triggers")}
    results["subjects"] = {(subject["block"], subject["name"]): subject for subject in report["subjects"]}
    results["findings"] = {finding["case"]: finding for finding in report["findings"]}
    return results


def differences(a, b, place):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from differences(a.get(key), b.get(key), f"{place} {key}")
    elif a != b:
        yield f"{place}: {a} / {b}"


def main():
    counts = sys.argv[3:] == ["counts"]
    found = list(differences(results_of(sys.argv[1], counts), results_of(sys.argv[2], counts), "results:"))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
