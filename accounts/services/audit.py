"""The audit trail's only writer: who did what to which account; never mail content, never a secret."""

from accounts.models import AuditEvent, Organisation, User


def record(
    actor: User | None, action: str, *, target: str = "", detail: str = "", organisation: Organisation | None = None
) -> None:
    """Adds one line; texts are cut to the columns' width."""
    AuditEvent.objects.create(
        actor=actor,
        organisation=organisation or (actor.organisation if actor else None),
        action=action[:60],
        target=target[:254],
        detail=detail[:500],
    )
