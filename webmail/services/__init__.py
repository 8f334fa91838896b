"""Writes, one function per intent of a person: rows they see and the intent for the server, in one transaction."""
