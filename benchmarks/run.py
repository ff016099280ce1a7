"""Training steps under PyTorch eager, hand-written JAX, funcgrad's plain loop, and `funcgrad.compile`.

usage: python benchmarks/run.py [--only REGEX] [--rounds 9] [--out benchmarks/results] [--engines A,B]

Every engine trains in its own process (two engines in one process starve each other's thread pools); the processes take
turns, a round each, and the medians of the rounds are compared. Every step gets a fresh batch and its loss is read. The
first step (compiling) is shown apart, and the losses of all engines must agree. Hand-written JAX is the natural form.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

from workloads import WORKLOADS

HERE = Path(__file__).parent
ENGINES = ("PyTorch", "JAX", "funcgrad", "funcgrad.compile")


class Worker:
    """One engine on one workload, in a process of its own."""

    def __init__(self, engine: str, name: str, rounds: int):
        command = [sys.executable, str(HERE / "worker.py"), engine, name, str(rounds)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
        self.start = self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker died: {self.process.args}")
        return json.loads(line)

    def round(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()


def measure(name: str, rounds: int, engines) -> dict:
    workers = {engine: Worker(engine, name, rounds) for engine in engines}
    results = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine, worker in workers.items():
            results[engine].append(worker.round())
    found = {}
    for engine, worker in workers.items():
        found[engine] = {
            "first": worker.start["first"],
            "losses": worker.start["losses"],
            "step": statistics.median(r["step"] for r in results[engine]),
            "steps": [r["step"] for r in results[engine]],
            "peak_mb": results[engine][-1]["peak_mb"],
        }
        worker.process.wait()
    return found


def ratio(found: dict, a: str, b: str) -> float:
    """The median over rounds of the ratio of two engines' step times."""
    return statistics.median(x / y for x, y in zip(found[a]["steps"], found[b]["steps"]))


def report(all_found: dict, engines) -> str:
    lines = ["| workload | " + " | ".join(f"{e} ms" for e in engines) + " | funcgrad / JAX | compile / JAX | funcgrad / PyTorch | losses agree to |",
             "|---|" + "---|" * (len(engines) + 4)]  # fmt: skip
    for name, found in all_found.items():
        cells = [f"{found[e]['step'] * 1e3:.3f}" for e in engines]
        for a, b in (("funcgrad", "JAX"), ("funcgrad.compile", "JAX"), ("funcgrad", "PyTorch")):
            cells.append(f"{ratio(found, a, b):.2f}" if a in found and b in found else "")
        losses = [found[e]["losses"] for e in engines]
        worst = (
            max(abs(x - y) / abs(y) for other in losses[1:] for x, y in zip(other, losses[0])) if len(losses) > 1 else 0
        )
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {worst:.0e} |")
    return "\n".join(lines)


def draw(all_found: dict, engines, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    names = list(all_found)
    figure, axis = plt.subplots(figsize=(11, 0.5 * len(names) + 1.5))
    height = 0.8 / len(engines)
    for i, engine in enumerate(engines):
        times = [all_found[n][engine]["step"] / all_found[n]["PyTorch"]["step"] for n in names]
        axis.barh(np.arange(len(names)) + i * height, times, height, label=engine)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_yticks(np.arange(len(names)) + 0.4 - height / 2, names)
    axis.invert_yaxis()
    axis.set(xlabel="time per training step, relative to PyTorch eager (less is better)")
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=".")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--engines", default=",".join(ENGINES))
    options = parser.parse_args()
    engines = options.engines.split(",")
    options.out.mkdir(exist_ok=True)
    all_found = {}
    for name in WORKLOADS:
        if re.search(options.only, name):
            all_found[name] = measure(name, options.rounds, engines)
            print(report({name: all_found[name]}, engines).splitlines()[-1], flush=True)
            print("   first step: " + ", ".join(f"{e} {f['first']:.2f} s" for e, f in all_found[name].items())
                  + "; peak MB: " + ", ".join(f"{e} {f['peak_mb']:.0f}" for e, f in all_found[name].items()), flush=True)  # fmt: skip
    table = report(all_found, engines)
    (options.out / "training.md").write_text(table + "\n")
    (options.out / "training.json").write_text(json.dumps(all_found, indent=1))
    print(table)
    if "PyTorch" in engines:
        draw(all_found, engines, options.out / "training.png")


if __name__ == "__main__":
    main()
