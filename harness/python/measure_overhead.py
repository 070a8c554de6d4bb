"""What a case costs in the Python worker beside the function itself: python3 measure_overhead.py [PYTHON]

Starts the worker as `deformdiff` does, with a function that does nothing, and gives it batches of two small cases of
the operator by turns (five inputs of 16 to 640 bytes). What it takes from a request to the last answer, by the case
and less what the function took, is printed; this program writes and reads bytes alone meanwhile. The worker's time on
the processor says the same on a machine that has other things to do.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import time

PRELUDE = struct.Struct("<QQ")
CASES, BATCHES = 200, 15
FUNCTION = """
import {package} as package
RESULT = package.{make}((1, 3, 8), dtype=package.float32)
def ms_deform_attn(*arguments):
    return RESULT
"""


def inputs_for(queries):
    return {
        "value": ("F32", [1, 20 + queries % 2, 2, 4]),
        "spatial_shapes": ("I64", [2, 2]),
        "level_start_index": ("I64", [2]),
        "sampling_loc": ("F32", [1, queries, 2, 2, 2, 2]),
        "attn_weight": ("F32", [1, queries, 2, 2, 2]),
    }


def request():
    header, data = {}, b""
    case = {"block": "ms_deform_attn", "attributes": {"im2col_step": 64}, "inputs": list(inputs_for(0))}
    for position in range(CASES):
        for name, (dtype, shape) in inputs_for(3 + position % 2).items():
            size = {"F32": 4, "I64": 8}[dtype]
            for extent in shape:
                size *= extent
            header[f"{position}.{name}"] = {
                "dtype": dtype,
                "shape": shape,
                "data_offsets": [len(data), len(data) + size],
            }
            data += bytes(size)
    header["__metadata__"] = {
        "message": "run",
        "subject": "measured",
        "run_twice": "0",
        "tap": "0",
        "cases": json.dumps([case] * CASES),
    }
    return header, data


def start(python, file):
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    memories = [os.memfd_create("to"), os.memfd_create("from")]
    # Above the descriptors that the worker is given.
    high = [os.dup2(each, 100 + i) for i, each in enumerate([to_read, from_write, *memories])]
    starter = os.path.join(os.path.dirname(os.path.abspath(__file__)), "deformdiff", "start_worker.py")

    def place():
        for target, each in zip((0, 1, 3, 4), high):
            os.dup2(each, target)

    worker = subprocess.Popen(
        [python, starter, "--file", file, "--subject", "measured"], preexec_fn=place, close_fds=False
    )
    for each in (to_read, from_write):
        os.close(each)
    return to_write, from_read, memories[0], worker.pid


def processor_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def read(channel, size):
    pieces = []
    while size:
        piece = os.read(channel, size)
        if not piece:
            sys.exit("the worker has ended")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def receive(channel):
    data, header = PRELUDE.unpack(read(channel, PRELUDE.size))
    return read(channel, header + data)[:header]


def measure(python, package, make):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(FUNCTION.format(package=package, make=make))
        file.flush()
        to_worker, from_worker, memory, pid = start(python, file.name)
        hello = json.loads(receive(from_worker))["__metadata__"]
        if hello["refusal"]:
            return hello["refusal"]
    header, data = request()
    os.pwrite(memory, data, 0)
    text = json.dumps(header).encode()
    message = PRELUDE.pack(len(data), len(text)) + text
    costs = []
    for batch in range(BATCHES + 1):
        if batch == 1:
            processor = processor_seconds(pid)
        begin = time.perf_counter()
        os.write(to_worker, message)
        answers = [receive(from_worker) for _ in range(CASES)]
        taken = time.perf_counter() - begin
        taken -= sum(float(json.loads(answer)["__metadata__"]["seconds"]) for answer in answers)
        costs.append(taken / CASES * 1e6)
    processor = (processor_seconds(pid) - processor) / BATCHES / CASES * 1e6
    costs = sorted(costs[1:])  # the first call loads and compiles things
    middle = costs[len(costs) // 2]
    return f"{middle:.1f} us a case ({costs[0]:.1f} to {costs[-1]:.1f}), {processor:.1f} us of the processor"


if __name__ == "__main__":
    interpreter = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    for package, make in (("numpy", "zeros"), ("torch", "zeros")):
        print(f"{package}: {measure(interpreter, package, make)}")
