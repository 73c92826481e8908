"""The certificate's fetcher over real TLS on loopback, against servers that do not play fair.

Each server answers one connection with a script. Every failure must be `Unavailable`, within the time given, however
the other side behaves.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from shared.clients.certificates import MAX_BYTES, HttpsCertificates
from shared.errors import Unavailable
from tests.security import pki

type Script = Callable[[ssl.SSLSocket], None]
DRIP_S = 0.05


@dataclass
class Server:
    """Listens on a free port of 127.0.0.1; `requests` holds what it was sent."""

    script: Script
    tls: trustme.LeafCert
    requests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/cert/signer.cer"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.configure_cert(context)
        # the client may go away at any moment, which is what most of these tests are about
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as secure:
                secure.settimeout(5)
                self.requests.append(secure.recv(4096))
                self.script(secure)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="session")
def ca_bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(script: Script, host: str = "localhost", by: trustme.CA | None = None) -> Server:
        issued = (by or authority).issue_cert(host, key_type=trustme.KeyType.ECDSA)
        servers.append(Server(script, issued))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def answer(body: bytes, status: str = "200 OK", headers: Sequence[str] = (), length: int | None = None) -> Script:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return lambda secure: secure.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def fetch(server: Server, ca_bundle: str, **options: float) -> bytes:
    timeouts = {"step_timeout_s": 0.4, "total_timeout_s": 0.6, **options}
    fetcher = HttpsCertificates([server.url], ca_bundle=ca_bundle, resolver=lambda _h, _p: ["127.0.0.1"], **timeouts)
    return fetcher.fetch(server.url)


def chunked(secure: ssl.SSLSocket) -> None:
    content = pki.signer().der
    secure.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    secure.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))


def endless(secure: ssl.SSLSocket) -> None:
    secure.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(10_000):
        secure.sendall(bytes(16_384))


def drip(start: bytes) -> Script:
    """One byte at a time, each well within the time for one step."""

    def script(secure: ssl.SSLSocket) -> None:
        secure.sendall(start)
        for _ in range(200):
            secure.sendall(b"a")
            time.sleep(DRIP_S)

    return script


@pytest.mark.parametrize("script", [answer(b"certificate"), answer(b"c" * MAX_BYTES)], ids=["small", "largest"])
def test_fetches(serve: Callable[..., Server], ca_bundle: str, script: Script) -> None:
    server = serve(script)
    assert fetch(server, ca_bundle, step_timeout_s=4, total_timeout_s=8) in (b"certificate", b"c" * MAX_BYTES)
    request = server.requests[0].decode()
    assert request.startswith("GET /cert/signer.cer HTTP/1.1\r\n")
    assert f"Host: localhost:{server.port}\r\n" in request
    assert "authorization" not in request.lower()
    assert "cookie" not in request.lower()


def test_fetches_chunked_content(serve: Callable[..., Server], ca_bundle: str) -> None:
    assert fetch(serve(chunked), ca_bundle, step_timeout_s=4, total_timeout_s=8) == pki.signer().der


def test_the_environment_is_not_asked(
    serve: Callable[..., Server], ca_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert fetch(serve(answer(b"certificate")), ca_bundle, step_timeout_s=4, total_timeout_s=8) == b"certificate"


@pytest.mark.parametrize("addresses", [["127.0.0.2", "127.0.0.3", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_the_first_address_that_answers(serve: Callable[..., Server], ca_bundle: str, addresses: list[str]) -> None:
    server = serve(answer(b"certificate"))
    fetcher = HttpsCertificates([server.url], ca_bundle=ca_bundle, resolver=lambda _h, _p: addresses)
    assert fetcher.fetch(server.url) == b"certificate"


def test_the_system_resolver_knows_localhost(serve: Callable[..., Server], ca_bundle: str) -> None:
    server = serve(answer(b"certificate"))
    assert HttpsCertificates([server.url], ca_bundle=ca_bundle).fetch(server.url) == b"certificate"


UNFAIR: dict[str, Script] = {
    "not-found": answer(b"BlobNotFound", "404 Not Found"),
    "server-error": answer(b"", "503 Service Unavailable"),
    "no-content": answer(b"", "204 No Content"),
    "empty": answer(b""),
    "partial": answer(b"certificate", "206 Partial Content"),
    "compressed": answer(b"\x1f\x8b", headers=["Content-Encoding: gzip"]),
    "one-byte-too-many": answer(b"c" * (MAX_BYTES + 1)),
    "endless": endless,
    "shorter-than-announced": answer(b"certificate", length=100),
    "no-http": lambda secure: secure.sendall(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "nothing": lambda secure: None,
    "endless-header": lambda secure: secure.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000),
    "silence": lambda secure: time.sleep(0.8),
    "slow-drip-status": drip(b"HTTP/1.1 200 "),
    "slow-drip-header": drip(b"HTTP/1.1 200 OK\r\nX: "),
    "slow-drip-body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
}


@pytest.mark.parametrize("name", UNFAIR)
def test_unfair_server(serve: Callable[..., Server], ca_bundle: str, name: str) -> None:
    server = serve(UNFAIR[name])
    began = time.monotonic()
    with pytest.raises(Unavailable) as failure:
        fetch(server, ca_bundle)
    assert time.monotonic() - began < 2.0
    assert failure.value.code == "CERTIFICATE_UNAVAILABLE"
    assert failure.value.retry_after_s


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_not_followed(serve: Callable[..., Server], ca_bundle: str, status: str) -> None:
    target = serve(answer(b"certificate"))
    server = serve(answer(b"", status, [f"Location: {target.url}"]))
    with pytest.raises(Unavailable, match=status[:3]):
        fetch(server, ca_bundle)
    assert target.requests == []


def test_server_of_another_name(serve: Callable[..., Server], ca_bundle: str) -> None:
    server = serve(answer(b"certificate"), host="other.example")
    with pytest.raises(Unavailable, match="SSL"):
        fetch(server, ca_bundle)
    assert server.requests == []


def test_server_certified_for_the_number_instead_of_the_name(serve: Callable[..., Server], ca_bundle: str) -> None:
    server = serve(answer(b"certificate"), host="127.0.0.1")
    with pytest.raises(Unavailable, match="SSL"):
        fetch(server, ca_bundle)


def test_server_of_an_unknown_authority(serve: Callable[..., Server], ca_bundle: str) -> None:
    server = serve(answer(b"certificate"), by=trustme.CA(key_type=trustme.KeyType.ECDSA))
    with pytest.raises(Unavailable, match="SSL"):
        fetch(server, ca_bundle)
    assert server.requests == []


def test_the_public_authorities_do_not_know_ours(serve: Callable[..., Server]) -> None:
    server = serve(answer(b"certificate"))
    with pytest.raises(Unavailable, match="SSL"):
        HttpsCertificates([server.url], resolver=lambda _h, _p: ["127.0.0.1"]).fetch(server.url)


def test_a_server_that_never_shakes_hands(ca_bundle: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}/cert/signer.cer"
        fetcher = HttpsCertificates(
            [url], ca_bundle=ca_bundle, step_timeout_s=0.2, total_timeout_s=0.3, resolver=lambda _h, _p: ["127.0.0.1"]
        )
        began = time.monotonic()
        with pytest.raises(Unavailable):
            fetcher.fetch(url)
        assert time.monotonic() - began < 1.5


def test_many_silent_addresses_share_one_time_limit(ca_bundle: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}/cert/signer.cer"
        addresses = ["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2", *(f"127.0.0.{n}" for n in range(3, 20))]
        fetcher = HttpsCertificates(
            [url], ca_bundle=ca_bundle, step_timeout_s=0.3, total_timeout_s=0.3, resolver=lambda _h, _p: addresses
        )
        with pytest.raises(Unavailable, match="too long"):
            fetcher.fetch(url)


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "nowhere.invalid"])
def test_a_name_that_cannot_be_resolved(host: str) -> None:
    url = f"https://{host}/a.cer"
    with pytest.raises(Unavailable):
        HttpsCertificates([url]).fetch(url)
