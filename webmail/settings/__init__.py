"""Settings by place: ``base`` is common; ``dev``, ``test`` and ``prod`` are chosen by DJANGO_SETTINGS_MODULE."""
