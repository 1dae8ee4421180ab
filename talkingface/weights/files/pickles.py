"""Read pickles as data. Nothing in the file can run, because nothing in it is ever called.

Old torch files, new torch files and Paddle files are all pickles, and a pickle is a program. Python's own unpickler,
even with a narrow ``find_class``, still calls what it found, sets attributes on it and sizes its memo by a number
from the file; ``torch.load(weights_only=True)`` does not read Paddle files, copies the optimizer states that
inference does not need, and has error messages of its own. This module interprets only the instructions that data
needs: a name in the file stays a name (two strings); ``REDUCE`` looks that name up in a fixed table of constructors
for plain records (`pickle_types.py`); ``BUILD`` fills such a record or is ignored; every other instruction that could
make an object (``INST``, ``OBJ``, ``NEWOBJ``, ``EXT1`` and the like) is refused. The instructions are decoded by the
standard library's ``pickletools.genops``, which executes nothing.

Time and memory are bounded by the length of the file: containers are never hashed, compared or walked here, keys are
plain text or numbers, and lengths are checked against the bytes that are there.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import WeightsError

# A checkpoint with optimizer states has some 40,000 instructions.
MAX_INSTRUCTIONS = 1_000_000


class Stream(Protocol):
    """Input to read from: an open memory map or a ``BytesIO``; positioned behind the pickle afterwards."""

    def read(self, count: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Name:
    """Name of a class or function, as the file spells it. It is never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Placeholder(ABC):
    """A record that the pickle creates empty and fills later."""

    @abstractmethod
    def build(self, state: Any) -> None:
        """Set the state that the pickle gives."""


Constructors = dict[str, Callable[[tuple[Any, ...]], Any]]


class PickleMachine:
    """Interpreter of one pickle.

    Args:
        constructors: full name -> function of the argument tuple.
        persistent: returns the value of a persistent id (torch: a storage); None where the format has none.
    """

    def __init__(
        self,
        constructors: Constructors,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.constructors, self.persistent = constructors, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: Stream) -> Any:
        """Return the value of the next pickle of ``stream``.

        Raises:
            WeightsError: if it is cut off or malformed, or holds anything but data.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):  # type: ignore[arg-type]
                if count > MAX_INSTRUCTIONS:
                    raise WeightsError(f"its pickle has more than {MAX_INSTRUCTIONS} instructions")
                if opcode.name == "STOP":
                    return self.pop()
                self.step(opcode.name, argument)
        except (ValueError, OverflowError) as error:
            raise WeightsError("its pickle is malformed or cut off", cure="Get the file again.") from error
        raise WeightsError("its pickle has no end", cure="The file is truncated; get it again.")

    def step(self, opcode: str, argument: Any) -> None:
        """Carry out one instruction."""
        if opcode in _LITERALS:
            self.push(argument)
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        else:
            raise WeightsError(f"its pickle holds the instruction {opcode}, which weights do not need", cure=_UNSAFE)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise WeightsError("its pickle takes more values than it has")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise WeightsError(f"its pickle fills a {kind.__name__} that is not there", cure=_UNSAFE)
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        if not self.below:
            raise WeightsError("its pickle closes a group that it never opened")
        items, self.stack = self.stack, self.below.pop()
        return items

    def open_mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def remember(self, index: int) -> None:
        if not self.stack:
            raise WeightsError("its pickle remembers a value that is not there")
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise WeightsError("its pickle recalls a value that it never stored")
        self.push(self.memo[index])

    def extend(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def new_dict(self, pairs: list[Any]) -> None:
        self.push({})
        self.set_items(pairs)

    def set_items(self, pairs: list[Any]) -> None:
        target = self.top(dict)
        if len(pairs) % 2 or not all(map(_is_key, pairs[::2])):
            raise WeightsError("its pickle has a dictionary whose keys are neither text nor numbers", cure=_UNSAFE)
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def push_name(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise WeightsError("its pickle has a name that is not text", cure=_UNSAFE)
        self.push(Name(module, name))

    def reduce(self) -> None:
        arguments, name = self.pop(), self.pop()
        make = self.constructors.get(str(name)) if isinstance(name, Name) else None
        if make is None or not isinstance(arguments, tuple):
            what = str(name)[:80] if isinstance(name, Name) else "a value"
            raise WeightsError(f"its pickle wants to call {what!r}, which is not weights", cure=_UNSAFE)
        self.push(make(arguments))

    def build(self) -> None:
        state = self.pop()
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Placeholder):
            target.build(state)
        elif type(target) is not dict:
            # An ordered dictionary carries attributes (torch: _metadata); they are of no use here.
            raise WeightsError("its pickle sets attributes of something that is not weights", cure=_UNSAFE)

    def persistent_id(self) -> None:
        if self.persistent is None:
            raise WeightsError("its pickle points outside itself", cure=_UNSAFE)
        self.push(self.persistent(self.pop()))


def _is_key(value: Any) -> bool:
    """Text, or an int of at most 64 bits: hashing anything longer or nested could take for ever."""
    return isinstance(value, str) or (isinstance(value, int) and value.bit_length() <= 64)


_UNSAFE = "Nothing of it was run; use a file from the model's own source."
_LITERALS = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_STEPS: dict[str, Callable[[PickleMachine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.open_mark(),
    "STACK_GLOBAL": lambda machine, _: machine.push_name(*[machine.pop(), machine.pop()][::-1]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "DICT": lambda machine, _: machine.new_dict(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "GLOBAL": lambda machine, argument: machine.push_name(*argument.split(" ", 1)),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.persistent_id(),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), PickleMachine.remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), PickleMachine.recall),
}
