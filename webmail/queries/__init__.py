"""Reads for people: values that templates print. ``access`` is the only way from a person to an object."""
