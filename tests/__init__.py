"""Tests at four heights: unit (pure), app (requests), servers (real mail servers), browser (Chromium); and bench."""
