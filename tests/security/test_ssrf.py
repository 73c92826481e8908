"""Nothing that a request says makes us connect elsewhere (P9): look-ups and connections are trapped in the interpreter.

The same addresses go through the certificate's header, through a correctly signed `ResourceUri`, and straight to the
fetcher; and what DNS answers for the allowed name is distrusted as well.
"""

from __future__ import annotations

import pytest

from shared.clients.addresses import is_loopback, is_public
from shared.clients.certificates import HttpsCertificates, Resolver
from shared.errors import Rejected, Unavailable
from shared.trust import WebhookTrust
from shared.webhook.event import Kind
from shared.webhook.policy import CERTIFICATE_URL
from tests.security import pki
from tests.security.doubles import Hand, Shelf, trapped_network

ALLOWED = "3psostorageacct.blob.core.windows.net"
FILE = f"cert/{pki.REFERRAL}.cer"

HOSTS = [
    "evil.example",
    f"{ALLOWED}.evil.example",
    f"evil{ALLOWED}",
    "3psostorageacct2.blob.core.windows.net",
    "blob.core.windows.net",
    f"{ALLOWED}.",
    ALLOWED.upper(),
    "3psostorаgeacct.blob.core.windows.net",
    "xn--3psostorgeacct-p1j.blob.core.windows.net",
    "3psostorageacct。blob。core。windows。net",
    "３psostorageacct.blob.core.windows.net",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",  # noqa: S104 -- an address to refuse, nothing listens
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "127.0.0.1.nip.io",
    "①②⑦.⓪.⓪.①",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.169.254.nip.io",
    "metadata.google.internal",
    "metadata.azure.internal",
    "168.63.129.16",
    "169.254.170.2",
    "100.100.100.200",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "login.microsoftonline.com",
    "management.azure.com",
    "vault.azure.net",
    "kubernetes.default.svc",
    "",
]

URLS = [
    *(f"https://{host}/{FILE}" for host in HOSTS),
    f"http://{ALLOWED}/{FILE}",
    f"//evil.example/{FILE}",
    f"https:/evil.example/{FILE}",
    f"https:evil.example/{FILE}",
    f"https:\\\\evil.example\\{FILE}",
    f"https://{ALLOWED}@evil.example/{FILE}",
    f"https://{ALLOWED}:x@evil.example/{FILE}",
    f"https://evil.example\\@{ALLOWED}/{FILE}",
    f"https://evil.example#@{ALLOWED}/{FILE}",
    f"https://evil.example?@{ALLOWED}/{FILE}",
    f"https://{ALLOWED}%2eevil.example/{FILE}",
    f"https://{ALLOWED}%00.evil.example/{FILE}",
    f"https://{ALLOWED}\t.evil.example/{FILE}",
    f"https://{ALLOWED}\n.evil.example/{FILE}",
    f"https://{ALLOWED} .evil.example/{FILE}",
    f"https://{ALLOWED}:80/{FILE}",
    f"https://{ALLOWED}:8443/{FILE}",
    f"https://{ALLOWED}:99999/{FILE}",
    f"https://{ALLOWED}/../{FILE}",
    f"https://{ALLOWED}/other/{pki.REFERRAL}",
    f"{CERTIFICATE_URL}?redirect=https://evil.example",
    f"{CERTIFICATE_URL}#https://evil.example",
    f"{CERTIFICATE_URL}/../../other/{pki.REFERRAL}",
    f"ftp://{ALLOWED}/{FILE}",
    f"gopher://evil.example:70/{FILE}",
    "file:///etc/passwd",
    f"data:application/x-x509-ca-cert;base64,{pki.REFERRAL}",
    f"jar:https://evil.example!/{FILE}",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    f"\\\\evil.example\\{FILE}",
]


