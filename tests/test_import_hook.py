"""`python -m funcgrad` runs programs as Python does, with torch served by funcgrad."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import pytest
import torch  # noqa: F401 (the guard against a second torch needs one)

import funcgrad
from funcgrad import _import_hook
from funcgrad._missing import Placeholder

ROOT = Path(__file__).parent.parent


FORKS = """
import gc, json, os, sys
import funcgrad._import_hook, funcgrad._run_program  # so that each program need not import JAX again
gc.freeze()  # a fork then ends in 0.4 s instead of 1.9
for line in sys.stdin:
    task = json.loads(line)
    pid = os.fork()
    if pid == 0:
        break
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), flush=True)
else:
    sys.exit()
for number, path in enumerate(task["files"], 1):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.chdir(task["cwd"])
os.environ.update(task["env"])
sys.path[0], sys.argv[1:] = task["cwd"], task["args"]
del number, path, line, pid
import funcgrad.__main__
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "SCIPY_ARRAY_API": "1"}
_server: list[subprocess.Popen] = []


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """A process that has imported JAX and forks for every ``python -m funcgrad``."""
    path = tmp_path_factory.mktemp("server") / "server.py"
    path.write_text(FORKS)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, "-W", "ignore", path], env=ENVIRONMENT, **pipes) as process:
        _server.append(process)
        yield
        _server.clear()
        process.stdin.close()


def run(*args, cwd, **env):
    """The process ``python args…``: status, stdout, stderr."""
    args = [str(a) for a in args]
    if args[:2] != ["-m", "funcgrad"]:
        found = subprocess.run([sys.executable, *args], cwd=cwd, env=ENVIRONMENT | env, capture_output=True, text=True)
        return found.returncode, found.stdout, found.stderr
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "out"), Path(folder, "err")]
        task = {"args": args[2:], "cwd": os.path.realpath(cwd), "env": env, "files": list(map(str, files))}
        process = _server[0]
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        return (json.loads(process.stdout.readline()), *(f.read_text() for f in files))


def program(folder, source, name="prog.py") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(textwrap.dedent(source))
    return path


def checked(folder, source, *options, **env) -> str:
    """What a program prints under ``python -m funcgrad``; it must succeed."""
    status, out, err = run("-m", "funcgrad", *options, program(folder, source), cwd=folder, **env)
    assert status == 0, err
    return out if "--report" not in options else err


# -- like python ------------------------------------------------------------------------------------------------------

