"""Single ops, forward and forward with backward: funcgrad's compiled program of the op against PyTorch eager.

usage: python benchmarks/ops.py [--only REGEX] [--rounds 7] [--cpu] [--out benchmarks/results/ops.md]

Inputs hold 1 MiB of float32 or more. Each library runs in its own process; the processes take turns, and the median over
the rounds of the ratio of their times counts. ``--cpu`` gives each one thread and compares CPU time instead of wall time,
for a machine that does other work.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ENGINES = ("funcgrad", "PyTorch")
LIMIT = 1.5
ROUND = 0.04  # seconds of work in a round


# -- one library, in its own process ----------------------------------------------------------------------------------


def work(engine: str, cpu: bool) -> None:
    """Answer each line ``[case, with_backward]`` by the time of one call, until the input ends."""
    library = _library(engine, cpu)
    clock = time.process_time if cpu else time.perf_counter
    calls = {}
    for line in sys.stdin:
        name, with_backward = key = tuple(json.loads(line))
        try:
            if key not in calls:
                calls.clear()
                calls[key] = _prepared(library, name, with_backward, clock)
            call, times = calls[key]
            start = clock()
            for _ in range(times):
                call()
            print(json.dumps((clock() - start) / times), flush=True)
        except Exception as e:
            print(json.dumps(f"{type(e).__name__}: {e}"[:200]), flush=True)


def _library(engine: str, cpu: bool):
    if cpu:
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if engine == "funcgrad":
        import funcgrad

        funcgrad.keep_freed_memory()
        return funcgrad
    import torch

    if cpu:
        torch.set_num_threads(1)
    return torch


def _prepared(library, name: str, with_backward: bool, clock):
    """A function that runs the case once, and how often to call it in a round."""
    from op_cases import CASES, inputs

    shapes, function = CASES[name]
    # Copies: a tensor made from a NumPy array shares its memory, so that every launch would read it afresh.
    arrays = [library.from_numpy(x).clone() for x in inputs(shapes)]
    call = _call(library, function, arrays, with_backward)
    call()
    call()
    took = float("inf")
    for _ in range(2):
        start = clock()
        call()
        took = min(took, clock() - start)
    return call, max(1, min(1000, int(ROUND / max(took, 1e-5))))


def _call(library, function, arrays, with_backward: bool):
    floating = [i for i, x in enumerate(arrays) if x.is_floating_point()]
    if with_backward:
        arrays = [x.requires_grad_() if i in floating else x for i, x in enumerate(arrays)]
        with library.no_grad():
            out = function(library, *arrays)
        cotangent = library.from_numpy(_normal(tuple(out.shape)))
        leaves = [arrays[i] for i in floating]

        def step():
            return library.autograd.grad(function(library, *arrays), leaves, cotangent)
    else:

        def step():
            with library.no_grad():
                return (function(library, *arrays),)

    if library.__name__ == "torch":
        return step
    import jax

    def forced():
        # All results leave one program; waiting for every one of them keeps launches from piling up.
        jax.block_until_ready([library.to_jax(x) for x in step()])

    return forced


def _normal(shape):
    import numpy as np

    return np.asarray(np.random.RandomState(1).randn(*shape), "f")


# -- both, in turn ----------------------------------------------------------------------------------------------------


def measure(name: str, with_backward: bool, workers: dict, rounds: int):
    """Seconds of a call for each engine (medians), and the median of their ratio; or the error as a string."""
    found = {engine: [] for engine in workers}
    for i in range(rounds + 1):
        for engine, worker in workers.items():
            worker.stdin.write(json.dumps([name, with_backward]) + "\n")
            worker.stdin.flush()
            answer = json.loads(worker.stdout.readline())
            if isinstance(answer, str):
                return f"{engine}: {answer}"
            if i:  # the first round warms up
                found[engine].append(answer)
    times = {engine: statistics.median(values) for engine, values in found.items()}
    return times, statistics.median(a / b for a, b in zip(found["funcgrad"], found["PyTorch"]))


def row(name: str, results: list) -> str:
    cells = [name.partition(": ")[2]]
    for result in results:
        if isinstance(result, str):
            cells += ["", "", result if "does not require grad" not in result else ""]
        else:
            times, ratio = result
            cells += [f"{times[e] * 1e3:.2f}" for e in ENGINES]
            cells.append(f"**{ratio:.2f}**" if ratio > LIMIT else f"{ratio:.2f}")
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| op | funcgrad ms | PyTorch ms | ratio | funcgrad ms, with gradients | PyTorch ms, with gradients | ratio |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


def report(found: dict, cpu: bool) -> str:
    """The table, a section for each family."""
    what = "CPU time of one thread" if cpu else "wall time"
    ratios = [r[1] for results in found.values() for r in results if not isinstance(r, str)]
    over = sum(r > LIMIT for r in ratios)
    lines = [
        "# Single ops", "",
        f"Milliseconds a call ({what}), medians; ratio: funcgrad / PyTorch eager. {len(ratios)} measurements, geometric "
        f"mean of the ratios {statistics.geometric_mean(ratios):.2f}, {over} above {LIMIT}.",
    ]  # fmt: skip
    family = None
    for name, results in found.items():
        if name.partition(": ")[0] != family:
            family = name.partition(": ")[0]
            lines += ["", f"## {family[0].upper()}{family[1:]}", "", HEADER]
        lines.append(row(name, results))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=".")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ops.md")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options.cpu)
    from op_cases import CASES

    extra = ["--cpu"] if options.cpu else []
    workers = {
        engine: subprocess.Popen(
            [sys.executable, __file__, "--worker", engine, *extra], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=HERE,
        )
        for engine in ENGINES
    }  # fmt: skip
    found = {}
    for name in CASES:
        if re.search(options.only, name):
            found[name] = [measure(name, with_backward, workers, options.rounds) for with_backward in (False, True)]
            print(row(name, found[name]), flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(report(found, options.cpu))


if __name__ == "__main__":
    main()
