"""Time one workload under one engine in this process; prints one JSON line per round. Called by run.py."""

from __future__ import annotations

import json
import resource
import sys
import time


def main(engine: str, name: str, rounds: int) -> None:
    step, batches, steps, prepare = STEPS[engine](name)
    first = time.perf_counter()
    x, y = next(batches(1, seed=99))
    losses = [float(step(*prepare(x, y)))]
    first = time.perf_counter() - first
    data = list(batches(steps + 3, seed=1))
    for x, y in data[:3]:
        losses.append(float(step(*prepare(x, y))))
    print(json.dumps({"first": first, "losses": losses}), flush=True)
    for _ in range(rounds):
        sys.stdin.readline()  # wait for the turn
        start = time.perf_counter()
        for x, y in data[3:]:
            loss = float(step(*prepare(x, y)))
        took = (time.perf_counter() - start) / steps
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"step": took, "loss": loss, "peak_mb": peak}), flush=True)


def with_pytorch(name):
    import torch
    from workloads import build

    _, step, batches, steps = build(torch, name)
    return (lambda x, y: step(x, y).item()), batches, steps, lambda x, y: (torch.from_numpy(x), torch.from_numpy(y))


def _funcgrad(name):
    import funcgrad

    funcgrad.keep_freed_memory()
    from workloads import build

    return funcgrad, build(funcgrad, name)


def with_funcgrad(name):
    funcgrad, (_, step, batches, steps) = _funcgrad(name)
    return (
        (lambda x, y: step(x, y).item()),
        batches,
        steps,
        lambda x, y: (funcgrad.from_numpy(x), funcgrad.from_numpy(y)),
    )


def with_compile(name):
    funcgrad, (_, step, batches, steps) = _funcgrad(name)
    step = funcgrad.compile(step)
    return (
        (lambda x, y: step(x, y).item()),
        batches,
        steps,
        lambda x, y: (funcgrad.from_numpy(x), funcgrad.from_numpy(y)),
    )


def with_jax(name):
    import handwritten
    import jax.numpy as jnp

    _, (model, _, batches, steps) = _funcgrad(name)
    params = {k: jnp.array(v.detach().numpy()) for k, v in model.named_parameters()}
    buffers = {k: jnp.array(v.numpy()) for k, v in model.named_buffers() if "running" in k}
    step = handwritten.step_of(name, params, buffers)
    return step, batches, steps, lambda x, y: (x, y)


STEPS = {"PyTorch": with_pytorch, "JAX": with_jax, "funcgrad": with_funcgrad, "funcgrad.compile": with_compile}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
