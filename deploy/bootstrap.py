"""Bring what the project needs: a virtual environment with the locked packages, and system libraries.

    python3 deploy/bootstrap.py [dev]

Needs nothing but Python 3.11 and its standard library. Does nothing, and quickly, when all is there.
"""

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"

# What WeasyPrint loads, by the names it tries, and the packages that bring it.
LIBRARIES = {
    "pango": (
        ["libpango-1.0.so.0", "libpango-1.0.0.dylib", "libpango-1.0.dylib"],
        {"apt": "libpango-1.0-0", "dnf": "pango", "brew": "pango"},
    ),
    "pangoft2": (
        ["libpangoft2-1.0.so.0", "libpangoft2-1.0.0.dylib", "libpangoft2-1.0.dylib"],
        {"apt": "libpangoft2-1.0-0", "dnf": "pango", "brew": "pango"},
    ),
    "harfbuzz-subset": (
        ["libharfbuzz-subset.so.0", "libharfbuzz-subset.0.dylib"],
        {"apt": "libharfbuzz-subset0", "dnf": "harfbuzz", "brew": "harfbuzz"},
    ),
}
FONTS = {"apt": "fonts-dejavu-core", "dnf": "dejavu-sans-fonts dejavu-sans-mono-fonts", "brew": "font-dejavu"}
# What the tests drive Chromium with is a Node.js program.
ATOMIC = (["libatomic.so.1"], {"apt": "libatomic1", "dnf": "libatomic", "brew": ""})
CHROMIUM = {"apt": "chromium", "dnf": "chromium", "brew": "chromium"}
VENV_PACKAGE = {"apt": "python3-venv", "dnf": "python3", "brew": "python"}
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
MAC_LIBRARIES = ["/opt/homebrew/lib", "/usr/local/lib"]
COMMANDS = {
    "Debian, Ubuntu": "apt-get update && apt-get install -y {apt}",
    "Fedora": "dnf install -y {dnf}",
    "macOS": "brew install {brew}",
}


def stop(text):
    """End with a message that says what to do."""
    sys.exit(f"\n{text}\n")


def say(text):
    print(text, flush=True)


# System libraries


def _loads(names):
    for name in [*names, *(f"{folder}/{name}" for folder in MAC_LIBRARIES for name in names)]:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return True
    return False


def _has_fonts():
    folders = ["/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", str(Path.home() / ".fonts")]
    return any(
        next(Path(folder).rglob(f"*.{ending}"), None)
        for folder in folders
        for ending in ("ttf", "otf", "ttc")
    )


def missing_packages(*, with_browser):
    """Packages that are missing, as one dict of names per package manager."""
    missing = [packages for names, packages in LIBRARIES.values() if not _loads(names)]
    if not _has_fonts():
        missing.append(FONTS)
    if with_browser and not any(map(shutil.which, BROWSERS)):
        missing.append(CHROMIUM)
    if with_browser and sys.platform == "linux" and not _loads(ATOMIC[0]):
        missing.append(ATOMIC[1])
    return missing


def _names(packages, manager):
    return " ".join(dict.fromkeys(name for names in packages for name in names[manager].split()))


def _as_root():
    """The words to put before a command to run it as root, or None when that is not possible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def install(packages, why):
    """Install system packages as root, or stop with the commands that do it."""
    prefix = _as_root()
    if prefix is None or not shutil.which("apt-get"):
        lines = [
            f"  {system}: {'' if system == 'macOS' else 'sudo sh -c '}"
            + (command if system == "macOS" else f'"{command}"').format(
                **{manager: _names(packages, manager) for manager in ("apt", "dnf", "brew")}
            )
            for system, command in COMMANDS.items()
        ]
        stop("\n".join([f"{why} Install it, then start again:", *lines]))
    names = _names(packages, "apt").split()
    say(f"Installing {', '.join(names)} ...")
    apt = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-qq",
    ]
    subprocess.run([*apt, "update"], check=False, stdout=subprocess.DEVNULL)
    if subprocess.run([*apt, "install", "-y", *names], stdout=subprocess.DEVNULL).returncode:
        stop(f"Installing {', '.join(names)} failed; the reason stands above.")


# Python packages


def _make_venv():
    # A stamp says that pip worked here before; asking pip itself takes a third of a second.
    if PYTHON.exists() and (any(VENV.glob(".*.lock")) or _run_quietly(PYTHON, "-m", "pip", "--version")):
        return
    say("Creating .venv ...")
    if not _run_quietly(sys.executable, "-m", "venv", "--clear", VENV):
        # Debian's python3 comes without ensurepip.
        install([VENV_PACKAGE], "This Python cannot create virtual environments.")
        if not _run_quietly(sys.executable, "-m", "venv", "--clear", VENV):
            stop(f"{sys.executable} -m venv {VENV} failed.")


def _run_quietly(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


def _stamp(name):
    """The file that says which version of a lock is installed, and what it says when it is this one."""
    content = (ROOT / name).read_bytes() + sys.version.encode()
    return VENV / f".{name}", hashlib.sha256(content).hexdigest()


def _install_locked(name):
    """Install a lock file unless exactly this one is installed already."""
    stamp, wanted = _stamp(name)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"Installing the packages of {name} ...")
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "--require-hashes", "-r", ROOT / name]).returncode:
        stop(f"Installing {name} failed; the reason stands above.")
    stamp.write_text(wanted)
    if name == DEV_LOCK:
        # It holds all of the other one, in the same versions.
        stamp, wanted = _stamp(LOCK)
        stamp.write_text(wanted)


def main(arguments):
    """Set up for running, or with ``dev`` for tests and checks too."""
    dev = "dev" in arguments
    if sys.version_info < OLDEST:
        stop(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}.")
    _make_venv()
    _install_locked(DEV_LOCK if dev else LOCK)
    missing = missing_packages(with_browser=dev)
    if missing:
        install(missing, "A system package is missing that labels or browser tests need.")
        if missing_packages(with_browser=dev):
            stop("The system packages were installed but are still not found.")


if __name__ == "__main__":
    main(sys.argv[1:])