def test_there_are_at_least_eighty() -> None:
    assert len(set(URLS)) >= 80


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_certificate_url_is_not_followed(url: str) -> None:
    body = pki.event_body()
    trust = WebhookTrust(HttpsCertificates([CERTIFICATE_URL]), Hand(), pki.policy())
    with trapped_network() as attempts, pytest.raises(Rejected) as refusal:
        trust.admit(pki.headers(body, x_ms_certificate_url=url), body)
    assert (refusal.value.code, refusal.value.status) == ("FOREIGN_CERTIFICATE_URL", 401)
    assert attempts == []


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_resource_uri_is_not_followed(url: str) -> None:
    body = pki.event_body(ResourceUri=url)
    with trapped_network() as attempts:
        event = WebhookTrust(Shelf(), Hand(), pki.policy()).admit(pki.headers(body), body)
    assert (event.kind, event.referral_id) == (Kind.IGNORED, None)
    assert attempts == []


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_the_fetcher_itself_refuses_what_is_not_on_its_list(url: str) -> None:
    with trapped_network() as attempts, pytest.raises(Unavailable):
        HttpsCertificates([CERTIFICATE_URL]).fetch(url)
    assert attempts == []


@pytest.mark.parametrize("url", [f"http://{ALLOWED}/a.cer", "https:///a.cer"])
def test_a_listed_address_must_still_be_https(url: str) -> None:
    with trapped_network() as attempts, pytest.raises(Unavailable):
        HttpsCertificates([url]).fetch(url)
    assert attempts == []


def test_the_trap_sees_what_is_allowed() -> None:
    """Otherwise the empty lists above would prove nothing."""
    body = pki.event_body()
    trust = WebhookTrust(HttpsCertificates([CERTIFICATE_URL]), Hand(), pki.policy())
    with trapped_network() as attempts, pytest.raises(Unavailable):
        trust.admit(pki.headers(body), body)
    assert attempts == [f"resolve {ALLOWED}"]


def answering(*addresses: str) -> Resolver:
    """A resolver that knows one answer."""
    return lambda _host, _port: addresses


PRIVATE = [
    "0.0.0.0",  # noqa: S104 -- an address to refuse, nothing listens
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:20.60.1.1",
    "64:ff9b::7f00:1",
    "64:ff9b::143c:101",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:143c:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not-an-address",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_answers_of_dns_are_refused(address: str) -> None:
    assert not is_public(address)
    for answer in ([address], ["20.60.1.1", address], [address, "20.60.1.1"]):
        fetcher = HttpsCertificates([CERTIFICATE_URL], resolver=answering(*answer))
        with trapped_network() as attempts, pytest.raises(Unavailable, match="public addresses"):
            fetcher.fetch(CERTIFICATE_URL)
        assert attempts == []


@pytest.mark.parametrize("address", ["20.60.1.1", "1.1.1.1", "2603:1030:a0c::1", "2a01:111:f403::1"])
def test_public_answers_are_connected_to_by_their_number(address: str) -> None:
    fetcher = HttpsCertificates([CERTIFICATE_URL], resolver=answering(address))
    with trapped_network() as attempts, pytest.raises(Unavailable):
        fetcher.fetch(CERTIFICATE_URL)
    assert is_public(address)
    assert len(attempts) == 1
    assert attempts[0].startswith("socket.connect")
    assert address in attempts[0]


def test_a_name_that_changes_its_mind_is_asked_once() -> None:
    """DNS rebinding: the second answer would be the metadata service."""
    answers = iter([["20.60.1.1"], ["169.254.169.254"]])
    fetcher = HttpsCertificates([CERTIFICATE_URL], resolver=lambda _host, _port: next(answers))
    with trapped_network() as attempts, pytest.raises(Unavailable):
        fetcher.fetch(CERTIFICATE_URL)
    assert [attempt.split()[1] for attempt in attempts] == ["('20.60.1.1',"]
    assert next(answers) == ["169.254.169.254"], "never looked at"


def test_no_answer_at_all() -> None:
    with trapped_network() as attempts, pytest.raises(Unavailable):
        HttpsCertificates([CERTIFICATE_URL], resolver=answering()).fetch(CERTIFICATE_URL)
    assert attempts == []


def test_a_local_host_may_be_on_loopback_and_nowhere_else() -> None:
    url = "https://localhost:9/cert/a.cer"
    for address in ("10.0.0.1", "20.60.1.1", "169.254.169.254"):
        fetcher = HttpsCertificates([url], resolver=answering(address))
        with trapped_network() as attempts, pytest.raises(Unavailable):
            fetcher.fetch(url)
        assert attempts == []
    assert is_loopback("::1")
    assert not is_loopback("localhost")
