"""IMAP's wire: bytes to responses, arguments to bytes, commands over one socket. Knows no mailbox, keeps no state.

`scanner` and `encode` do no I/O; `fetch` and `replies` read responses; `channel` holds the socket and the clock;
`wire` runs commands.
"""
