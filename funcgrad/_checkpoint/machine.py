"""A pickle machine that can run no code.

`pickle.Unpickler` with a strict ``find_class`` is not enough: its BUILD opcode sets attributes on whatever object the
file has put on the stack, and REDUCE calls it. Here every opcode is carried out by this file, on containers that this
file made; what touches anything else goes through the five methods `find`, `call`, `new`, `build` and `persistent`,
which a subclass answers. The opcodes are decoded by the standard library's ``pickletools``, which executes nothing.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from pickle import UnpicklingError

_MARK = object()


class Machine:
    """Carries out one pickle; `load` returns its value and leaves `file` just behind the pickle's last byte."""

    def __init__(self, file, encoding: str = "utf-8"):
        self.file, self.encoding = file, encoding
        self.stack: list = []
        self.memo: dict = {}

    # -- what a subclass decides ---------------------------------------------------------------------------------------

    def find(self, module: str, name: str):
        raise UnpicklingError(f"global {module}.{name}")

    def call(self, function, args: tuple):
        raise UnpicklingError(f"call of {function!r}")

    def new(self, cls, args: tuple, kwargs: dict):
        raise UnpicklingError(f"object of {cls!r}")

    def build(self, target, state) -> None:
        raise UnpicklingError(f"state for {type(target).__name__}")

    def persistent(self, pid):
        raise UnpicklingError(f"persistent id {pid!r}")

    def fill(self, target, kinds: tuple[type, ...]):
        """`target` if the file may put items into it: only a container of exactly one of `kinds`."""
        if type(target) not in kinds:
            raise UnpicklingError(f"items for a {type(target).__name__}")
        return target

    # -- the stack -----------------------------------------------------------------------------------------------------

    def load(self):
        try:
            for opcode, arg, _position in pickletools.genops(self.file):
                if opcode.name == "STOP":
                    return self.stack.pop()
                handler = _HANDLERS.get(opcode.name)
                if handler is None:
                    raise UnpicklingError(f"Unsupported operand {ord(opcode.code)}")
                handler(self, arg)
        except UnpicklingError:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as e:
            raise UnpicklingError(f"the pickle is truncated or corrupt: {type(e).__name__}: {e}") from e
        raise UnpicklingError("the pickle has no end")

    def push(self, value) -> None:
        self.stack.append(value)

    def pop(self):
        value = self.stack.pop()
        if value is _MARK:
            raise UnpicklingError("unexpected mark")
        return value

    def pop_mark(self) -> list:
        """Everything above the topmost mark, which goes too."""
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise UnpicklingError("missing mark")

    def pop_tuple(self) -> tuple:
        value = self.pop()
        if type(value) is not tuple:
            raise UnpicklingError("arguments are not a tuple")
        return value


_HANDLERS = {}
_DICTS = (dict, OrderedDict, Counter)


def _opcodes(*names: str):
    def register(handler):
        for name in names:
            _HANDLERS[name] = handler
        return handler

    return register


@_opcodes("PROTO", "FRAME")
def _nothing(m: Machine, arg) -> None:
    pass


