"""The AMQP codec: nothing is lost on the way there and back, the SDK's own codec reads what ours writes and the other
way round, and malformed bytes are refused, whatever they are."""

from __future__ import annotations

import math
import uuid
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus._pyamqp._decode import decode_frame, decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._transport._pyamqp_transport import PyamqpTransport
from hypothesis import given
from hypothesis import strategies as st

from sandbox.broker import message, performatives
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
from sandbox.broker.codec import decode, encode, skip
from sandbox.broker.performatives import Attach, Begin, Disposition, Flow, Open, SaslMechanisms, Transfer

INTEGERS: list[tuple[type, int, int]] = [
    (Byte, -(2**7), 2**7 - 1),
    (Short, -(2**15), 2**15 - 1),
    (Int, -(2**31), 2**31 - 1),
    (int, -(2**63), 2**63 - 1),
    (UByte, 0, 2**8 - 1),
    (UShort, 0, 2**16 - 1),
    (UInt, 0, 2**32 - 1),
    (ULong, 0, 2**64 - 1),
    (Timestamp, -(2**63), 2**63 - 1),
]
ascii_text = st.text(st.characters(max_codepoint=127), max_size=300)
numbers = st.one_of(*(st.integers(low, high).map(kind) for kind, low, high in INTEGERS))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.floats(),
    st.floats(width=32).map(Float),
    st.characters().map(Char),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    ascii_text.map(Symbol),
    st.binary(min_size=16, max_size=16).map(lambda raw: Opaque(0x94, raw)),
)
arrays = st.one_of(
    st.lists(st.integers(0, 2**32 - 1).map(UInt), max_size=5),
    st.lists(ascii_text.map(Symbol), max_size=5),
    st.lists(st.uuids(), max_size=5),
).map(Array)
values = st.recursive(
    scalars | arrays,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(ascii_text.map(Symbol) | st.uuids(), inner, max_size=5),
        st.builds(Described, st.integers(0, 2**64 - 1).map(ULong) | ascii_text.map(Symbol), inner),
    ),
    max_leaves=20,
)


def shape(value: Any) -> Any:
    """The value with its types, comparable: 1, True and UInt(1) differ, NaN equals itself."""
    match value:
        case Described():
            return "described", shape(value.descriptor), shape(value.value)
        case list():
            return type(value), [shape(item) for item in value]
        case dict():
            return [(shape(key), shape(item)) for key, item in value.items()]
        case float() if math.isnan(value):
            return type(value), "NaN"
        case _:
            return type(value), value


@given(values)
def test_what_is_encoded_decodes_to_the_same_value_of_the_same_type(value: Any) -> None:
    encoded = encode(value)
    decoded, end = decode(encoded)
    assert shape(decoded) == shape(value)
    assert end == skip(encoded, 0) == len(encoded)


@given(values, st.binary(max_size=8), st.binary(max_size=8))
def test_a_value_is_found_inside_other_bytes(value: Any, before: bytes, after: bytes) -> None:
    encoded = encode(value)
    _, end = decode(before + encoded + after, len(before))
    assert end == len(before) + len(encoded)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for read in (decode, lambda raw: skip(raw, 0), message.parse, message.unbatch, performatives.from_bytes):
        try:
            read(data)
        except CodecError:
            continue


@given(values, st.data())
def test_cut_off_values_are_refused(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(CodecError):
        decode(encoded[:cut])
    with pytest.raises(CodecError):
        skip(encoded[:cut], 0)


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("40", None),
        ("41", True),
        ("5601", True),
        ("43", UInt(0)),
        ("52ff", UInt(255)),
        ("7000000100", UInt(256)),
        ("55ff", -1),
        ("8100000000000000ff", 255),
        ("a10161", "a"),
        ("b10000000161", "a"),
        ("a30161", Symbol("a")),
        ("45", []),
        ("c003024142", [True, False]),
        ("d000000006000000024142", [True, False]),
        ("c10502a1016141", {"a": True}),
        ("e00602a301610162", Array([Symbol("a"), Symbol("b")])),
        ("00532445", Described(ULong(0x24), [])),
    ],
)
def test_encodings_of_the_specification(encoded: str, value: Any) -> None:
    assert shape(decode(bytes.fromhex(encoded))[0]) == shape(value)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        ("", "nothing"),
        ("ff", "unknown constructor"),
        ("a1ff61", "text longer than the data"),
        ("a101ff", "text that is not UTF-8"),
        ("c1040341a10161", "a map with an odd number of elements"),
        ("c103024541", "a list as a key"),
        ("d0000000ffffffffff", "more elements than bytes"),
    ],
)
def test_malformed_values_are_refused(encoded: str, why: str) -> None:
    with pytest.raises(CodecError):
        decode(bytes.fromhex(encoded))


