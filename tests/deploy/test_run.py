import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from django.conf import settings

sys.path.insert(0, str(Path(settings.BASE_DIR) / "deploy"))

import run


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_in_use_is_one_clear_sentence(taken_port, tmp_path):
    process = subprocess.run(
        [sys.executable, "deploy/run.py"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "HOST": "127.0.0.1", "PORT": str(taken_port), "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert process.returncode == 1
    assert (
        process.stderr.strip()
        == f"Port {taken_port} is in use; choose another one, for example PORT={taken_port + 1}."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", ""])
def test_no_port_is_refused(text):
    with pytest.raises(SystemExit, match="is not a port"):
        run.read_port(text)


def test_address_of_another_machine_is_refused():
    with pytest.raises(SystemExit, match=r"HOST=203\.0\.113\.1 is not an address of this machine"):
        run.check_port("203.0.113.1", 8000)


def test_every_address_at_once_is_refused():
    with pytest.raises(SystemExit, match="give the one that handhelds will use"):
        run.check_port("0.0.0.0", 8000)


def test_second_start_in_the_same_folder_says_where_the_first_runs(tmp_path):
    first = run.claim(tmp_path, "http://127.0.0.1:8000")

    with pytest.raises(SystemExit, match=r"It runs already, at http://127\.0\.0\.1:8000; stop that first"):
        run.claim(tmp_path, "http://127.0.0.1:8001")

    first.close()
    run.claim(tmp_path, "http://127.0.0.1:8001").close()
    assert (tmp_path / "running").read_text() == "http://127.0.0.1:8001"


def test_certificate_covers_the_address(tmp_path):
    path, key = run.make_certificate(tmp_path, "192.168.1.20")

    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.168.1.20"]
    assert key.stat().st_mode & 0o777 == 0o600


def test_certificate_covers_the_host_name(tmp_path):
    path, _key = run.make_certificate(tmp_path, "depot.local")

    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "depot.local" in names.get_values_for_type(x509.DNSName)


def test_certificate_is_kept_for_the_next_start(tmp_path):
    first = run.make_certificate(tmp_path, "192.168.1.20")[0].read_bytes()

    assert run.make_certificate(tmp_path, "192.168.1.20")[0].read_bytes() == first


def test_a_process_that_ends_is_named_with_its_last_lines(tmp_path):
    children = run.Children(tmp_path)
    children.start("stays", [sys.executable, "-c", "import time; time.sleep(60)"])
    children.start("ends", [sys.executable, "-c", "print('no more paper')"])
    children.processes["ends"].wait(timeout=10)

    assert children.dead() == "ends"
    assert children.tail("ends") == "no more paper"
    children.stop()
    assert children.processes["stays"].poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent was killed")
def test_a_killed_launcher_takes_its_processes_along(tmp_path):
    program = (
        "import sys, time; sys.path.insert(0, 'deploy'); import pathlib, run;"
        f"children = run.Children(pathlib.Path({str(tmp_path)!r}));"
        "children.start('stays', [sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(children.processes['stays'].pid, flush=True); time.sleep(60)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    child = int(launcher.stdout.readline())

    launcher.kill()
    launcher.wait(timeout=10)

    assert _ends(child)


def _ends(pid):
    for _attempt in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # ended, and nobody has asked how
            return True
        time.sleep(0.1)
    return False


def test_an_unchanged_database_is_prepared_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(run, "prepare", lambda var: (calls.append(var), ({}, False))[1])
    (tmp_path / "fulfillment.sqlite3").touch()

    run.ensure_prepared(tmp_path)
    run.ensure_prepared(tmp_path)

    assert calls == [tmp_path]


def test_a_new_database_file_is_prepared_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(run, "prepare", lambda var: (calls.append(var), ({}, False))[1])
    database = tmp_path / "fulfillment.sqlite3"
    database.touch()
    run.ensure_prepared(tmp_path)

    database.rename(tmp_path / "kept.sqlite3")
    database.touch()
    run.ensure_prepared(tmp_path)

    assert len(calls) == 2
