"""The authorities that are trusted by default: Amazon's for each kind of database and region, and the system's."""

from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from sitejobs.handlers.authorities import AMAZON, joined_authorities
from tests.postgres_wire import gatekeeper, tls_of_localhost

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1")


def test_rds_of_each_region_and_rds_proxy_are_vouched_for() -> None:
    found = x509.load_pem_x509_certificates(AMAZON.read_bytes())
    names = {
        str(one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        for one in found
        if one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    }
    for region in REGIONS:
        for kind in ("RSA2048", "RSA4096", "ECC384"):
            assert f"Amazon RDS {region} Root CA {kind} G1" in names
    assert {f"Amazon Root CA {number}" for number in (1, 2, 3, 4)} <= names


def test_only_authorities_are_trusted() -> None:
    for one in x509.load_pem_x509_certificates(AMAZON.read_bytes()):
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_server_that_none_of_them_vouches_for_is_refused(tmp_path: Path) -> None:
    tls, _ = tls_of_localhost(tmp_path)
    with (
        gatekeeper(lambda startup: None, "/nowhere", tls=tls) as port,
        pytest.raises(psycopg.OperationalError, match="certificate verify failed"),
    ):
        psycopg.connect(f"host=localhost port={port} sslmode=verify-full sslrootcert={joined_authorities()}")
