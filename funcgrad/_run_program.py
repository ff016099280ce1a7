"""Run a script or a module as ``python`` itself would: same ``sys.argv``, ``__main__``, traceback and exit status."""

from __future__ import annotations

import atexit
import gc
import importlib.machinery
import importlib.util
import io
import os
import signal
import sys
import types
import zipfile


def run_script(path: str, args: list[str]) -> None:
    """``python path args…``; returns where that would end with status 0, and raises SystemExit elsewhere."""
    sys.argv = [path, *args]
    absolute = os.path.abspath(path)
    if os.path.isdir(path) or (os.path.isfile(path) and zipfile.is_zipfile(path)):
        _set_first_path(absolute)
        spec = importlib.machinery.PathFinder.find_spec("__main__", [absolute])
        if spec is None:
            _fail(f"can't find '__main__' module in {absolute!r}")
        _execute(lambda: spec.loader.get_code("__main__"), spec.origin, spec)
        return
    try:
        with io.open_code(absolute) as file:
            source = file.read()
    except OSError as e:
        _fail(f"can't open file {absolute!r}: [Errno {e.errno}] {e.strerror}", 2)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    _execute(lambda: compile(source, absolute, "exec", dont_inherit=True), absolute, None)


def run_module(name: str, args: list[str]) -> None:
    """``python -m name args…``"""
    sys.argv = ["-m", *args]
    _set_first_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as e:
        _fail(f"Error while finding module specification for {name!r} ({type(e).__name__}: {e})")
    if spec is None:
        _fail(f"No module named {name}")
    if spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
        if spec is None:
            _fail(f"No module named {name}.__main__; {name!r} is a package and cannot be directly executed")
    if not hasattr(spec.loader, "get_code"):
        _fail(f"No code object available for {name}")
    sys.argv[0] = spec.origin
    _execute(lambda: spec.loader.get_code(spec.name), spec.origin, spec)


def _fail(message: str, status: int = 1) -> None:
    print(f"{sys.executable}: {message}", file=sys.stderr)
    raise SystemExit(status)


def _set_first_path(folder: str) -> None:
    """Replace the entry that ``python -m funcgrad`` began with."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _execute(get_code, path: str, spec) -> None:
    main = types.ModuleType("__main__")
    main.__file__, main.__builtins__, main.__annotations__ = path, sys.modules["builtins"], {}
    if spec is not None and spec.name != "__main__":
        main.__spec__, main.__loader__, main.__package__, main.__cached__ = spec, spec.loader, spec.parent, spec.cached
    else:
        main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path) if spec is None else spec.loader
        main.__spec__, main.__package__, main.__cached__ = spec, None if spec is None else "", None
    sys.modules["__main__"] = main
    gc.freeze()  # JAX and funcgrad stay: looking through them took a sixth of the time that recording new shapes takes
    try:
        exec(get_code(), vars(main))
    except SystemExit:
        raise
    except BaseException as e:
        _end_with(e)


def _end_with(error: BaseException) -> None:
    """Show an error as Python does for ``__main__``, without this file's frames, and end with Python's status."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
        trace = trace.tb_next
    error = error.with_traceback(trace)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    sys.excepthook(type(error), error, trace)
    if isinstance(error, KeyboardInterrupt):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    raise SystemExit(1)
