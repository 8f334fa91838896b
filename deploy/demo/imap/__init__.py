"""The IMAP4rev1 face of the demo mail server (RFC 3501 and the extensions named in `session.CAPABILITIES`)."""
