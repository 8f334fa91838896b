#!/usr/bin/env python
"""Django's command line for Mailroom; DJANGO_SETTINGS_MODULE chooses the settings, there is no fallback."""

import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