LIKE_PYTHON = {
    "argv": "import sys; print(sys.argv, __name__, __file__, sys.path[0], __spec__, __package__, __annotations__)",
    "main": "import sys; print(sys.modules['__main__'].__dict__ is globals(), __builtins__, __loader__.path)",
    "error": """
        def f():
            raise ValueError("boom")
        try:
            f()
        except ValueError as e:
            raise KeyError("again") from e
        """,
    "syntax": "print('a'\nx = = 3\n",
    "exit": "import sys; print('out'); sys.exit(7)",
    "exit with a message": "import sys; sys.exit('message')",
    "exit without": "import sys; sys.exit()",
    "interrupt": "import atexit; atexit.register(print, 'bye'); raise KeyboardInterrupt",
    "own excepthook": "import sys; sys.excepthook = lambda k, e, t: print(k, t.tb_lineno, t.tb_next); raise ValueError",
    "missing import": "import a_module_that_is_not_there",
    "sibling": "import sibling; print(sibling.x)",
    "error in an import": "import broken",
    "atexit": "import atexit; atexit.register(print, 'bye'); raise SystemExit(3)",
    "pickling": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("programs")
    program(made, "x = 5", "sub/sibling.py")
    program(made, "import sibling\n1 / 0", "sub/broken.py")
    return made


@pytest.mark.parametrize("name", LIKE_PYTHON)
def test_scripts_run_as_python_runs_them(folder, name):
    path = program(folder, LIKE_PYTHON[name], f"sub/{name.replace(' ', '_')}.py").relative_to(folder)
    theirs, ours = run(path, "-x", "y z", cwd=folder), run("-m", "funcgrad", path, "-x", "y z", cwd=folder)
    assert ours == theirs


@pytest.mark.parametrize("module", ["pkg", "pkg.tool", "pkg.empty", "nowhere", "pkg.nowhere"])
def test_modules_run_as_python_runs_them(tmp_path, module):
    show = "import sys\nprint(sys.argv, __name__, __package__, __spec__.name, sys.path[0], __file__)\n"
    program(tmp_path, "", "pkg/__init__.py")
    program(tmp_path, show, "pkg/__main__.py")
    program(tmp_path, show + "from . import other\n", "pkg/tool.py")
    program(tmp_path, "1 / 0", "pkg/other.py")
    program(tmp_path, "", "pkg/empty/__init__.py")
    theirs, ours = run("-m", module, "a", cwd=tmp_path), run("-m", "funcgrad", "-m", module, "a", cwd=tmp_path)
    assert ours[:2] == theirs[:2]
    frames = "".join(line for line in theirs[2].splitlines(True) if "runpy" not in line)
    assert ours[2] == frames or module == "pkg.tool"
    assert ours[2].splitlines()[-1:] == theirs[2].splitlines()[-1:] and "funcgrad" not in ours[2]


def test_folders_archives_and_missing_files(tmp_path):
    program(tmp_path, "import sys; print(sys.argv, sys.path[0], __name__, __file__)", "app/__main__.py")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(tmp_path / "app" / "__main__.py", "__main__.py")
    for target in ("app", "app.zip", "nowhere.py"):
        assert run("-m", "funcgrad", target, "x", cwd=tmp_path) == run(target, "x", cwd=tmp_path)


def test_an_interrupt_from_outside_ends_the_program(tmp_path):
    path = program(tmp_path, "import sys, time; print('on', flush=True); time.sleep(30)")
    # A shell's background job ignores SIGINT, and so would its children: a handler of any kind is reset by exec.
    heeding = (
        "import os, signal, sys; signal.signal(signal.SIGINT, lambda *_: None); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-c", heeding, sys.executable, "-m", "funcgrad", path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as process:
        assert process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and err.endswith(b"KeyboardInterrupt\n") and b"_run_program" not in err


def test_usage(tmp_path):
    assert run("-m", "funcgrad", "--help", cwd=tmp_path)[0] == 0
    for args in ([], ["-m"], ["--nonsense", "x.py"], ["--only"]):
        status, out, err = run("-m", "funcgrad", *args, cwd=tmp_path)
        assert (status, out) == (2, "") and err.startswith("usage: python -m funcgrad")


# -- torch is funcgrad ------------------------------------------------------------------------------------------------


def test_modules_are_the_same_objects(tmp_path):
    out = checked(
        tmp_path,
        """
        import sys
        import torch, torch.autograd
        import torch.nn.parameter as P
        from torch.nn import parameter
        from torch.autograd import Variable, Function
        from torch import Tensor, no_grad as ng
        import importlib
        import funcgrad
        assert torch is funcgrad and sys.modules["torch.nn.parameter"] is P is parameter is funcgrad.nn.parameter
        assert importlib.import_module("torch.autograd") is torch.autograd is funcgrad.autograd
        assert torch.__spec__.name == "funcgrad" and P.__spec__.name == "funcgrad.nn.parameter"
        assert P.__spec__.parent == "funcgrad.nn" and importlib.util.find_spec("torch") is not None
        assert Tensor is funcgrad.Tensor and not any("site-packages/torch" in str(m) for m in sys.modules.values())
        print(torch.tensor([1.0, 2.0]) * 2)
        """,
    )
    assert out == "tensor([2., 4.])\n"


def test_missing_names_fail_when_used(tmp_path):
    out = checked(
        tmp_path,
        """
        import typing
        import torch
        import torch.nowhere.deep as deep
        import torch.nowhere.other
        from torch.nowhere import thing, other
        from torch.nn.parameter import NotThere
        from torch import Bogus
        from torch.nowhere.deep import x as y

        def annotated(a: NotThere, b: "Bogus | None" = 1, c: typing.Optional[thing] = 2, d: Bogus[int] | None = 3):
            pass

        def shown(f):
            try:
                f()
            except NotImplementedError as e:
                print(type(e).__name__, "|", e)

        try:
            from torch._private.deep import x
        except ModuleNotFoundError as e:
            assert e.name == "torch._private"
        try:
            from torch._tensor import x
        except ImportError as e:
            assert type(e) is ImportError
        shown(lambda: NotThere(3))
        shown(lambda: thing.attribute)
        shown(lambda: y())
        shown(lambda: deep.something)
        shown(lambda: torch.bogus)
        shown(lambda: torch.nowhere.other.f)
        shown(lambda: exec("class Sub(Bogus): pass"))
        print(isinstance(3, NotThere), issubclass(int, thing), hasattr(torch, "bogus"), hasattr(torch, "nn"), other)
        """,
    )
    lines = out.splitlines()
    assert lines[0] == "NotImplementedError | torch.nn.parameter.NotThere is not supported by funcgrad"
    assert lines[1] == "NotImplementedError | torch.nowhere.thing.attribute is not supported by funcgrad"
    assert lines[2] == "NotImplementedError | torch.nowhere.deep.x is not supported by funcgrad"
    assert "torch.nowhere.deep.something is not supported" in lines[3] and "torch.bogus is not supported" in lines[4]
    assert "torch.Bogus is not supported" in lines[-2]
    assert lines[-1].startswith("False False False True <module 'torch.nowhere.other'")


def test_classes_are_no_modules(tmp_path):
    """`unittest.mock` looks for modules as far along a path as there are any."""
    code = """
    from unittest import mock
    import torch.nn.utils.prune as prune
    with mock.patch("torch.nn.utils.prune.L1Unstructured.compute_mask") as patched:
        print(prune.L1Unstructured.compute_mask is patched)
    """
    assert checked(tmp_path, code) == "True\n"


def test_packages_that_see_no_torch(tmp_path):
    probe = """
        try:
            import torch
            SEEN = True
        except ModuleNotFoundError as e:
            SEEN = str(e)
        def later():
            try:
                from torch.nn import parameter
                return True
            except ImportError:
                return False
        """
    for name in (
        "flax/__init__.py",
        "flax/deep/inner.py",
        "mine/__init__.py",
        "flax/_array_api.py",
        "listed/__init__.py",
    ):
        program(tmp_path, probe, name)
    show = """
        import flax, flax.deep.inner, mine, flax._array_api, listed, inspect
        inner, api = flax.deep.inner, flax._array_api
        print(flax.SEEN, flax.later(), inner.SEEN, mine.SEEN, mine.later(), api.SEEN, listed.SEEN)
        print(type(flax.__loader__).__name__, flax.__spec__.loader is flax.__loader__, len(inspect.getsource(flax)) > 9)
        """
    no = "No module named 'torch'"
    loader = "SourceFileLoader True True\n"
    assert checked(tmp_path, show) == f"{no} False {no} True True True True\n{loader}"
    assert checked(tmp_path, show, "--block", "listed") == f"{no} False {no} True True True {no}\n{loader}"
    assert checked(tmp_path, show, "--only=mine") == f"{no} False {no} True True True {no}\n{loader}"
    assert checked(tmp_path, show, "--see", "flax", "--block=mine") == f"True True True {no} False True True\n{loader}"


def test_report(tmp_path):
    err = checked(
        tmp_path,
        """
        import torch
        from torch.nn.parameter import Parameter
        from torch.nowhere import thing
        p = Parameter(torch.tensor([1.0]))
        (p * 2).sum().backward()
        getattr(p, "frobnicate", None)
        hasattr(torch, "bogus")
        """,
        "--report",
    )
    lines = err.splitlines()
    path = tmp_path / "prog.py"
    assert lines == [
        "funcgrad: 7 torch names used, 3 of them missing",
        "  has    torch.Tensor.backward",
        "  has    torch.Tensor.sum",
        "  has    torch.nn.parameter.Parameter",
        "  has    torch.tensor",
        f"  lacks  torch.Tensor.frobnicate  ({path}:7)",
        f"  lacks  torch.bogus  ({path}:8)",
        f"  lacks  torch.nowhere.thing  ({path}:4)",
    ]


def test_scientific_packages_still_work(tmp_path):
    pytest.importorskip("scipy")
    out = checked(
        tmp_path,
        """
        import numpy as np, torch
        import scipy.linalg, scipy.stats, scipy.fft
        print(scipy.linalg.norm(np.ones(4)), scipy.stats.zscore(np.arange(3.0)).round(3))
        print(abs(scipy.fft.fft(np.ones(2)))[0])
        try:
            import sklearn.decomposition
            sklearn.decomposition.PCA(1).fit(np.eye(3))
        except ModuleNotFoundError as e:
            assert e.name == "sklearn"
        try:
            import matplotlib
            matplotlib.use("agg")
            import matplotlib.pyplot as plt
            plt.plot(torch.tensor([1.0, 2.0]))
        except ModuleNotFoundError as e:
            assert e.name == "matplotlib"
        """,
    )
    assert out == "2.0 [-1.225  0.     1.225]\n2.0\n"


def test_a_real_torch_is_not_mixed_in():
    with pytest.raises(ImportError, match=r"PyTorch itself has been imported already .*python -m funcgrad"):
        _import_hook.install()
    assert "__getattr__" not in vars(funcgrad) or not hasattr(vars(funcgrad)["__getattr__"], "own")


def test_install_and_uninstall(tmp_path):
    out = checked(
        tmp_path,
        """
        from funcgrad import _import_hook
        _import_hook.uninstall()
        import sys, funcgrad, funcgrad.nn.parameter, builtins
        before = set(vars(funcgrad)), list(sys.meta_path), builtins.__import__
        _import_hook.install(report=True)
        import torch, torch.nowhere.deep
        assert torch is funcgrad and torch.nowhere.deep
        _import_hook.install(block=["json"])
        import torch
        assert torch is funcgrad
        _import_hook.uninstall()
        after = set(vars(funcgrad)), list(sys.meta_path), builtins.__import__
        assert before[0] ^ after[0] <= {"__funcgrad_report__"}, before[0] ^ after[0]
        assert before[1:] == after[1:] and not [m for m in sys.modules if m.split(".")[0] == "torch"]
        assert type(funcgrad) is type(sys)
        try:
            funcgrad.bogus
        except NotImplementedError:
            raise
        except AttributeError:
            print("clean")
        """,
    )
    assert out == "clean\n"


def test_placeholder_repr():
    assert repr(Placeholder("torch.x.y")) == "<torch.x.y, which funcgrad does not have>"


def test_malloc_is_tuned_only_where_wanted(tmp_path):
    path = program(
        tmp_path,
        """
        import ctypes, resource
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        libc.free.argtypes = [ctypes.c_void_p]
        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(5):
                block = libc.malloc(ctypes.c_size_t(64 << 20))
                ctypes.memset(block, 1, 64 << 20)
                libc.free(block)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        faults()
        print(faults())
        """,
    )
    from funcgrad import _malloc

    if not _malloc.keep_freed_memory():
        pytest.skip("no glibc")
    counts = [int(run("-m", "funcgrad", path, cwd=tmp_path, FUNCGRAD_MALLOC=on)[1]) for on in ("0", "1")]
    assert counts[1] < counts[0] / 10


def test_a_function_that_hides_a_submodule_stays(tmp_path):
    source = (
        "from torch.autograd.gradcheck import gradcheck\nimport torch\nprint(torch.autograd.gradcheck is gradcheck)"
    )
    assert run("-m", "funcgrad", program(tmp_path, source), cwd=tmp_path)[1].strip() == "True"