@_opcodes(
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
def _literal(m: Machine, arg) -> None:
    m.push(arg)


@_opcodes("STRING", "BINSTRING", "SHORT_BINSTRING")
def _python2_string(m: Machine, arg) -> None:
    raw = arg.encode("latin-1")
    m.push(raw if m.encoding == "bytes" else raw.decode(m.encoding))


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": _MARK, "EMPTY_TUPLE": ()}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
for _name, _value in _CONSTANTS.items():
    _HANDLERS[_name] = lambda m, arg, value=_value: m.push(value)
for _name, _kind in _EMPTY.items():
    _HANDLERS[_name] = lambda m, arg, kind=_kind: m.push(kind())
for _size in (1, 2, 3):
    _HANDLERS[f"TUPLE{_size}"] = lambda m, arg, size=_size: m.push(tuple([m.pop() for _ in range(size)][::-1]))


@_opcodes("TUPLE")
def _tuple(m: Machine, arg) -> None:
    m.push(tuple(m.pop_mark()))


@_opcodes("LIST")
def _list(m: Machine, arg) -> None:
    m.push(m.pop_mark())


@_opcodes("DICT")
def _dict(m: Machine, arg) -> None:
    items = m.pop_mark()
    m.push(dict(zip(items[::2], items[1::2], strict=True)))


@_opcodes("FROZENSET")
def _frozenset(m: Machine, arg) -> None:
    m.push(frozenset(m.pop_mark()))


def _filling(many: str, one: str | None, kinds: tuple[type, ...], put) -> None:
    _HANDLERS[many] = lambda m, arg: put(m, m.pop_mark(), kinds)
    if one:
        count = 2 if kinds is _DICTS else 1
        _HANDLERS[one] = lambda m, arg: put(m, [m.pop() for _ in range(count)][::-1], kinds)


def _extend(m: Machine, items: list, kinds) -> None:
    target = m.fill(m.stack[-1], kinds)
    if target is not None:
        target.extend(items)


def _add_all(m: Machine, items: list, kinds) -> None:
    target = m.fill(m.stack[-1], kinds)
    if target is not None:
        target.update(items)


def _set_items(m: Machine, items: list, kinds) -> None:
    target = m.fill(m.stack[-1], kinds)
    if target is not None:
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key] = value


_filling("APPENDS", "APPEND", (list,), _extend)
_filling("ADDITEMS", None, (set,), _add_all)
_filling("SETITEMS", "SETITEM", _DICTS, _set_items)


@_opcodes("POP")
def _pop(m: Machine, arg) -> None:
    m.stack.pop()


@_opcodes("POP_MARK")
def _pop_mark(m: Machine, arg) -> None:
    m.pop_mark()


@_opcodes("DUP")
def _dup(m: Machine, arg) -> None:
    m.push(m.stack[-1])


@_opcodes("PUT", "BINPUT", "LONG_BINPUT")
def _put(m: Machine, arg) -> None:
    m.memo[arg] = m.stack[-1]


@_opcodes("MEMOIZE")
def _memoize(m: Machine, arg) -> None:
    m.memo[len(m.memo)] = m.stack[-1]


@_opcodes("GET", "BINGET", "LONG_BINGET")
def _get(m: Machine, arg) -> None:
    m.push(m.memo[arg])


@_opcodes("GLOBAL")
def _global(m: Machine, arg) -> None:
    m.push(m.find(*arg.split(" ", 1)))


@_opcodes("STACK_GLOBAL")
def _stack_global(m: Machine, arg) -> None:
    name, module = m.pop(), m.pop()
    if type(name) is not str or type(module) is not str:
        raise UnpicklingError("a global's name is not a string")
    m.push(m.find(module, name))


@_opcodes("REDUCE")
def _reduce(m: Machine, arg) -> None:
    args = m.pop_tuple()
    m.push(m.call(m.pop(), args))


@_opcodes("NEWOBJ")
def _newobj(m: Machine, arg) -> None:
    args = m.pop_tuple()
    m.push(m.new(m.pop(), args, {}))


@_opcodes("NEWOBJ_EX")
def _newobj_ex(m: Machine, arg) -> None:
    kwargs = m.fill(m.pop(), (dict,))
    args = m.pop_tuple()
    m.push(m.new(m.pop(), args, kwargs))


@_opcodes("BUILD")
def _build(m: Machine, arg) -> None:
    state = m.pop()
    m.build(m.stack[-1], state)


@_opcodes("PERSID")
def _persid(m: Machine, arg) -> None:
    m.push(m.persistent(arg))


@_opcodes("BINPERSID")
def _binpersid(m: Machine, arg) -> None:
    m.push(m.persistent(m.pop()))
