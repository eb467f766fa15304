"""The Secrets of an installation are made once, fit together, and are what the manifests ask for."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from deploy.kubernetes.make_secrets import INTERNAL_NAME, WORKERS_NAME, main
from tests.deploy.manifests import Manifests

from flyteplane.rpc import transport

EDGE = ("flyte.example.org", "10.0.0.9")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the script makes."""
    for name in ("password", "access", "secret"):
        (tmp_path / name).write_text(f"{name}:word\n")
    make(tmp_path)
    return tmp_path / "secrets"


def make(tmp_path: Path) -> None:
    edges = [word for name in EDGE for word in ("--edge", name)]
    keys = ["--objects-access-key-file", f"{tmp_path}/access", "--objects-secret-key-file", f"{tmp_path}/secret"]
    arguments = [f"{tmp_path}/secrets", *edges, "--database-password-file", f"{tmp_path}/password", *keys]
    assert main(arguments) == 0


def test_every_secret_that_production_needs_is_made(folder: Path, production: Manifests) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    rendered = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    made = {one["metadata"]["name"]: one for one in yaml.safe_load_all(rendered)}
    assert {one["metadata"]["namespace"] for one in made.values()} == {"flyteplane"}
    for pod in production.pods():
        for name in made:
            if name in json.dumps(pod.spec):
                break
        else:
            pytest.fail(f"{pod.name} uses none of the secrets")
        for volume in pod.spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", ()):
                secret = source["secret"]
                wanted = {item["key"] for item in secret.get("items", ())}
                assert secret.get("optional") or wanted <= set(made[secret["name"]]["data"]), secret


def test_a_second_call_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    make(folder.parent)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_files_are_for_their_owner_only(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (folder, *folder.rglob("*"))}
    assert modes == {0}


def test_certificates_bear_the_names_that_are_asked_for(folder: Path) -> None:
    assert (INTERNAL_NAME, WORKERS_NAME) == (transport.INTERNAL_NAME, transport.WORKERS_NAME)
    authority = x509.load_pem_x509_certificate((folder / "authority/ca.crt").read_bytes())
    for name, names in (("internal", {INTERNAL_NAME}), ("workers", {WORKERS_NAME}), ("edge", set(EDGE))):
        certificate = x509.load_pem_x509_certificate((folder / name / "tls.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        bears = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {str(one.value) for one in bears} == names


def test_a_password_with_a_colon_stays_one_word(folder: Path) -> None:
    assert (folder / "database/pgpass").read_text() == "*:*:*:*:password\\:word\n"


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "secrets"), "--edge", "flyte.example.org", "--database-password-file", "/no/password"])
    assert "/no/password: No such file or directory" in capsys.readouterr().err
