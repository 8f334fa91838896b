"""One process that holds an IDLE connection for the inbox of every account, and wakes the sync. RFC 2177."""
