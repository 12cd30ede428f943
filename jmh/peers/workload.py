"""What the Python peers share: the problem's bytes, the gate, the clock, and how a figure is printed.

The data files are written by io.ringstep.workload.DataFiles, so every language sees the same bytes.
"""
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

INPUTS, HIDDEN, LEARNING_RATE = 10, 20, 0.01
SHAPES = [(HIDDEN, INPUTS), (HIDDEN,), (1, HIDDEN), (1,)]  # fc1.weight, fc1.bias, fc2.weight, fc2.bias
GATE_STEPS = 100
TOLERANCE = 1e-5


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="the folder that DataFiles wrote")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="threads on the CPU")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--first-step", action="store_true", help="train one step and end: what the start-up figure times")
    parser.add_argument("--start-up", action="store_true", help="only time processes that train one step")
    return parser.parse_args()


class Problem:
    """The rows [n, 10], the targets [n, 1] and the four parameters where training starts, in float32."""

    def __init__(self, folder, rows):
        self.folder = folder
        self.x = np.fromfile(folder / "x.f32", "<f4", rows * INPUTS).reshape(rows, INPUTS)
        self.y = np.fromfile(folder / "y.f32", "<f4", rows).reshape(rows, 1)
        self.start = split(np.fromfile(folder / "start.f32", "<f4"))

    def error(self, batch, parameters):
        """The largest difference to float64 after 100 steps of `batch`; ends the process where rounding does not explain it."""
        expected = np.fromfile(self.folder / f"weights-{batch}.f64", "<f8")
        error = float(np.abs(flatten(parameters).astype("f8") - expected).max())
        if not error <= TOLERANCE:
            sys.exit(f"off by {error:.3g} from float64 after {GATE_STEPS} steps of batch {batch}, so it is not timed")
        return error


def split(flat):
    parts, k = [], 0
    for shape in SHAPES:
        size = int(np.prod(shape))
        parts.append(flat[k:k + size].reshape(shape).copy())
        k += size
    return parts


def flatten(parameters):
    return np.concatenate([np.asarray(p, "f4").ravel() for p in parameters])


class Printer:
    """Prints one line of JSON for each figure: nanoseconds for one step of batch 1, or for one sample."""

    def __init__(self, system, device, quick):
        self.system, self.device = system, device
        self.runs, self.seconds = (5, 0.1) if quick else (9, 0.3)

    def time(self, name, variant, threads, count, work, error):
        """`work()` does `count` things and waits until they are done."""
        calls, start = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < self.seconds:  # also the warm-up
            work()
            calls += 1
        values = []
        for _ in range(self.runs):
            start = time.perf_counter()
            for _ in range(calls):
                work()
            values.append((time.perf_counter() - start) / calls / count * 1e9)
        self.print(name, variant, threads, values, error)

    def print(self, name, variant, threads, values, error):
        values = sorted(values)
        print(json.dumps({
            "system": self.system, "name": name, "variant": variant, "device": self.device, "threads": threads,
            "median": float(f"{values[len(values) // 2]:.5g}"), "min": float(f"{values[0]:.5g}"),
            "max": float(f"{values[-1]:.5g}"), "unit": "ns", "runs": len(values), "error": float(f"{error:.2g}"),
        }), flush=True)

    def failed(self, name, variant, reason):
        """A variant that this version or machine cannot run: said, and left out."""
        print(f"{self.system}, {variant}, {name}: {str(reason).splitlines()[0]}", file=sys.stderr, flush=True)


def start_up(printer, command):
    """Times processes that train one step and end."""
    values = []
    for run in range(6):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        if run:  # the first fills the file cache
            values.append((time.perf_counter() - start) * 1e9)
    printer.print("start-up", "process", 1, values, 0)
