"""``python -m funcgrad script.py args…``: run a PyTorch program on JAX."""

from __future__ import annotations

import sys

from funcgrad import _import_hook, _malloc, _run_program

USAGE = """\
usage: python -m funcgrad [options] script.py [args…]
       python -m funcgrad [options] -m package.module [args…]

Runs an unmodified PyTorch program: its `import torch` is served by funcgrad, whether or not PyTorch is installed.

options:
  --report          at exit, print every torch name the program used and whether funcgrad has it
  --only A,B        only these packages see torch (__main__ is the program itself)
  --block A,B       these packages see no torch, besides those that never do
  --see A,B         these packages see torch, although by default they do not
  --help            print this
"""


def main(args: list[str]) -> None:
    """Parse the options before the program's name, install the hook, run the program."""
    settings = {"only": None, "block": "", "see": ""}
    report = False
    while args and args[0].startswith("-") and args[0] != "-m":
        option, _, value = args.pop(0).partition("=")
        name = option.removeprefix("--")
        if option == "--report":
            report = True
        elif option.startswith("--") and name in settings and (value or args):
            settings[name] = value or args.pop(0)
        else:
            print(USAGE, end="", file=sys.stdout if option in ("--help", "-h") else sys.stderr)
            raise SystemExit(0 if option in ("--help", "-h") else 2)
    if not args or args == ["-m"]:
        print(USAGE, end="", file=sys.stderr)
        raise SystemExit(2)
    if _malloc.wanted():
        _malloc.keep_freed_memory()
    block = (set(_import_hook.BLOCKED) | set(settings["block"].split(","))) - set(settings["see"].split(","))
    only = settings["only"]
    _import_hook.install(None if only is None else only.split(","), block, report)
    if args[0] == "-m":
        _run_program.run_module(args[1], args[2:])
    else:
        _run_program.run_script(args[0], args[1:])


main(sys.argv[1:])
