"""The rule of layers: imports only point to an earlier layer, and nobody imports torch or jax._src."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "funcgrad"
LAYERS = [
    ("_dtypes", "_device", "_errors", "_warnings", "_size", "_formats", "_return_types", "_info", "_malloc", "_missing", "version",
     "utils.hooks", "utils._pytree", "_absent", "futures"),
    ("ops",),
    ("engine",),
    ("_draws",),
    (
        "_tensor", "_facade", "_operators", "_operator_table", "_tensor_str", "_threefry", "_generator", "_gamma_draws",
        "_random", "_compile", "_settings", "_utils", "storage", "random", "autograd", "quasirandom", "linalg", "fft",
        "special", "signal",
    ),
    ("nn", "_C", "_dynamo", "amp", "_torch_functions", "masked"),
    (
        "optim", "utils", "func", "serialization", "distributed", "distributions", "testing", "cpu", "cuda", "backends",
        "sparse", "overrides", "library", "types", "return_types", "jit", "onnx", "compiler", "multiprocessing", "mps",
        "xpu", "mtia", "__config__", "__future__",
    ),
    ("hub", "accelerator"),
    ("_import_hook", "_run_program", "_report", "__main__", "__init__"),
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
SIBLINGS = LAYERS[6]


def part(module: str) -> str:
    """The part of the package that ``funcgrad.x.y`` belongs to: ``x``."""
    pieces = module.split(".")[1:]
    if ".".join(pieces[:2]) in LEVEL:
        return ".".join(pieces[:2])
    return {"_checkpoint": "serialization"}.get(pieces[0], pieces[0]) if pieces else "__init__"


def imports(source: str):
    """Every module imported at the top of a file, with the line (imports inside functions are deliberate)."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if node.module == "funcgrad":
                for alias in node.names:
                    yield f"funcgrad.{alias.name}", node.lineno
            else:
                yield node.module, node.lineno


def violations(path: str, source: str) -> list[str]:
    """What is wrong with the imports of the file at `path` (relative to the package)."""
    me = part("funcgrad." + path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    found = []
    for module, line in imports(source):
        where = f"{path}:{line} imports {module}"
        if module.split(".")[0] == "torch" or module.startswith("jax._src"):
            found.append(where)
        elif module.split(".")[0] == "funcgrad" and me != "__init__":
            other = part(module)
            if LEVEL[other] > LEVEL[me] or (other != me and other in SIBLINGS and me in SIBLINGS):
                found.append(where)
        elif module.split(".")[0] == "optax" and path != "optim/_optax.py":
            found.append(where)
    return found


def test_imports_point_down():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE).as_posix()
        found += violations(path, file.read_text())
    assert not found, "\n".join(found)


def test_a_planted_violation_is_caught():
    assert violations("ops/shape.py", "from funcgrad.engine import record\n")
    assert violations("engine/launch.py", "from funcgrad._tensor import Tensor\n")
    assert violations("nn/init.py", "import torch\n")
    assert violations("ops/shape.py", "import jax._src.core\n")
    assert violations("optim/adam.py", "import optax\n")
    assert not violations("engine/launch.py", "from funcgrad.ops import shape\nimport jax\n")
