"""Nothing but the demo and the tests can lead the image proxy to this machine, and those only for names nobody owns."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PORTS = {"MAILROOM_DEMO_PICTURES_PORT": "4711", "MAILROOM_TEST_IMAGE_PORT": "4711", "MAILROOM_IMAGE_DETOURS": "4711"}


def detours(tmp_path: Path, **environment: str) -> dict[str, int]:
    """What the production settings say in such an environment."""
    known = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "webmail.settings.prod",
        "MAILROOM_SECRET_KEY": "x" * 50,
        "MAILROOM_SITE_URL": "https://mail.example.org",
        "MAILROOM_DATABASE_URL": "postgresql://localhost/none",
        "MAILROOM_REDIS_URL": "redis://localhost",
        "MAILROOM_BROKER_URL": "redis://localhost",
        "MAILROOM_KEY_FILE": str(tmp_path / "key"),
        "MAILROOM_STORAGE_DIR": str(tmp_path),
        **environment,
    }
    ask = "import json; from django.conf import settings; print(json.dumps(settings.MAILROOM['IMAGE_DETOURS']))"
    answer = subprocess.run([sys.executable, "-c", ask], env=known, cwd=ROOT, capture_output=True, check=True)
    found: dict[str, int] = json.loads(answer.stdout)
    return found


def test_production_has_none_whatever_the_environment_says(tmp_path: Path) -> None:
    assert detours(tmp_path, **PORTS) == {}


def test_the_demo_has_one_for_its_own_newsletters(tmp_path: Path) -> None:
    assert detours(tmp_path, MAILROOM_DEMO="1", **PORTS) == {"example": 4711}
