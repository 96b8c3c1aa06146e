import re
import sys
from pathlib import Path

import pytest
from django.conf import settings

sys.path.insert(0, str(Path(settings.BASE_DIR) / "deploy"))

import bootstrap


def test_without_root_the_commands_are_printed(monkeypatch):
    monkeypatch.setattr(bootstrap, "_as_root", lambda: None)

    with pytest.raises(SystemExit) as stopped:
        bootstrap.install(
            [packages for _names, packages in bootstrap.LIBRARIES.values()], "Pango is missing."
        )

    text = str(stopped.value)
    assert "Pango is missing." in text
    assert (
        'sudo sh -c "apt-get update && apt-get install -y '
        'libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"' in text
    )
    assert 'sudo sh -c "dnf install -y pango harfbuzz"' in text
    assert "macOS: brew install pango harfbuzz" in text


def test_a_missing_library_is_found_out(monkeypatch):
    monkeypatch.setitem(bootstrap.LIBRARIES, "pango", (["libnowhere.so.7"], {"apt": "libnowhere7"}))

    assert {"apt": "libnowhere7"} in bootstrap.missing_packages(with_browser=False)


def test_a_venv_without_ensurepip_asks_for_the_package(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / "bin/python")
    monkeypatch.setattr(bootstrap, "_run_quietly", lambda *command: bool(asked))
    monkeypatch.setattr(bootstrap, "install", lambda packages, why: asked.extend(packages))

    bootstrap._make_venv()

    assert asked == [bootstrap.VENV_PACKAGE]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash_and_no_index(name):
    text = (Path(settings.BASE_DIR) / name).read_text()
    blocks = re.split(r"\n(?=\S)", text)
    packages = [block for block in blocks if re.match(r"[\w.\[\],-]+==", block)]

    assert packages
    assert [block.split()[0] for block in packages if "--hash=sha256:" not in block] == []
    assert "://" not in text
