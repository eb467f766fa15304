"""The environment variables of a worker: a chosen few of the platform's own, and what it was given.

A container would not see the platform's environment either. What passes is what programs need to run at all on this
machine: search paths, locale, proxies and certificates, and what the drivers of accelerators read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: Names the folder in which the platform of this machine says how it is reached.
PLATFORM_FOLDER_VARIABLE: Final = "FLYTE_PLATFORM_DATA"
_PASSED: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH"),
        PLATFORM_FOLDER_VARIABLE,
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    }
)
_PASSED_PREFIXES: Final = ("LC_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_")


def passed_on(platform: Mapping[str, str]) -> dict[str, str]:
    """What of the platform's environment its workers see."""
    return {name: value for name, value in platform.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}


def of_template(platform: Mapping[str, str]) -> dict[str, str]:
    """What of the platform's environment the process sees that workers are forked from.

    A fork can read what its first program was started with (`/proc/self/environ`), so nothing that workers must not
    see may be in it: keys of secrets, credentials of databases. What settles how the interpreter works is.
    """
    return {**passed_on(platform), **{name: value for name, value in platform.items() if name.startswith("PYTHON")}}


def in_virtual_environment(env: Mapping[str, str], interpreter: Path) -> dict[str, str]:
    """The same environment with the programs of a virtual environment first."""
    programs = interpreter.parent
    path = env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {**env, "VIRTUAL_ENV": str(programs.parent), "PATH": f"{programs}:{path}"}
