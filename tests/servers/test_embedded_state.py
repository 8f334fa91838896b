"""The folder deploy/up keeps: one run at a time, never a stranger's files, secrets made once."""

import os
import socket
from pathlib import Path

import pytest

from deploy.embedded import state
from deploy.embedded.ports import free_port
from deploy.embedded.process import Account
from deploy.embedded.state import CannotStart


def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    handle = state.lock(tmp_path / "s")
    with pytest.raises(CannotStart, match=rf"already running .* \(process {os.getpid()}\)"):
        state.lock(tmp_path / "s")
    os.close(handle)
    os.close(state.lock(tmp_path / "s"))


def test_a_folder_of_other_files_is_never_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")
    with pytest.raises(CannotStart, match="not Mailroom's"):
        state.lock(tmp_path)
    assert (tmp_path / "thesis.odt").exists()


def test_secrets_and_ports_stay_until_reset(tmp_path: Path) -> None:
    handle = state.lock(tmp_path)
    kept = state.prepare(tmp_path, account=None)
    ports = state.choose_ports(tmp_path, web=None)
    first = state.django_environment(kept, ports=ports)
    again = state.django_environment(kept, ports=state.choose_ports(tmp_path, web=None))
    state.reset(tmp_path)
    os.close(handle)
    assert first["MAILROOM_SECRET_KEY"] == again["MAILROOM_SECRET_KEY"]
    assert (first["MAILROOM_SITE_URL"], first["MAILROOM_DEMO_IMAP_PORT"]) == (
        again["MAILROOM_SITE_URL"],
        again["MAILROOM_DEMO_IMAP_PORT"],
    )
    assert not (tmp_path / "secret").exists()
    assert all(port < 32_768 for port in ports.values())


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(CannotStart, match=f"Port {port} .* --port"):
        state.choose_ports(tmp_path, web=port)


def test_a_database_of_another_account_lies_outside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "ROOT_DATA", tmp_path / "var")
    monkeypatch.setattr(state, "give", lambda path, account: path)
    home = tmp_path / "root"
    os.close(state.lock(home))
    first = state.prepare(home, account=Account("nobody", 65534, 65534))
    second = state.prepare(home, account=Account("nobody", 65534, 65534))
    assert first.database == second.database
    assert first.database.parent == tmp_path / "var"
    assert not first.runtime.exists()
    state.forget_runtime(second)
