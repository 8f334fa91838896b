"""Running Mailroom: the embedded default, the demo mail server, containers and system services."""
