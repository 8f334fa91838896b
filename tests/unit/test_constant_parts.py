import pytest
from django.template import Context, Engine
from django.template.base import Template
from django.utils import translation

from webmail.templatetags.constant_parts import Constant, join_constants

SOURCE = """
{% if who %}<a href="{% url "mail:outbox" %}" title="{% translate "Outbox" %}">{% icon "star" 16 %} {{ who }}</a>
{% translate "Outbox" %}{% else %}<b>{% translate "nobody" %}</b>{% endif %}
{% for one in many %}<i>{% icon one %}</i>{% endfor %}
"""


def made(source: str = SOURCE) -> Template:
    return Template(source, engine=Engine.get_default())


def runs(template: Template) -> list[Constant]:
    return [node for node in template.nodelist.get_nodes_by_type(Constant) if isinstance(node, Constant)]


@pytest.mark.parametrize("values", [{"who": "<Ada>", "many": ["star", "tag"]}, {"many": []}, {"who": "Bo"}])
def test_joined_parts_say_what_they_said_apart(values: dict[str, object]) -> None:
    joined, plain = made(), made()
    join_constants(joined.nodelist)
    assert runs(joined)
    for _ in range(2):  # put together, then remembered
        assert joined.render(Context(values)) == plain.render(Context(values))


def test_words_are_put_together_for_each_language() -> None:
    template = made('<b>{% translate "Yes" %}</b>')
    join_constants(template.nodelist)
    said = []
    for language in ("en", "de"):
        with translation.override(language):
            said.append(template.render(Context()))
    assert said == ["<b>Yes</b>", "<b>Ja</b>"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}",
        "{% translate x %}",
        '{% translate "Yes" as y %}',
        "{% icon x %}",
        '{% icon "star" as y %}',
        '{% icon "star"|add:x %}',
        '{% url "mail:thread" x 1 2 %}',
        '{% url "mail:outbox" as y %}',
        "{% static x %}",
        '{% now "s" %}',
        "{% csrf_token %}",
    ],
)
def test_what_depends_on_the_context_is_no_constant(source: str) -> None:
    template = made(f"a{source}b")
    join_constants(template.nodelist)
    assert not runs(template)


def test_joining_again_changes_nothing() -> None:
    template = made()
    join_constants(template.nodelist)
    before = runs(template)
    join_constants(template.nodelist)
    assert runs(template) == before
