"""A connection without a socket: what a peer that is not the SDK may do, and the signature that opens a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.servicebus._pyamqp.utils import generate_sas_token

from sandbox.broker import sas
from sandbox.broker.__main__ import main
from sandbox.broker.amqp_types import Described, Symbol, UByte, UInt, ULong, UShort
from sandbox.broker.broker import Broker
from sandbox.broker.connection import AMQP_HEADER, FRAME_SIZE, SASL_HEADER, Connection
from sandbox.broker.entry import Rules
from sandbox.broker.namespace import Namespace
from sandbox.broker.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
    from_bytes,
    to_bytes,
)
from sandbox.broker.sas import AccessKey
from sandbox.broker.store import Store
from sandbox.layout import Layout

KEY = AccessKey("sandbox", "c2FuZGJveC1rZXk=")


@pytest.fixture
def talk(tmp_path: Path) -> Callable[[bytes], list[bytes | Performative]]:
    """Says something to a fresh connection; the protocol headers and performatives it answers."""

    def say(data: bytes) -> list[bytes | Performative]:
        async def conversation() -> bytes:
            store = Store(tmp_path / "broker.sqlite")
            namespace = Namespace(["parked"], Rules(), store, lambda: 1_800_000_000_000)
            connection = Connection(Broker(namespace, store, KEY, 262_144))
            for byte in data:  # one at a time: frames may be cut anywhere
                connection.receive(bytes((byte,)))
            store.close()
            return bytes(connection.out)

        return answers(asyncio.run(conversation()))

    return say


def answers(data: bytes) -> list[bytes | Performative]:
    found: list[bytes | Performative] = []
    while data:
        if data.startswith(b"AMQP"):
            found.append(data[:8])
            data = data[8:]
        else:
            size = int.from_bytes(data[:4])
            found.append(from_bytes(data[8:size])[0])
            data = data[size:]
    return found


def frame(performative: Performative, channel: int = 0, kind: int = 0, payload: bytes = b"") -> bytes:
    body = to_bytes(performative) + payload
    return (len(body) + 8).to_bytes(4) + bytes((2, kind)) + channel.to_bytes(2) + body


OPENING = (
    SASL_HEADER
    + frame(SaslInit(Symbol("ANONYMOUS")), kind=1)
    + AMQP_HEADER
    + frame(Open("peer", None, UInt(4096)))
    + frame(Begin(None, UInt(0), UInt(100), UInt(100)), channel=1)
)
type Talk = Callable[[bytes], list[bytes | Performative]]


def terminus(address: str) -> Described:
    return Described(ULong(0x29), [address])


def test_the_handshake(talk: Talk) -> None:
    sasl, mechanisms, outcome, amqp, opened, begun = talk(OPENING)
    assert (sasl, amqp) == (SASL_HEADER, AMQP_HEADER)
    assert isinstance(mechanisms, SaslMechanisms)
    assert mechanisms.sasl_server_mechanisms == ["ANONYMOUS"]
    assert outcome == SaslOutcome(UByte(0))
    assert isinstance(opened, Open)
    assert opened.max_frame_size == FRAME_SIZE
    assert isinstance(begun, Begin)
    assert begun.remote_channel == UShort(1)


def test_another_mechanism_is_refused(talk: Talk) -> None:
    assert talk(SASL_HEADER + frame(SaslInit(Symbol("PLAIN")), kind=1))[-1] == SaslOutcome(UByte(1))


def test_another_protocol_is_told_ours(talk: Talk) -> None:
    assert talk(b"AMQP\x00\x00\x09\x01") == [AMQP_HEADER]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "a frame of"),
        (OPENING + (FRAME_SIZE + 1).to_bytes(4) + b"\x02\x00\x00\x01", "at most 65536 are allowed"),
        (OPENING + b"\x00\x00\x00\x09\x02\x00\x00\x01\x41", "without a performative"),
        (OPENING + b"\x00\x00\x00\x0c\x02\x00\x00\x01\x00\x53\x77\x45", "unknown performative"),
    ],
)
def test_a_broken_protocol_closes_the_connection_with_the_reason(talk: Talk, data: bytes, reason: str) -> None:
    last = talk(data)[-1]
    assert isinstance(last, Close)
    condition, description, _ = last.error.value
    assert condition == "amqp:connection:framing-error"
    assert reason in description


def test_without_a_token_no_queue_opens(talk: Talk) -> None:
    attach = Attach("link", UInt(0), False, target=terminus("amqps://127.0.0.1/parked"), initial_delivery_count=UInt(0))
    attached, detached = talk(OPENING + frame(attach, channel=1))[-2:]
    assert isinstance(attached, Attach)
    assert (attached.source, attached.target) == (None, None)
    assert isinstance(detached, Detach)
    assert detached.error.value[0] == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    "stray",
    [
        frame(Detach(UInt(5), True), channel=9),
        frame(Detach(UInt(5), True), channel=1),
        frame(Flow(UInt(0), UInt(1), UInt(0), UInt(1), UInt(5)), channel=1),
        frame(Transfer(UInt(5), UInt(0), b"tag"), channel=1, payload=b"\0\x53\x75\xa0\x00"),
        frame(Disposition(False, UInt(0), UInt(9), True), channel=1),
        frame(End(), channel=9),
        b"\x00\x00\x00\x08\x02\x00\x00\x00",
    ],
    ids=["channel", "handle", "flow", "transfer", "disposition", "end", "empty frame"],
)
def test_frames_for_what_is_gone_are_ignored(talk: Talk, stray: bytes) -> None:
    """On closing, the SDK ends its session and then still detaches the links on it."""
    assert talk(OPENING + stray + frame(Close()))[6:] == [Close()]


def signed(audience: str, policy: str, key: str, expires_at: int) -> str:
    """A token as the SDK makes it."""
    return str(generate_sas_token(audience, policy, key, expires_at))  # type: ignore[no-untyped-call]  # the SDK's code


NOW_S = 1_800_000_000
AUDIENCE = "sb://127.0.0.1:5672/parked"


@pytest.mark.parametrize(
    ("token", "audience", "sentence"),
    [
        (signed(AUDIENCE, "sandbox", KEY.key, NOW_S + 60), AUDIENCE, None),
        (signed("sb://127.0.0.1:5672", "sandbox", KEY.key, NOW_S + 60), AUDIENCE, None),
        (signed(AUDIENCE, "sandbox", "other", NOW_S + 60), AUDIENCE, "invalid signature"),
        (signed(AUDIENCE, "nobody", KEY.key, NOW_S + 60), AUDIENCE, "policy 'nobody'"),
        (signed(AUDIENCE, "sandbox", KEY.key, NOW_S), AUDIENCE, "expired"),
        (signed(AUDIENCE, "sandbox", KEY.key, NOW_S + 60), "sb://127.0.0.1:5672/other", "not for"),
        ("SharedAccessSignature sr=a&sig=b", AUDIENCE, "malformed"),
        ("eyJhbGciOiJub25lIn0.e30.", AUDIENCE, "not a shared access signature"),
    ],
    ids=["right", "whole namespace", "other key", "other policy", "expired", "other queue", "cut", "jwt"],
)
def test_the_signature_decides(token: str, audience: str, sentence: str | None) -> None:
    refusal = sas.refusal(token, audience, KEY, NOW_S)
    assert (refusal is None) if sentence is None else (refusal is not None and sentence in refusal)


def no_layout(state: Path) -> None:
    (state / "sandbox.json").unlink()


def broken_layout(state: Path) -> None:
    (state / "sandbox.json").write_text("{}")


def broken_store(state: Path) -> None:
    (state / "broker.sqlite").write_bytes(b"not a database" * 100)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (no_layout, "There is no sandbox in"),
        (broken_layout, "is not a sandbox's layout"),
        (broken_store, "file is not a database"),
    ],
)
def test_what_prevents_the_start_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], sentence: str
) -> None:
    Layout.create(tmp_path)
    spoil(tmp_path)
    assert main(["--state", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
