"""What Redis holds is read back as JSON only: a forged entry can lie, it can never run (security criterion S57)."""

import json
from typing import Any


class JSONSerializer:
    """Serializer of Django's Redis cache in place of the pickling default."""

    def dumps(self, obj: Any) -> bytes | int:
        if isinstance(obj, int) and not isinstance(obj, bool):
            return obj  # Redis increments plain integers
        return json.dumps(obj).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
