"""Compiled programs that have not run for long lose their machine code, and nothing else."""

import funcgrad as torch
from funcgrad.engine import eviction
from funcgrad.engine.explain import compiles


def test_forgotten_programs_are_compiled_again(monkeypatch):
    w = torch.tensor(2.0, requires_grad=True)
    (w * 1).item()  # launches what other tests left pending, so that the programs below are these alone
    # Full once, then no more: else JAX's own caches would be cleared for all other tests.
    answers = iter([True])
    monkeypatch.setattr(eviction, "_is_full", lambda: next(answers, False))
    monkeypatch.setattr(eviction, "CHECKED_EVERY", 1)
    monkeypatch.setattr(eviction, "_compiled", [])

    def step(n, w):
        x = torch.arange(float(n))
        loss = ((x * w) ** 2).sum()
        loss.backward()
        return loss.item()

    def losses(w):
        return [step(n, w) for n in (303, 304)]  # sizes that no other test has compiled

    first = losses(w)
    gradient = w.grad.item()
    w.grad = None
    before = compiles()
    eviction.forget()
    assert losses(w) == first and w.grad.item() == gradient
    assert compiles() > before
    again = compiles()
    w.grad = None
    losses(w)
    assert compiles() == again


def test_a_compiled_function_survives_eviction(monkeypatch):
    monkeypatch.setattr(eviction, "_is_full", lambda: False)

    def losses(wrap, between):
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 1)
        opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x):
            opt.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            opt.step()
            return loss

        step, x, found = wrap(step), torch.ones(4, 2), []
        for i in range(10):
            if i == 5:
                between()
            found.append(step(x).item())
        return found

    compiled = losses(torch.compile, lambda: (eviction.forget(), eviction.forget()))
    assert compiled == losses(lambda step: step, lambda: None) and len(set(compiled)) == 10
