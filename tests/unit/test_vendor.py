"""Whatever the browser runs that others wrote is named with its version, licence and digest, and is what was named."""

import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_vendored_file_is_named_and_no_other() -> None:
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} - {"manifest.json"}
    assert present == {entry["file"] for entry in MANIFEST["files"]}


@pytest.mark.parametrize("entry", MANIFEST["files"] + MANIFEST["packages"], ids=lambda entry: entry["file"])
def test_the_bytes_are_those_of_the_manifest(entry: dict[str, str]) -> None:
    package = entry.get("package")
    path = Path(str(distribution(package).locate_file(entry["file"]))) if package else VENDOR / entry["file"]
    assert digest(path) == entry["sha256"]
    named = entry["version"] in path.read_text() or f"-{entry['version']}/" in entry["file"]
    assert named, "the version stands in the file or its folder"
    assert entry["licence"]
