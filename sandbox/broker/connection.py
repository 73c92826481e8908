"""One AMQP connection, without its socket: bytes in, bytes out.

Handshake (SASL anonymous, then AMQP), frames cut from the stream, channels handed to sessions. Output gathers in `out`;
the broker writes it to the socket after it has made the state durable, so nothing is confirmed that could be lost. A
peer that breaks the protocol gets a close frame with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.broker.amqp_types import Array, CodecError, Symbol, UByte, UInt, UShort
from sandbox.broker.performatives import (
    Begin,
    Close,
    End,
    Open,
    Performative,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    error,
    from_bytes,
    to_bytes,
)
from sandbox.broker.session import WINDOW, Session

if TYPE_CHECKING:
    from sandbox.broker.broker import Broker

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
FRAME_SIZE = 65536
"""The largest frame we take, as the service's."""
_AMQP, _SASL = 0, 1


class Connection:
    """State of one connection."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.out = bytearray()
        self.closed = False
        """No more input is wanted; the socket is closed once `out` is written."""
        self.doomed = False
        """A fault: the socket is dropped instead of writing `out`."""
        self.held_until = 0.0
        """A fault: `out` is not written before this time of the event loop."""
        self.peer_frame_size = 512
        self.authorized: set[str] = set()
        self._sessions: dict[int, Session] = {}
        self._buffer = bytearray()

    def receive(self, data: bytes) -> None:
        """Takes bytes from the socket."""
        self._buffer += data
        try:
            while not self.closed and self._next():
                pass
        except CodecError as problem:
            self.send(0, Close(error("amqp:connection:framing-error", str(problem))))
            self.closed = True

    def send(self, channel: int, performative: Performative, payload: bytes = b"", kind: int = _AMQP) -> None:
        """Queues a frame for writing."""
        body = to_bytes(performative)
        self.out += (8 + len(body) + len(payload)).to_bytes(4)
        self.out += bytes((2, kind)) + channel.to_bytes(2) + body + payload

    def may_use(self, path: str) -> bool:
        """Whether a token was put for the path or something above it."""
        parts = path.lower().split("/")
        return any("/".join(parts[:length]) in self.authorized for length in range(len(parts) + 1))

    def lost(self) -> None:
        """The socket is gone; locks stay until they expire."""
        self.closed = True
        for session in self._sessions.values():
            session.detach_all()
        self._sessions.clear()

    def _next(self) -> bool:
        """Handles the next frame or protocol header; False when more bytes are needed."""
        if len(self._buffer) < 8:
            return False
        if self._buffer[:4] == b"AMQP":
            self._header(bytes(self._buffer[:8]))
            del self._buffer[:8]
            return True
        size = int.from_bytes(self._buffer[:4])
        if not 8 <= size <= FRAME_SIZE:
            raise CodecError(f"a frame of {size} bytes; at most {FRAME_SIZE} are allowed")
        if len(self._buffer) < size:
            return False
        start, kind, channel = self._buffer[4] * 4, self._buffer[5], int.from_bytes(self._buffer[6:8])
        body = bytes(self._buffer[start:size])
        del self._buffer[:size]
        if body:  # an empty frame only keeps the connection alive
            self._frame(kind, channel, *from_bytes(body))
        return True

    def _header(self, header: bytes) -> None:
        if header == SASL_HEADER:
            self.out += SASL_HEADER
            self.send(0, SaslMechanisms(Array([Symbol("ANONYMOUS")])), kind=_SASL)
        else:
            self.out += AMQP_HEADER
            self.closed = header != AMQP_HEADER

    def _frame(self, kind: int, channel: int, performative: Performative, payload: bytes) -> None:
        match performative:
            case SaslInit() if kind == _SASL:
                refused = performative.mechanism != "ANONYMOUS"
                self.send(0, SaslOutcome(UByte(1 if refused else 0)), kind=_SASL)
                self.closed = refused
            case Open():
                self.peer_frame_size = int(performative.max_frame_size or FRAME_SIZE)
                self.send(0, Open("sandbox-broker", None, UInt(FRAME_SIZE), UShort(255)))
            case Begin():
                self._sessions[channel] = Session(self, channel, performative)
                self.send(channel, Begin(UShort(channel), UInt(0), UInt(WINDOW), UInt(WINDOW), UInt(255)))
            case End():
                if session := self._sessions.pop(channel, None):
                    session.detach_all()
                    self.send(channel, End())
            case Close():
                self.send(0, Close())
                self.closed = True
            case _:
                # On closing, the SDK ends its session first and then still detaches links on it: ignored.
                if session := self._sessions.get(channel):
                    session.handle(performative, payload)
