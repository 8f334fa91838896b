"""Health check of the web container: ends with 0 when pages answer on port 8000."""

import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def main() -> int:
    """Ask for /healthz under the site's own host name, as the proxy in front does."""
    host = urlsplit(os.environ["MAILROOM_SITE_URL"]).netloc
    request = urllib.request.Request("http://127.0.0.1:8000/healthz", headers={"Host": host})
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - loopback
    except (urllib.error.URLError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
