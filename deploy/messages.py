"""Renew the German catalogue: collect new texts (needs gettext) and compile it (needs nothing).

``python deploy/messages.py`` collects and compiles, ``python deploy/messages.py compile`` only compiles.
"""

import subprocess
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "fulfillment/locale/de/LC_MESSAGES/django.po"
LEFT_OUT = ["tests", "var", "staticfiles", ".venv", "node_modules"]


def collect():
    """Run Django's makemessages over the whole project, into the one catalogue."""
    subprocess.run(
        [
            *(sys.executable, ROOT / "manage.py", "makemessages", "--locale", "de"),
            *("--no-location", "--no-wrap", "--no-obsolete", "--verbosity", "0"),
            *(f"--ignore={name}" for name in LEFT_OUT),
        ],
        cwd=ROOT,
        check=True,
    )


def compile_catalogue():
    """Write the .mo file beside the .po file; returns the texts that still lack a translation."""
    catalogue = polib.pofile(str(CATALOGUE), wrapwidth=0)
    for entry in catalogue:
        # Notes of what a text was before: msgmerge cannot read them beside a translated plural.
        entry.previous_msgctxt = entry.previous_msgid = entry.previous_msgid_plural = None
    # As collected, the order is that of the files on the disk, which differs between machines.
    catalogue.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ""))
    catalogue.save()
    catalogue.save_as_mofile(str(CATALOGUE.with_suffix(".mo")))
    return [entry.msgid for entry in catalogue.untranslated_entries() + catalogue.fuzzy_entries()]


if __name__ == "__main__":
    if sys.argv[1:] != ["compile"]:
        collect()
    missing = compile_catalogue()
    print(f"{len(missing)} texts without a translation", *missing[:20], sep="\n  ")