def test_nesting_has_an_end() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(CodecError, match="deeply"):
        decode(encode(value))


@pytest.mark.parametrize("value", [UInt(2**32), Byte(200), object(), Array([UInt(1), "a"]), Symbol("ä")])
def test_values_without_an_encoding_are_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)


@pytest.mark.parametrize(
    "performative",
    [
        Open("broker", None, UInt(65536), UShort(255)),
        Begin(UShort(1), UInt(0), UInt(5), UInt(6)),
        Attach("link", UInt(0), True, UByte(0), UByte(1), Described(ULong(0x28), ["queue"]), None),
        Flow(UInt(1), UInt(2), UInt(3), UInt(4), UInt(0), UInt(5), UInt(6), None, True),
        Transfer(UInt(1), UInt(2), b"tag", UInt(0), False, True),
        Disposition(True, UInt(1), None, True, Described(performatives.ACCEPTED, [])),
        SaslMechanisms(Array([Symbol("ANONYMOUS")])),
    ],
    ids=lambda performative: type(performative).__name__,
)
def test_performatives_come_back_and_the_sdk_reads_them(performative: performatives.Performative) -> None:
    encoded = performatives.to_bytes(performative)
    assert performatives.from_bytes(encoded + b"payload") == (performative, b"payload")
    code, fields = decode_frame(memoryview(encoded))
    assert code == performatives.CODES[type(performative)]
    theirs = [value.encode() if isinstance(value, str) else value for value in performative]
    simple = (int, bytes, bool)
    assert [a for a, b in zip(fields, theirs, strict=False) if isinstance(b, simple)] == [
        b for b in theirs if isinstance(b, simple)
    ]


@given(
    body=st.binary(max_size=300),
    message_id=st.text(min_size=1, max_size=128),
    properties=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50) | st.booleans(), max_size=4),
    subject=st.none() | st.text(max_size=20),
)
def test_a_message_of_the_sdk_arrives_as_the_sdk_sent_it(
    body: bytes, message_id: str, properties: dict[Any, Any], subject: str | None
) -> None:
    sent = ServiceBusMessage(body, message_id=message_id, application_properties={**properties}, subject=subject)
    outgoing = PyamqpTransport.to_outgoing_amqp_message(sent.raw_amqp_message)
    parsed = message.parse(bytes(encode_payload(bytearray(), outgoing)))
    assert parsed.message_id == message_id
    assert message.application_values(parsed) == properties
    assert message.body_value(parsed) == body

    received: Any = decode_payload(
        memoryview(message.delivered(parsed, 3, {"x-opt-sequence-number": 7}, {"extra": "ü"}))
    )
    assert received.header.delivery_count == 3
    assert received.message_annotations[b"x-opt-sequence-number"] == 7
    assert received.properties.message_id.decode() == message_id
    assert received.properties.subject == (subject.encode() if subject is not None else None)
    assert {key.decode(): _text(value) for key, value in received.application_properties.items()} == {
        **properties,
        "extra": "ü",
    }
    assert b"".join(received.data) == body


def test_replies_carry_the_request_id_with_its_type() -> None:
    request = message.Request(uuid.uuid4(), {}, None)
    reply: Any = decode_payload(memoryview(message.response(request, {"statusCode": Int(200)}, {"a": Array([1, 2])})))
    assert reply.properties.correlation_id == request.message_id
    assert reply.application_properties[b"statusCode"] == 200
    assert reply.value == {b"a": [1, 2]}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
