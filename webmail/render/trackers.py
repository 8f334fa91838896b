"""Pictures that exist to report that a message was opened. They are counted and never loaded, not even by the proxy."""

import re

from webmail.render.urls import web_host

_HOSTS = re.compile(
    r"(?:^|\.)(?:mailtrack\.io|mltrk\.io|bananatag\.com|yesware\.com|streak\.com|getnotify\.com|readnotify\.com"
    r"|mailfoogae\.appspot\.com|pixel\.wp\.com|google-analytics\.com|emltrk\.com|cirrusinsight\.com"
    r"|saleshandy\.com|mailbutler\.io|hubspotlinks\.com|salesloft\.com|outreach\.io|doubleclick\.net)\Z"
)
_PATHS = re.compile(
    r"/(?:wf/open|track/open(?:\.php|\.aspx)?|e/o|open\.aspx|email/open|trk/open|pixel\.(?:gif|png)|beacon\.gif)"
    r"(?:[/?#]|\Z)",
    re.IGNORECASE,
)


def is_tracker(url: str) -> bool:
    """Whether the URL is one of the usual open-tracking services."""
    host = web_host(url)
    return bool(host) and (_HOSTS.search(host) is not None or _PATHS.search(url[:2_000]) is not None)
