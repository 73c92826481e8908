"""AMQP 1.0 types to and from bytes (part 1 of the specification), without loss.

What is decoded can be encoded again with the same types (`amqp_types`). It must never guess: malformed bytes raise
`CodecError`. Performatives are built on top of it in `performatives`, messages in `message`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.broker.amqp_types import (
    Array,
    Byte,
    Char,
    CodecError,
    Described,
    Float,
    Int,
    Opaque,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

DEPTH_LIMIT = 32


# decoding -------------------------------------------------------------------------------------------------------------
_FIXED: dict[int, tuple[struct.Struct, Callable[[Any], Any]]] = {
    0x50: (struct.Struct(">B"), UByte),
    0x51: (struct.Struct(">b"), Byte),
    0x52: (struct.Struct(">B"), UInt),
    0x53: (struct.Struct(">B"), ULong),
    0x54: (struct.Struct(">b"), Int),
    0x55: (struct.Struct(">b"), int),
    0x56: (struct.Struct(">B"), bool),
    0x60: (struct.Struct(">H"), UShort),
    0x61: (struct.Struct(">h"), Short),
    0x70: (struct.Struct(">I"), UInt),
    0x71: (struct.Struct(">i"), Int),
    0x72: (struct.Struct(">f"), Float),
    0x73: (struct.Struct(">I"), lambda point: Char(chr(point))),
    0x80: (struct.Struct(">Q"), ULong),
    0x81: (struct.Struct(">q"), int),
    0x82: (struct.Struct(">d"), float),
    0x83: (struct.Struct(">q"), Timestamp),
    0x98: (struct.Struct(">16s"), lambda raw: uuid.UUID(bytes=raw)),
    0x74: (struct.Struct(">4s"), lambda raw: Opaque(0x74, raw)),
    0x84: (struct.Struct(">8s"), lambda raw: Opaque(0x84, raw)),
    0x94: (struct.Struct(">16s"), lambda raw: Opaque(0x94, raw)),
}
_VARIABLE: dict[int, Callable[[bytes], Any]] = {
    0xA0: bytes,
    0xA1: lambda raw: raw.decode(),
    0xA3: lambda raw: Symbol(raw, "ascii"),
}
_EMPTY: dict[int, Callable[[], Any]] = {
    0x40: lambda: None,
    0x41: lambda: True,
    0x42: lambda: False,
    0x43: lambda: UInt(0),
    0x44: lambda: ULong(0),
    0x45: list,
}
_UINT = struct.Struct(">I")
_SIZES = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def decode(data: bytes, position: int = 0) -> tuple[Any, int]:
    """The value at `position` and the position after it."""
    try:
        return _value(data, position, 0)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise CodecError(f"malformed AMQP value: {error}") from None


def skip(data: bytes, position: int) -> int:
    """The position after the value at `position`, which is not decoded."""
    try:
        code = data[position]
        if code == 0:
            return skip(data, skip(data, position + 1))
        size = _SIZES.get(code >> 4)
        if size is not None:
            end = position + 1 + size
        elif (code >> 4) & 1:  # 0xb_, 0xd_, 0xf_: four bytes of length
            end = position + 5 + int(_UINT.unpack_from(data, position + 1)[0])
        else:
            end = position + 2 + data[position + 1]
    except (IndexError, struct.error, RecursionError):
        raise CodecError("malformed AMQP value: it ends too early") from None
    if end > len(data):
        raise CodecError("malformed AMQP value: it ends too early")
    return end


def _value(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    code = data[position]
    if code == 0:
        descriptor, position = _value(data, position + 1, _deeper(depth))
        value, position = _value(data, position, depth + 1)
        return Described(descriptor, value), position
    return _constructed(code, data, position + 1, depth)


def _constructed(code: int, data: bytes, position: int, depth: int) -> tuple[Any, int]:
    """The value whose constructor was `code` and whose bytes begin at `position`."""
    fixed = _FIXED.get(code)
    if fixed is not None:
        layout, make = fixed
        return make(layout.unpack_from(data, position)[0]), position + layout.size
    empty = _EMPTY.get(code)
    if empty is not None:
        return empty(), position
    wide = (code >> 4) & 1
    length = _UINT.unpack_from(data, position)[0] if wide else data[position]
    start = position + (4 if wide else 1)
    end = start + length
    if end > len(data):
        raise CodecError("it ends too early")
    variable = _VARIABLE.get(code & 0xEF)
    if variable is not None:
        return variable(data[start:end]), end
    count = _UINT.unpack_from(data, start)[0] if wide else data[start]
    if count > length:
        # Every element takes a byte, except those of an array of nulls or booleans, which nobody sends.
        raise CodecError(f"{count} elements in {length} bytes")
    return _compound(code & 0xEF, data, start + (4 if wide else 1), int(count), _deeper(depth)), end


def _compound(code: int, data: bytes, position: int, count: int, depth: int) -> Any:
    if code == 0xE0:
        return _array(data, position, count, depth)
    if code not in (0xC0, 0xC1) or (code == 0xC1 and count % 2):
        raise CodecError(f"constructor 0x{code:02x} with {count} elements")
    items = []
    for _ in range(count):
        item, position = _value(data, position, depth)
        items.append(item)
    if code == 0xC0:
        return items
    try:
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError as error:
        raise CodecError(str(error)) from None


def _array(data: bytes, position: int, count: int, depth: int) -> Array:
    code = data[position]
    descriptor = None
    if code == 0:
        descriptor, position = _value(data, position + 1, depth)
        code = data[position]
    position += 1
    items = Array()
    for _ in range(count):
        item, position = _constructed(code, data, position, depth)
        items.append(item if descriptor is None else Described(descriptor, item))
    return items


def _deeper(depth: int) -> int:
    if depth >= DEPTH_LIMIT:
        raise CodecError("nested too deeply")
    return depth + 1


# encoding -------------------------------------------------------------------------------------------------------------
def encode(value: Any) -> bytes:
    """The shortest usual encoding of `value`; `CodecError` when it has none."""
    try:
        return _ENCODERS[type(value)](value)
    except KeyError:
        raise CodecError(f"no AMQP type for {type(value).__name__}") from None
    except (struct.error, UnicodeEncodeError) as error:
        raise CodecError(f"{value!r} does not fit its AMQP type: {error}") from None


def _number(small: tuple[int, int, int] | None, code: int, layout: str) -> Callable[[Any], bytes]:
    """An encoder: `small` is (constructor, lowest, highest) of the one-byte form, if there is one."""
    wide = struct.Struct(">B" + layout)
    if small is None:
        return lambda value: wide.pack(code, value)
    short_code, low, high = small
    return lambda value: bytes((short_code, value & 0xFF)) if low <= value <= high else wide.pack(code, value)


def _blob(code: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((code, len(raw))) + raw
    return struct.pack(">BI", code | 0x10, len(raw)) + raw


def _sequence(code: int, items: list[bytes]) -> bytes:
    body = b"".join(items)
    if len(body) < 255 and len(items) < 256:
        return bytes((code, len(body) + 1, len(items))) + body
    return struct.pack(">BII", code | 0x10, len(body) + 4, len(items)) + body


def _list(value: list[Any]) -> bytes:
    return _sequence(0xC0, [encode(item) for item in value]) if value else b"\x45"


def _map(value: dict[Any, Any]) -> bytes:
    return _sequence(0xC1, [encode(item) for pair in value.items() for item in pair])


_ARRAY_CODES: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    bool: (0x56, lambda value: b"\1" if value else b"\0"),
    UByte: (0x50, struct.Struct(">B").pack),
    Byte: (0x51, struct.Struct(">b").pack),
    UShort: (0x60, struct.Struct(">H").pack),
    Short: (0x61, struct.Struct(">h").pack),
    UInt: (0x70, struct.Struct(">I").pack),
    Int: (0x71, struct.Struct(">i").pack),
    ULong: (0x80, struct.Struct(">Q").pack),
    int: (0x81, struct.Struct(">q").pack),
    float: (0x82, struct.Struct(">d").pack),
    Float: (0x72, struct.Struct(">f").pack),
    Timestamp: (0x83, struct.Struct(">q").pack),
    uuid.UUID: (0x98, lambda value: value.bytes),
    bytes: (0xB0, lambda value: _UINT.pack(len(value)) + value),
    str: (0xB1, lambda value: _UINT.pack(len(value.encode())) + value.encode()),
    Symbol: (0xB3, lambda value: _UINT.pack(len(value)) + value.encode("ascii")),
}


def _array_bytes(value: Array) -> bytes:
    kinds = {type(item) for item in value} or {bool}
    if len(kinds) > 1 or not kinds <= _ARRAY_CODES.keys():
        raise CodecError(f"no AMQP array of {sorted(kind.__name__ for kind in kinds)}")
    code, pack = _ARRAY_CODES[kinds.pop()]
    body = bytes((code,)) + b"".join(map(pack, value))
    return struct.pack(">BII", 0xF0, len(body) + 4, len(value)) + body


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _number(None, 0x50, "B"),
    Byte: _number(None, 0x51, "b"),
    UShort: _number(None, 0x60, "H"),
    Short: _number(None, 0x61, "h"),
    UInt: _number((0x52, 0, 255), 0x70, "I"),
    Int: _number((0x54, -128, 127), 0x71, "i"),
    ULong: _number((0x53, 0, 255), 0x80, "Q"),
    int: _number((0x55, -128, 127), 0x81, "q"),
    Timestamp: _number(None, 0x83, "q"),
    Float: _number(None, 0x72, "f"),
    float: _number(None, 0x82, "d"),
    Char: lambda value: struct.pack(">BI", 0x73, ord(value)),
    uuid.UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _blob(0xA0, value),
    str: lambda value: _blob(0xA1, value.encode()),
    Symbol: lambda value: _blob(0xA3, value.encode("ascii")),
    list: _list,
    dict: _map,
    Array: _array_bytes,
    Described: lambda value: b"\0" + encode(value.descriptor) + encode(value.value),
    Opaque: lambda value: bytes((value.code,)) + value.data,
}
