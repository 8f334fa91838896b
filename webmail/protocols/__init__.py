"""Adapters to mail servers. Everything that comes out is a frozen value; everything that goes wrong is in `errors`."""
