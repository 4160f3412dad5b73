"""The installed program as a person and a script meet it: a terminal, a start that is light, signals."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import PASSWORD, Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.integration.cli.receivers import careful, receiver
from tests.unit.cli.samples import UPLOAD, at_step

PROGRAM = [sys.executable, "-c", "from certpipe.cli import main; main()"]
PATH = f"/v1/uploads/{UPLOAD}"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")}
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40", **more}


def on_a_terminal(
    arguments: list[str], folder: Path, typed: str, *, prompt: bytes = b"password: ", **more: str
) -> tuple[int, str]:
    """Run the program on a terminal of its own, type when it asks, and return its exit code and what was shown."""
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(**more),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    ) as program:
        os.close(inside)
        shown, asked = b"", False
        while select.select([terminal], [], [], 60)[0]:
            try:
                chunk = os.read(terminal, 65_536)
            except OSError:  # how Linux says that the other side is gone
                break
            shown += chunk
            if not asked and prompt in shown:  # the blank comes after the echo is off
                asked = True
                os.write(terminal, typed.encode() + b"\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(30)
        program.kill()
        os.close(terminal)
        return program.wait(30), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(("encoding", "tick"), [("utf-8", "✓"), ("ascii", "[?]")])
def test_on_a_terminal_the_password_is_asked_for_unseen_and_the_stages_are_ticked(
    api: FakeApi, files: Path, encoding: str, tick: str
) -> None:
    api.answers("POST /v1/uploads", Reply(202, at_step(0)))
    api.answers(f"GET {PATH}", Reply(200, at_step(1), {"ETag": '"1"'}))
    api.answers(f"GET {PATH}?wait=20", Reply(200, at_step(4), {"ETag": '"4"'}))
    arguments = ["upload", "cer", "key", "--kind", "fiel"]
    code, shown = on_a_terminal(arguments, files, PASSWORD, PYTHONIOENCODING=encoding)
    assert code == 0, shown
    assert PASSWORD not in shown
    assert re.search(f"{tick} received 0.00 s +{tick} validated 0.50 s +.*{tick} forwarded 2.00 s", shown)
    assert api.received[0].form["password"] == PASSWORD.encode()


def test_the_help_and_a_check_load_no_client_driver_or_server() -> None:
    heavy = ("aiohttp", "asyncpg", "aio_pika", "aiormq")
    for start in ("--help", "check --help"):
        code = (
            "import sys\n"
            f"sys.argv = ['certpipe', *{start.split()!r}]\n"
            "from certpipe.cli import main\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
            f"sys.stderr.write(' '.join(name for name in {heavy!r} if name in sys.modules))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == "", start


def test_the_help_loads_no_command_and_no_schema() -> None:
    code = (
        "import sys\nsys.argv = ['certpipe', '--help']\nfrom certpipe.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(' '.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split())
    assert "certpipe.cli.group" in loaded
    assert not loaded & {"pydantic", "rich", "asyncio", "schemas.status", "certpipe.cli.upload", "certpipe.cli.check"}


@pytest.mark.usefixtures("run")
def test_on_a_terminal_a_new_secret_is_told_and_the_receiver_tried_once_it_has_it(files: Path) -> None:
    file = files / ".certpipe" / "webhook.secret"
    with receiver(careful(file)) as there:
        code, shown = on_a_terminal(["webhooks", "test", there.url], files, "", prompt=b"Press Enter when it has it ")
    assert code == 0, shown
    assert file.read_text().strip() in shown
    assert shown.count("✓") == len(there.deliveries) == 6


@pytest.mark.usefixtures("run")
def test_ctrl_c_ends_watching_quietly_with_130(api: FakeApi, files: Path) -> None:
    api.answers(f"GET {PATH}", Reply(200, at_step(1), {"ETag": '"1"'}))
    with subprocess.Popen(
        [*PROGRAM, "watch", str(UPLOAD)],
        cwd=files,
        env=environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout
        assert program.stderr
        assert "received" in program.stdout.readline()
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130
        assert program.stderr.read() == ""


def test_the_password_is_in_no_answer_of_a_defect(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError(PASSWORD)

    monkeypatch.setattr("certpipe.cli.upload.open_client", break_down)
    monkeypatch.setenv("CERTPIPE_DEBUG", "1")
    result = run("upload", "cer", "key", "--kind", "fiel", "--password-file", "password")
    assert result.exit_code == 70
    assert "upload.py" in result.stderr
