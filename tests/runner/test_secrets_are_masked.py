"""What a worker says of an attempt never holds a value of the attempt's secrets: not in output, not in errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import Owner, encode

from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]
VALUE = "kanarie-4711 'sings' \"it\" \\o/"
KEY = "-----BEGIN KEY-----\nMIIBOgIBAAJBAKj34\nGkxFhD90vcNLYLInFEX\n-----END KEY-----\n"
SECRETS: dict[str, Any] = {
    "secret_env": {"DB_PASSWORD": VALUE.encode()},
    "secret_files": {"/etc/flyte/secrets/key": KEY.encode()},
}
FORMS = {
    VALUE,
    *(line for line in KEY.splitlines()),
    *(repr(VALUE)[1:-1], json.dumps(VALUE)[1:-1], json.dumps(KEY)[1:-1]),
    *(quote(VALUE), quote(VALUE, safe=""), VALUE.encode().hex()),
    *(base64.b64encode(text.encode()).decode() for text in (VALUE, KEY)),
}
HEAD = (
    "import base64, json, logging, subprocess, threading\nfrom urllib.parse import quote\n"
    "def password():\n    return os.environ['DB_PASSWORD']\n"
    "def key():\n    return open(os.path.join(os.environ['FLYTE_SECRETS_DIR'], 'key')).read()\n"
)


def assert_nothing_told(owner: Owner) -> None:
    said = "".join(str(report.log.data.decode()) for report in owner.reports if report.HasField("log"))
    for report in owner.reports:
        if report.HasField("ended") and report.ended.HasField("error"):
            error = report.ended.error
            said += f"{error.code}\n{error.message}\n{error.traceback}\n"
            assert not [form for form in FORMS if form.encode() in error.pickled_exception]
    assert [form for form in FORMS if form in said] == []


async def run(owner: Owner, code: Path, attribute: str, inputs: bytes = b"", **assign: Any) -> tuple[int, AttemptEnded]:
    lease = owner.assign(attribute, inputs, bundle=code, **SECRETS, **assign)
    return lease, await owner.end_of(lease)


@pytest.mark.parametrize("is_async", [True, False])
async def test_every_way_of_printing_a_value_is_masked(worker: StartWorker, bundle: Bundle, is_async: bool) -> None:
    code = bundle(
        HEAD + "def talk():\n"
        "    for value in (password(), key()):\n"
        "        print('plain', value)\n"
        "        print('repr', [value], dict(os.environ), file=sys.stderr)\n"
        "        print('json', json.dumps({'value': value}))\n"
        "        print('url', quote(value), quote(value, safe=''))\n"
        "        print('hex', value.encode().hex())\n"
        "        print('base64', base64.b64encode(value.encode()).decode())\n"
        "        sys.stdout.buffer.write(value.encode() + b'\\n')\n"
        "        logging.getLogger().error('logged %s', value)\n"
        "        thread = threading.Thread(target=print, args=('thread', value))\n"
        "        thread.start()\n        thread.join()\n"
        "@env.task\nasync def talks() -> None:\n    talk()\n"
        "@env.task\ndef talks_at_rest() -> None:\n    talk()\n"
    )
    owner = await worker()
    lease, _ = await run(owner, code, "talks" if is_async else "talks_at_rest", is_async=is_async)
    assert_nothing_told(owner)
    said = owner.logged(lease)
    for word in ("plain", "json", "url", "hex", "base64", "logged", "thread"):
        assert f"{word} " in said
    assert said.count("[secret]") >= 20


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_value_in_many_writes_is_masked(worker: StartWorker, bundle: Bundle, is_async: bool) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def drips() -> None:\n"
        "    print('>', end='')\n"
        "    for letter in password():\n"
        "        print(letter, end='', flush=True)\n        await asyncio.sleep(0.001)\n"
        "    print('<')\n"
        "@env.task\ndef drips_at_rest() -> None:\n"
        "    print('>', end='')\n"
        "    for letter in password():\n"
        "        print(letter, end='', flush=True)\n        time.sleep(0.02)\n"
        "    print('<')\n"
    )
    owner = await worker()
    lease, _ = await run(owner, code, "drips" if is_async else "drips_at_rest", is_async=is_async)
    assert owner.logged(lease) == ">[secret]<\n"


async def test_a_value_half_in_output_and_half_in_error_is_masked(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def halves() -> None:\n"
        "    print(password()[:9], end='')\n    print(password()[9:], file=sys.stderr)\n"
    )
    owner = await worker()
    lease, _ = await run(owner, code, "halves")
    assert owner.logged(lease) == "[secret]\n"


async def test_a_flood_with_values_across_all_borders_is_masked(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def floods() -> None:\n"
        "    sys.stdout.write(''.join(f'{n} {password()}\\n' for n in range(20_000)))\n"
        "    for n in range(20_000):\n        print(n, password())\n"
    )
    owner = await worker()
    lease, _ = await run(owner, code, "floods")
    assert owner.logged(lease) == "".join(f"{n} [secret]\n" for n in range(20_000)) * 2


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_short_end_of_output_is_seen_while_the_task_goes_on(
    worker: StartWorker, bundle: Bundle, is_async: bool
) -> None:
    code = bundle(
        "@env.task\nasync def asks(marker: str) -> None:\n"
        "    print('continue? k', end='')\n"
        "    while not os.path.exists(marker):\n        await asyncio.sleep(0.01)\n"
        "@env.task\ndef asks_at_rest(marker: str) -> None:\n"
        "    print('continue? k', end='')\n"
        "    while not os.path.exists(marker):\n        time.sleep(0.01)\n"
    )
    owner = await worker()
    marker = code.parent / "marker"
    attribute = "asks" if is_async else "asks_at_rest"
    inputs = encode(marker=str(marker))
    lease = owner.assign(attribute, inputs, bundle=code, is_async=is_async, **SECRETS)
    await owner.until(lambda: owner.logged(lease) == "continue? k")
    marker.touch()
    await owner.end_of(lease)


async def test_the_end_of_output_is_complete(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(HEAD + "@env.task\nasync def talks() -> None:\n    print('so:', password()[:-1], end='')\n")
    owner = await worker()
    lease, _ = await run(owner, code, "talks")
    assert owner.logged(lease) == f"so: {VALUE[:-1]}"


FAILURES = {
    "message": "raise ValueError(f'cannot log in as root:{password()}')",
    "cause": "try:\n        raise KeyError(password())\n    except KeyError as error:\n"
    "        raise RuntimeError('no') from error",
    "key": "{}[password()]",
    "code": "raise flyte.errors.CustomError(password(), 'no')",
    "group": "raise ExceptionGroup('several', [ValueError(key()), ValueError(password())])",
    "held": "error = ValueError('no')\n    error.variables = dict(os.environ)\n    raise error",
    "note": "error = ValueError('no')\n    error.add_note(f'with {password()!r}')\n    raise error",
    "encoded": "raise ValueError(base64.b64encode(password().encode()))",
    "exit": "sys.exit(password())",
    "at the border": "raise ValueError('x' * (64 * 1024 - 60) + password() * 3)",
    "program": "subprocess.run(['false', password()], check=True)",
}


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("way", FAILURES)
async def test_an_error_does_not_tell_a_value(worker: StartWorker, bundle: Bundle, way: str, is_async: bool) -> None:
    head = "@env.task\nasync def fails" if is_async else "@env.task\ndef fails"
    code = bundle(f"{HEAD}import flyte.errors\n{head}() -> None:\n    {FAILURES[way]}\n")
    owner = await worker()
    _, end = await run(owner, code, "fails", is_async=is_async)
    assert end.WhichOneof("outcome") == "error"
    assert_nothing_told(owner)
    # What a pickle holds cannot be masked. A cause is no part of it.
    assert bool(end.error.pickled_exception) == (way == "cause")
    if way not in ("held", "at the border"):
        assert "[secret]" in end.error.code + end.error.message + end.error.traceback


async def test_an_error_without_a_value_is_told_as_ever(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def fails() -> None:\n    raise ValueError('no such table')\n")
    owner = await worker()
    _, end = await run(owner, code, "fails")
    assert end.error.message == "no such table"
    assert end.error.pickled_exception


async def test_a_module_that_fails_to_load_does_not_tell_a_value(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(HEAD + "print('loaded with', password())\nraise ImportError(key())\n")
    owner = await worker()
    _, end = await run(owner, code, "missing")
    assert end.error.code == "ImportError"
    assert_nothing_told(owner)


async def test_every_attempt_of_a_replica_is_masked(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        HEAD + "@env.task\nasync def talks(n: int) -> None:\n"
        "    print(n, password()[:4], end='')\n    await asyncio.sleep(0.01)\n    print(password()[4:])\n"
        "    if n % 2:\n        raise ValueError(key())\n"
    )
    owner = await worker(replica=True)
    leases = [owner.assign("talks", encode(n=n), bundle=code, action=f"a{n}", **SECRETS) for n in range(6)]
    for n, lease in enumerate(leases):
        end = await owner.end_of(lease)
        assert owner.logged(lease) == f"{n} [secret]\n"
        assert end.HasField("error") == bool(n % 2)
    assert_nothing_told(owner)


async def test_a_replica_masks_the_values_that_an_attempt_was_given(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def talks() -> None:\n    print(os.environ['TOKEN'])\n")
    owner = await worker(replica=True)
    for value in ("first-value", "second-value"):
        lease = owner.assign("talks", bundle=code, action=value, secret_env={"TOKEN": value.encode()})
        await owner.end_of(lease)
        assert owner.logged(lease) == "[secret]\n"


async def test_a_value_that_is_too_short_is_shown(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def talks() -> None:\n    print('pin', os.environ['PIN'])\n")
    owner = await worker()
    lease = owner.assign("talks", bundle=code, secret_env={"PIN": b"123"})
    await owner.end_of(lease)
    assert owner.logged(lease) == "pin 123\n"
