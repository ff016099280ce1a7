"""Write docs/ops.md: every public name of PyTorch's, and whether funcgrad has it.

    python docs/generate_ops.py

A name counts as had if funcgrad has it under the same path and it is more than a refusal. Which names are public is
PyTorch's own word (``__all__``, else what a module defines and shows without an underscore), so PyTorch must be installed.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from pathlib import Path

PAGE = Path(__file__).with_name("ops.md")
NAMESPACES = """
    torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.nn.utils.rnn
    torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.nn.utils.prune torch.nn.parameter torch.nn.attention
    torch.nn.parallel torch.linalg torch.fft torch.special torch.signal.windows torch.autograd torch.autograd.functional
    torch.autograd.forward_ad torch.autograd.graph torch.autograd.profiler torch.func torch.optim torch.optim.lr_scheduler
    torch.optim.swa_utils torch.utils.data torch.utils.checkpoint torch.utils.dlpack torch.utils.hooks torch.utils.benchmark
    torch.utils.flop_counter torch.distributions torch.distributions.constraints torch.distributions.transforms
    torch.distributions.kl torch.random torch.amp torch.cuda torch.cuda.amp torch.cpu torch.mps torch.xpu torch.mtia
    torch.accelerator torch.backends.cuda torch.backends.cudnn torch.backends.mps torch.backends.mkl torch.backends.openmp
    torch.backends.cpu torch.testing torch.overrides torch.hub torch.jit torch.onnx torch.compiler torch.library
    torch.distributed torch.multiprocessing torch.futures torch.profiler torch.sparse torch.masked torch.nested torch.storage
    torch.serialization torch.types torch.return_types torch.fx torch.export torch.package torch.monitor torch.quantization
    torch.__config__ torch.__future__
""".split()


def public_names(path: str) -> list[str]:
    """PyTorch's public names at `path`."""
    module = _find(importlib.import_module("torch"), path)
    shown = getattr(module, "__all__", None)
    if shown is None and isinstance(module, types.ModuleType):
        shown = [name for name, value in vars(module).items() if _belongs(value, path)]
    return sorted({name for name in shown or dir(module) if not name.startswith("_") and hasattr(module, name)})


def _belongs(value, path: str) -> bool:
    if isinstance(value, types.ModuleType):
        return False
    return str(getattr(value, "__module__", path) or path).startswith("torch") or not callable(value)


def _find(root, path: str):
    try:
        importlib.import_module(root.__name__ + path.removeprefix("torch"))
    except ImportError:
        pass
    for name in path.split(".")[1:]:
        root = getattr(root, name, None)
    return root


def has(path: str, name: str) -> bool:
    """Whether funcgrad has PyTorch's ``path.name``."""
    space = _find(importlib.import_module("funcgrad"), path)
    found = getattr(space, name, has) if space is not None else has
    return found is not has and not getattr(found, "is_missing", False)


def page() -> tuple[str, int, int]:
    """The page's text, and how many names of how many funcgrad has."""
    rows, parts, have, total = [], [], 0, 0
    for path in NAMESPACES:
        names = public_names(path)
        own = [name for name in names if has(path, name)]
        lacking = [name for name in names if name not in set(own)]
        have, total = have + len(own), total + len(names)
        rows.append(f"| [`{path}`](#{path.replace('.', '').lower()}) | {len(own)} | {len(names)} |")
        parts.append(f"## {path}\n")
        parts += [
            f"{title}: {' '.join(f'`{n}`' for n in some)}\n"
            for title, some in (("Has", own), ("Lacks", lacking))
            if some
        ]
    head = [
        "# PyTorch's names",
        "",
        f"funcgrad has {have} of PyTorch 2.13's {total} public names in these {len(NAMESPACES)} namespaces. PyTorch lists as",
        "public much that belongs to its compiler, its kernels and quantization. This page is written by",
        "`python docs/generate_ops.py`.",
        "",
        "| namespace | has | of |",
        "|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(head + parts).rstrip() + "\n", have, total


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(PAGE.parent.parent))
    text, have, total = page()
    PAGE.write_text(text)
    print(f"{have} of {total} names")
