"""Hostile HTML and text in, safe HTML out. Nothing here talks to the network or to the database."""
