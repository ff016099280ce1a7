"""``optimizer.step()`` alone: PyTorch's for-loop, foreach and fused versions, plain jitted optax, and funcgrad.

usage: python benchmarks/optim.py [--rounds 9] [--only REGEX] [--cpu] [--out benchmarks/results/optim.md]

Every engine steps in its own process; the processes take turns, a round each. A round takes alternately two sets of
gradients and waits for the parameters at its end. Shown are the medians of the rounds, and the medians of the rounds'
ratios: funcgrad against the fastest of PyTorch's versions, and against optax. All engines must end with the same
parameters. ``--cpu`` gives each one thread and compares CPU time instead of wall time, for a machine that does other work.
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

import numpy as np
from ops import _library

SHAPES = {
    "4 parameters": [(8, 16), (16,), (16, 1), (1,)],
    "300 parameters": [(32, 32)] * 150 + [(32,)] * 150,
    "10^7 elements": [(1000, 1000)] * 10,
}
STEPS = {"4 parameters": 300, "300 parameters": 20, "10^7 elements": 6}
OPTIMIZERS = {
    "SGD": dict(lr=1e-3, momentum=0.9),
    "Adam": dict(lr=1e-3),
    "AdamW": dict(lr=1e-3, weight_decay=1e-2),
}
ENGINES = ("PyTorch for-loop", "PyTorch foreach", "PyTorch fused", "optax", "funcgrad")
LIMITS = (1.0, 1.2)


def arrays(case: str, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape, dtype=np.float32) for shape in SHAPES[case]]


def imperative(torch, case: str, name: str, options: dict, wait):
    """A step of PyTorch's interface, which funcgrad has too."""
    params = [torch.nn.Parameter(torch.from_numpy(a).clone()) for a in arrays(case, 0)]
    grads = [[torch.from_numpy(a).clone() for a in arrays(case, seed)] for seed in (1, 2)]
    optimizer = getattr(torch.optim, name)(params, **options)

    def step(i: int) -> None:
        for p, g in zip(params, grads[i % 2]):
            p.grad = g
        optimizer.step()

    return step, lambda: wait(params), lambda: [p.detach().numpy() for p in params]


def with_pytorch(case: str, name: str, version: str):
    import torch

    flags = {"for-loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[version]
    return imperative(torch, case, name, OPTIMIZERS[name] | flags, lambda params: None)


def with_funcgrad(case: str, name: str, version: str):
    import jax

    import funcgrad

    wait = lambda params: jax.block_until_ready([funcgrad.to_jax(p.detach()) for p in params])  # noqa: E731
    return imperative(funcgrad, case, name, OPTIMIZERS[name], wait)


def with_optax(case: str, name: str, version: str):
    import jax
    import optax

    made = {
        "SGD": lambda lr, momentum: optax.sgd(lr, momentum),
        "Adam": lambda lr: optax.adam(lr),
        "AdamW": lambda lr, weight_decay: optax.adamw(lr, weight_decay=weight_decay),
    }[name](**OPTIMIZERS[name])
    state = {"params": [jax.device_put(a) for a in arrays(case, 0)]}
    state["optax"] = made.init(state["params"])
    grads = [[jax.device_put(a) for a in arrays(case, seed)] for seed in (1, 2)]

    def update(params, opt_state, grads):
        updates, opt_state = made.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    update = jax.jit(update, donate_argnums=(0, 1))

    def step(i: int) -> None:
        state["params"], state["optax"] = update(state["params"], state["optax"], grads[i % 2])

    return step, lambda: jax.block_until_ready(state["params"]), lambda: [np.asarray(p) for p in state["params"]]


def work(engine: str, case: str, name: str, rounds: int, cpu: bool) -> None:
    """One engine, in its own process: a round for each line that comes in."""
    library, _, version = engine.partition(" ")
    _library("funcgrad" if library == "optax" else library, cpu)
    clock = time.process_time if cpu else time.perf_counter
    make = {"PyTorch": with_pytorch, "optax": with_optax, "funcgrad": with_funcgrad}[library]
    start = time.perf_counter()
    step, wait, values = make(case, name, version)
    step(0)
    wait()
    print(json.dumps(time.perf_counter() - start), flush=True)
    for i in range(1, 4):
        step(i)
    wait()
    done = 4
    for _ in range(rounds):
        sys.stdin.readline()
        start = clock()
        for i in range(done, done + STEPS[case]):
            step(i)
        wait()
        print(json.dumps((clock() - start) / STEPS[case]), flush=True)
        done += STEPS[case]
    print(json.dumps(float(sum(np.abs(v).sum(dtype=np.float64) for v in values()))), flush=True)


class Worker:
    def __init__(self, engine: str, case: str, name: str, rounds: int, cpu: bool):
        command = [sys.executable, __file__, "--work", engine, case, name, str(rounds), "cpu" if cpu else ""]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.read()

    def read(self) -> float:
        return json.loads(self.process.stdout.readline())

    def round(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()


def compare(case: str, name: str, rounds: int, cpu: bool) -> str:
    """A row of the table."""
    workers = {engine: Worker(engine, case, name, rounds, cpu) for engine in ENGINES}
    times: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        for engine, worker in workers.items():
            times[engine].append(worker.round())
    ends = {engine: worker.read() for engine, worker in workers.items()}
    medians = {engine: statistics.median(t) for engine, t in times.items()}
    fastest = min((e for e in ENGINES if e.startswith("PyTorch")), key=medians.get)
    ratios = [statistics.median(a / b for a, b in zip(times["funcgrad"], times[r])) for r in (fastest, "optax")]
    apart = max(abs(end / ends[ENGINES[0]] - 1) for end in ends.values())
    cells = [name, case, *(f"{medians[engine] * 1e3:.3f}" for engine in ENGINES)]
    cells += [f"{ratio:.2f}" if ratio <= limit else f"**{ratio:.2f}**" for ratio, limit in zip(ratios, LIMITS)]
    return "| " + " | ".join([*cells, f"{apart:.0e}"]) + " |"


def header(cpu: bool) -> str:
    what = "CPU time of one thread" if cpu else "wall time"
    return "\n".join([
        "# optimizer.step()", "",
        f"Milliseconds a step ({what}), medians of the rounds; ratios: funcgrad / the fastest of PyTorch's versions, and "
        "funcgrad / plain jitted optax with donated arrays. The last column: how far apart the parameters end.", "",
        "| optimizer | size | " + " | ".join(f"{engine} ms" for engine in ENGINES) + " | to PyTorch | to optax | apart |",
        "|---|---|" + "---:|" * (len(ENGINES) + 3),
    ])  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        engine, case, name, rounds, cpu = sys.argv[2:]
        work(engine, case, name, int(rounds), bool(cpu))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="a regular expression on 'Adam, 300 parameters'")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [header(options.cpu)]
    print(lines[0], flush=True)
    for case in SHAPES:
        for name in OPTIMIZERS:
            if re.search(options.only, f"{name}, {case}"):
                lines.append(compare(case, name, options.rounds, options.cpu))
                print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
