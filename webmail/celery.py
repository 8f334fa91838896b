"""The Celery application. Tasks are named by ``webmail.jobs`` and live in ``webmail.tasks``."""

from celery import Celery

app = Celery("mailroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["webmail"])
