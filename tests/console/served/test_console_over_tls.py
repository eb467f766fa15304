"""With certificates for clients the console speaks TLS too, and reaches the platform behind them; renewals are met."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.console.served.conftest import link_of
from tests.support.certificates import make_certificates
from tests.support.platform import PlatformUnderTest


def test_the_console_speaks_tls_where_clients_do(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "certificates")
    config = tmp_path / "flyteplane.yaml"
    config.write_text(f"tls: {{edge: {{cert_file: {made.server.cert_file}, key_file: {made.server.key_file}}}}}\n")
    options = ("--config", str(config), "--console-listen", "127.0.0.1:0")
    platform = PlatformUnderTest(tmp_path / "platform", endpoint="127.0.0.1:0", options=options)
    try:
        platform.start()
        link = link_of(platform)
        assert link.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(made.ca_file))
        with urllib.request.urlopen(link, context=trusting, timeout=20) as answer:
            assert "Signed in as key:owner" in answer.read().decode()
            cookie = answer.headers["set-cookie"]
        assert "secure" in cookie.lower()
        request = urllib.request.Request(link.partition("/login")[0] + "/runs", headers={"cookie": cookie})
        with urllib.request.urlopen(request, context=trusting, timeout=20) as answer:
            assert "No run fits" in answer.read().decode()
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(link, timeout=20)
        # Renewed by another authority: whoever connects from now on meets the new certificate, also without a name.
        renewed = make_certificates(tmp_path / "renewed")
        renewed.server.key_file.replace(made.server.key_file)
        renewed.server.cert_file.replace(made.server.cert_file)
        trusting = ssl.create_default_context(cafile=str(renewed.ca_file))
        with urllib.request.urlopen(request, context=trusting, timeout=20) as answer:
            assert "No run fits" in answer.read().decode()
    finally:
        platform.destroy()
