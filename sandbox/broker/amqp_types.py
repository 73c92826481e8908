"""The AMQP 1.0 types that Python lacks, so that a decoded value can be encoded again with the same type.

`int`, `float`, `str` and `bytes` themselves stand for long, double, string and binary. Values only: how they look on
the wire is in `codec`.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class CodecError(ValueError):
    """The bytes are not a valid AMQP value, or the value has no AMQP encoding."""


class Byte(int):
    """8-bit signed."""


class Short(int):
    """16-bit signed."""


class Int(int):
    """32-bit signed."""


class UByte(int):
    """8-bit unsigned."""


class UShort(int):
    """16-bit unsigned."""


class UInt(int):
    """32-bit unsigned."""


class ULong(int):
    """64-bit unsigned."""


class Timestamp(int):
    """Milliseconds since 1970, UTC."""


class Float(float):
    """Single precision."""


class Symbol(str):
    """ASCII name from a constrained domain."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class Array(list[Any]):
    """Elements of one type."""


class Described(NamedTuple):
    """A value with a descriptor, which is a number or symbol that names its type."""

    descriptor: Any
    value: Any


class Opaque(NamedTuple):
    """A decimal number, carried but not interpreted: its constructor and its bytes."""

    code: int
    data: bytes
