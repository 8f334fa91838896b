"""People, organisations, mail servers and mail accounts, and the panel that manages them. Never imports webmail."""
