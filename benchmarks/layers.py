"""Layers, forward with backward: funcgrad, PyTorch eager and plain JAX under `jax.jit`, each family at three sizes.

usage: python benchmarks/layers.py [--only REGEX] [--rounds 7] [--cpu] [--out benchmarks/results/layers.md]

What is timed is the result and the gradients with respect to every parameter and floating input. Each engine runs in its
own process; the processes take turns, and the median over the rounds of the ratios of their times counts. ``--cpu`` gives
each one thread and compares CPU time instead of wall time, for a machine that does other work.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ops import _library

ENGINES = ("funcgrad", "PyTorch", "JAX")
LIMIT = 1.1  # of plain JAX's time
ROUND = 0.05  # seconds of work in a round


# -- one engine, in its own process -----------------------------------------------------------------------------------


def work(engine: str, cpu: bool) -> None:
    """Answer each line ``[family, size]`` by the time of one call, until the input ends."""
    library = _library("funcgrad" if engine == "JAX" else engine, cpu)
    clock = time.process_time if cpu else time.perf_counter
    current, prepared = None, None
    for line in sys.stdin:
        key = json.loads(line)
        try:
            if key != current:
                current, prepared = key, _repeated(_call(engine, library, *key), clock)
            call, times = prepared
            start = clock()
            for _ in range(times):
                call()
            print(json.dumps((clock() - start) / times), flush=True)
        except Exception as e:
            print(json.dumps(f"{type(e).__name__}: {e}"[:200]), flush=True)


def _repeated(call, clock):
    """The function, warmed up, and how often to call it in a round."""
    took = float("inf")
    for _ in range(4):
        start = clock()
        call()
        took = min(took, clock() - start)
    return call, max(1, min(1000, int(ROUND / max(took, 1e-5))))


def _call(engine: str, library, family: str, size: list):
    from layer_cases import CASES, normal

    make, inputs, plain = CASES[family][tuple(size)]
    library.manual_seed(0)
    module = make(library.nn)
    tensors = [library.from_numpy(x).clone() for x in inputs]
    tensors = [x.requires_grad_() if x.is_floating_point() else x for x in tensors]
    leaves = [*module.parameters(), *(x for x in tensors if x.requires_grad)]
    weight = normal(*module(*tensors).shape, seed=1)
    if engine == "JAX":
        return _plain(plain, {k: v.numpy() for k, v in module.state_dict().items()}, inputs, weight)
    weight = library.from_numpy(weight).clone()

    def step():
        return library.autograd.grad(module(*tensors), leaves, weight)

    if engine == "PyTorch":
        return step
    import jax

    return lambda: jax.block_until_ready([library.to_jax(g) for g in step()])


def _plain(function, parameters: dict, inputs, weight):
    import jax
    import jax.numpy as jnp
    import numpy as np

    floating = [i for i, x in enumerate(inputs) if x.dtype == np.float32]
    parameters = {k: jnp.asarray(v) for k, v in parameters.items() if v.dtype == np.float32 and "running" not in k}
    inputs = [jnp.asarray(x) for x in inputs]

    @jax.jit
    def step(parameters, inputs, weight):
        def of(parameters, changed):
            return jnp.sum(function(parameters, *[changed.get(i, x) for i, x in enumerate(inputs)]) * weight)

        return jax.grad(of, (0, 1))(parameters, {i: inputs[i] for i in floating})

    return lambda: jax.block_until_ready(step(parameters, inputs, weight))


# -- all of them, in turn ---------------------------------------------------------------------------------------------


def measure(family: str, size: tuple, workers: dict, rounds: int):
    """Seconds of a call for each engine (medians), and funcgrad's ratio to the others; or an error as a string."""
    found: dict = {engine: [] for engine in workers}
    for i in range(rounds + 1):
        for engine, worker in workers.items():
            worker.stdin.write(json.dumps([family, list(size)]) + "\n")
            worker.stdin.flush()
            answer = json.loads(worker.stdout.readline())
            if isinstance(answer, str):
                return f"{engine}: {answer}"
            if i:  # the first round warms up
                found[engine].append(answer)
    ratios = {e: statistics.median(a / b for a, b in zip(found["funcgrad"], found[e])) for e in ENGINES[1:]}
    return {e: statistics.median(v) for e, v in found.items()}, ratios


HEADER = (
    "| layer | size | funcgrad ms | PyTorch ms | JAX ms | to PyTorch | to JAX |\n|---|---|---:|---:|---:|---:|---:|"
)


def row(family: str, size: tuple, result) -> str:
    cells = [family, " x ".join(map(str, size))]
    if isinstance(result, str):
        return "| " + " | ".join([*cells, result, "", "", "", ""]) + " |"
    times, ratios = result
    cells += [f"{times[e] * 1e3:.3f}" for e in ENGINES] + [f"{ratios['PyTorch']:.2f}"]
    cells.append(f"**{ratios['JAX']:.2f}**" if ratios["JAX"] > LIMIT else f"{ratios['JAX']:.2f}")
    return "| " + " | ".join(cells) + " |"


def report(found: dict, cpu: bool) -> str:
    """The table with a summary above it."""
    good = [r[1] for r in found.values() if not isinstance(r, str)]
    means = {e: statistics.geometric_mean(r[e] for r in good) for e in ENGINES[1:]} if good else {}
    over = sum(r["JAX"] > LIMIT for r in good)
    what = "CPU time of one thread" if cpu else "wall time"
    return "\n".join([
        "# Layers, forward with backward", "",
        f"Milliseconds a call ({what}), medians; ratios: funcgrad / the other. {len(good)} measurements; geometric means of "
        f"the ratios: {', '.join(f'{m:.2f} to {e}' for e, m in means.items())}; {over} above {LIMIT} times plain JAX.", "",
        HEADER, *(row(*key, result) for key, result in found.items()), "",
    ])  # fmt: skip


def main() -> None:
    from layer_cases import CASES

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=".")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        return work(given.engine, given.cpu)
    command = [sys.executable, __file__, *(["--cpu"] if given.cpu else []), "--engine"]
    workers = {
        e: subprocess.Popen([*command, e], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for e in ENGINES
    }
    found = {}
    print(HEADER, flush=True)
    for family, sizes in CASES.items():
        for size in sizes if re.search(given.only, family) else ():
            found[family, size] = measure(family, size, workers, given.rounds)
            print(row(family, size, found[family, size]), flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    if given.out:
        Path(given.out).write_text(report(found, given.cpu))


if __name__ == "__main__":
    main()
