"""A trust policy that cannot work is refused when it is made; the bundle is put together from file and public roots."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificates
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.trust import trust_bundle
from shared.webhook.policy import CERTIFICATE_URL, TrustPolicy, is_root
from tests.security import pki

BUNDLE = pki.root().pem + pki.intermediate().pem


def test_defaults_are_partner_center() -> None:
    policy = TrustPolicy(bundle=BUNDLE)
    assert policy.certificate_urls == (CERTIFICATE_URL,)
    assert policy.intermediates == [pki.intermediate().certificate]
    assert policy.max_age.days == 14
    assert TrustPolicy(bundle=BUNDLE, certificate_urls=(CERTIFICATE_URL,)) == policy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bundle": b""}, "not a list of PEM certificates"),
        ({"bundle": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "not a list of PEM"),
        ({"bundle": pki.intermediate().pem}, "no self-signed root"),
        ({"certificate_urls": ()}, "at least 1"),
        ({"certificate_urls": ("http://a.example/a.cer",)}, "plain https"),
        ({"certificate_urls": ("https://u@a.example/a.cer",)}, "plain https"),
        ({"certificate_urls": ("https://a.example/a.cer?x",)}, "plain https"),
        ({"certificate_urls": ("https://a.example/a.cer#x",)}, "plain https"),
        ({"certificate_urls": ("https://a.example/a.pem",)}, "plain https"),
        ({"certificate_urls": ("https:///a.cer",)}, "plain https"),
        ({"certificate_urls": ("https://a.example:0/a.cer",)}, "plain https"),
        ({"certificate_urls": ("https://a.example:99999/a.cer",)}, "certificate_urls"),
        ({"min_rsa_bits": 1024}, "min_rsa_bits"),
        ({"max_body_bytes": 0}, "max_body_bytes"),
        ({"hostname": "typo"}, "hostname"),
    ],
)
def test_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TrustPolicy.model_validate({"bundle": BUNDLE, **changes})


def test_public_roots_without_a_file_and_without_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        policy = TrustPolicy(bundle=trust_bundle(None))
    assert len(load_pem_x509_certificates(policy.bundle)) > 50
    assert policy.intermediates == []


def test_a_file_of_intermediates_joins_the_public_roots(tmp_path: Path) -> None:
    (tmp_path / "i.pem").write_bytes(pki.intermediate().pem)
    joined = load_pem_x509_certificates(trust_bundle(tmp_path / "i.pem"))
    assert sum(not is_root(each) for each in joined) == 1
    assert len(joined) > 50


def test_a_file_with_a_root_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "all.pem").write_bytes(BUNDLE)
    assert trust_bundle(str(tmp_path / "all.pem")) == BUNDLE


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"bad\.pem") as failure:
        trust_bundle(path)
    assert failure.value.code == "BAD_TRUST_BUNDLE"
