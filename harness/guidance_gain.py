#!/usr/bin/env python3
"""Cases until a fault is found, with and without guided cases.

guidance_gain.py DEFORMDIFF OUT [--seeds N] [--time T] [--guided PERCENT] FAULT...

Every fault is fuzzed with every seed twice: on the stream alone, and with guided cases beside it. What is counted are
the cases that the fault was given until it was found: those of the stream, and the judged guided ones. A fault that was
not found in the time counts as the largest number. Prints a line a fault: medians, and how often it was not found.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess


def cases_until_found(arguments, fault, seed, percent):
    folder = pathlib.Path(arguments.out)
    report = folder / "report.json"
    subprocess.run(
        [arguments.program, "fuzz", "--block", arguments.block, "--subject", fault, "--seed", str(seed), "--time",
         arguments.time, "--guided", str(percent), "--first-finding", "--no-shrink", "--no-canaries", "--progress", "never",
         "--out", folder / "run", "--report", f"json:{report}"],
        check=False, stdout=subprocess.DEVNULL)
    run = json.loads(report.read_text())
    if not run["findings"]:
        return math.inf
    return run["subjects"][0]["cases"] + sum(guided["judged"] for guided in run.get("guided", []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("out")
    parser.add_argument("faults", nargs="+")
    parser.add_argument("--block", default="ms_deform_attn")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--time", default="20s")
    parser.add_argument("--guided", type=int, default=30)
    arguments = parser.parse_args()
    pathlib.Path(arguments.out).mkdir(parents=True, exist_ok=True)
    print(f"{'fault':<34} {'alone':>8} {'guided':>8} {'missed':>14}")
    for fault in arguments.faults:
        alone, guided = ([cases_until_found(arguments, fault, seed, percent) for seed in range(1, arguments.seeds + 1)]
                         for percent in (0, arguments.guided))
        missed = f"{alone.count(math.inf)}, {guided.count(math.inf)}"
        print(f"{fault:<34} {statistics.median(alone):>8} {statistics.median(guided):>8} {missed:>14}", flush=True)


if __name__ == "__main__":
    main()
