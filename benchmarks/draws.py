"""Time random draws against PyTorch: ``python benchmarks/draws.py [--size N] [--repeats N]``.

Each library draws in a process of its own, the two in turn; a time is the best of the repeats, up to the values being
there. A ratio below 1 means that funcgrad is faster.
"""

import argparse
import json
import subprocess
import sys
import time

DRAWS = {
    "rand": lambda t, n: t.rand(n),
    "rand float64": lambda t, n: t.rand(n, dtype=t.float64),
    "randn": lambda t, n: t.randn(n),
    "normal_": lambda t, n: t.empty(n).normal_(1.0, 2.0),
    "dropout": lambda t, n: t.nn.functional.dropout(t.ones(n), 0.5),
    "bernoulli_": lambda t, n: t.empty(n).bernoulli_(0.3),
    "bernoulli": lambda t, n: t.bernoulli(t.full((n,), 0.3)),
    "randint": lambda t, n: t.randint(0, 1000, (n,)),
    "randperm": lambda t, n: t.randperm(n),
    "exponential_": lambda t, n: t.empty(n).exponential_(),
    "multinomial": lambda t, n: t.multinomial(t.ones(10), n // 10, True),
    "gamma": lambda t, n: t.distributions.Gamma(2.0, 1.0).sample((n // 100,)),
    "poisson": lambda t, n: t.poisson(t.full((n // 100,), 4.0)),
    "rand of 10": lambda t, n: [t.rand(10) for _ in range(1000)][-1],
    "randn of 10": lambda t, n: [t.randn(10) for _ in range(1000)][-1],
    "randint of 10": lambda t, n: [t.randint(0, 9, (10,)) for _ in range(1000)][-1],
    "randperm of 1000": lambda t, n: [t.randperm(1000) for _ in range(100)][-1],
}


def worker(name: str, size: int, repeats: int) -> None:
    """Print the best time of every draw."""
    if name == "torch":
        import torch as library
    else:
        import funcgrad as library
    library.manual_seed(0)
    times = {}
    for draw, make in DRAWS.items():
        taken = []
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            made = make(library, size)
            made[-1].item()
            taken.append(time.perf_counter() - begin)
            del made
        times[draw] = min(taken[1:])
    print(json.dumps(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10**7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--worker", choices=["torch", "funcgrad"])
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker, args.size, args.repeats)
    best = {"torch": {}, "funcgrad": {}}
    for _ in range(args.rounds):
        for name, times in best.items():
            command = [
                sys.executable,
                __file__,
                "--worker",
                name,
                "--size",
                str(args.size),
                "--repeats",
                str(args.repeats),
            ]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            times.update({k: min(v, times.get(k, v)) for k, v in found.items()})
    print(f"{'draw':<18} {'PyTorch':>10} {'funcgrad':>10} {'ratio':>7}   ({args.size:,} elements)")
    for draw in DRAWS:
        theirs, ours = best["torch"][draw], best["funcgrad"][draw]
        print(f"{draw:<18} {theirs * 1e3:>8.1f}ms {ours * 1e3:>8.1f}ms {ours / theirs:>7.2f}")


if __name__ == "__main__":
    main()
