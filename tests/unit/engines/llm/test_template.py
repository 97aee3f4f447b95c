"""Chat templates: ordinary ones render as in jinja2, hostile ones end soon and small, with a sentence."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from speechmlx.engines.llm import template
from speechmlx.engines.llm.template import MAX_SOURCE, MAX_STEPS, Sandbox, TemplateLimit

MESSAGES = [
    {"role": role, "content": f"  Text {n} <b>\n"} for n, role in enumerate(["system", "user", "assistant"] * 20)
]
ORDINARY = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}\n{% endfor %}",
    "{%- set ns = namespace(last=-1, text='') %}{% for m in messages[::-1] %}"
    "{% set i = messages|length - 1 - loop.index0 %}"
    "{% if m.role == 'user' and ns.last < 0 %}{% set ns.last = i %}{% endif %}{% set ns.text = ns.text + m.content %}"
    "{% endfor %}{{ ns.last }}{{ ns.text }}",
    "{% set rest = messages[1:] %}{% for m in rest %}{% if loop.first %}{{ rest|length ~ ':' ~ m.content }}{% endif %}"
    "{% if not loop.last %}{% continue %}{% endif %}{{ '%s has %05d' % (m.role, loop.index) }}{% endfor %}",
    "{% macro one(m, tag='t') %}<{{ tag }}>{{ m.content.strip() }}</{{ tag }}>{% endmacro %}"
    "{% for m in messages %}{{ one(m, tag=m.role) }}{% endfor %}{{ [1, 'a', {'b': (2, 3)}] }}",
    "{{ messages | map(attribute='role') | unique | join(', ') }}|"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ 'a,b'.split(',') | join('-') }}|"
    "{{ 'x' * 3 }}|"
    "{{ '{:.1f} {}'.format(2.55, 'y') }}|{{ 2 ** 10 }}",
    "{% set text %}{% for m in messages %}{{ m.content | replace('<', '&lt;') | upper }}{% endfor %}{% endset %}"
    "{{ text | indent(4) }}{{ ','.join(['p', 'q']) }}{{ 'ab'.center(8) }}"
    "{{ range(3) | list }}{{ dict(a=1).items() | list }}",
    "{{ messages[0].content[2:6] }}{{ none }}{{ undefined_thing }}{{ true and 'yes' or 'no' }}{{ '%d%%' % 5 }}",
)
SIXTY = "{% for i in range(60) %}"
HOSTILE = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "a macro that calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}"
    "{% endmacro %}{{ f(60) }}",
    "doubling by ~": "{% set n = namespace(x='ab') %}" + SIXTY + "{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling by +": "{% set n = namespace(x='ab') %}" + SIXTY + "{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling of lists": "{% set n = namespace(x=[1]) %}" + SIXTY + "{% set n.x = n.x + n.x %}{% endfor %}",
    "doubling by blocks": "{% set n = namespace(x='ab') %}" + SIXTY + "{% set y %}{{ n.x }}{{ n.x }}{% endset %}"
    "{% set n.x = y %}{% endfor %}",
    "doubling by join": "{% set n = namespace(x='ab') %}" + SIXTY + "{% set n.x = [n.x, n.x]|join %}{% endfor %}",
    "doubling by replace": "{% set n = namespace(x='aa') %}" + SIXTY + "{% set n.x = n.x.replace('a', 'aa') %}"
    "{% endfor %}",
    "replace between all": "{{ ('a' * 9999).replace('', 'b' * 9999999) }}",
    "nests": "{% set n = namespace(x=[1]) %}" + SIXTY + "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "nests of dicts": "{% set n = namespace(x=1) %}" + SIXTY + "{% set n.x = dict(a=n.x, b=n.x) %}{% endfor %}"
    "{{ n.x | tojson }}",
    "times": "{{ 'x' * 9999999999 }}",
    "times of a list": "{{ ([1] * 9999999999) | length }}",
    "the other times": "{{ 9999999999 * 'x' }}",
    "powers": "{{ 9 ** (9 ** 9) }}",
    "squares": "{% set n = namespace(x=3) %}" + SIXTY + "{% set n.x = n.x * n.x %}{% endfor %}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a width from a value": "{{ '%*d' % (999999999, 1) }}",
    "a wide str.format": "{{ '{:999999999}'.format(1) }}",
    "a computed width": "{{ '{:{}}'.format(1, 999999999) }}",
    "format of much": "{{ ('{0}' * 99999).format('x' * 99999) }}",
    "the filter format": "{{ '%999999999s' | format('x') }}",
    "padding": "{{ 'x'.ljust(999999999) }}",
    "center": "{{ 'x' | center(999999999) }}",
    "indent": "{{ ('\n' * 9999) | indent(999999) }}",
    "indent of JSON": "{{ [[[1]]] | tojson(indent=99999999) }}",
    "join of many": "{{ range(99999) | map('string') | join('x' * 99999) }}",
    "output without end": "{% for a in range(99999) %}{{ 'x' * 999 }}{% endfor %}",
    "lists in lists of loops": "{% for a in range(99999) %}{% set b = range(99999) | list %}{% endfor %}",
}


@pytest.mark.parametrize("source", ORDINARY)
def test_an_ordinary_template_renders_as_it_does_in_jinja2(source: str) -> None:
    plain = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    ).from_string(source)
    assert Sandbox().read(source)(messages=MESSAGES) == plain.render(messages=MESSAGES)


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_ends_soon_and_small(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MAX_STEPS", 20_000)
    monkeypatch.setattr(template, "MAX_SIZE", 1_000_000)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    with pytest.raises(TemplateLimit, match=r"^(does not end|makes|pads|formats)"):
        Sandbox().read(source)(messages=MESSAGES)
    assert time.thread_time() - began < 3
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 100_000_000


@pytest.mark.parametrize("source", ["{{ 'x'.translate({120: 'y'}) }}", "{{ 'x'.expandtabs(9) }}", "{{ x | urlize }}"])
def test_what_cannot_be_measured_is_not_there(source: str) -> None:
    with pytest.raises(TemplateError):
        Sandbox().read(source)(x="x")


@pytest.mark.parametrize("source", ["x" * (MAX_SOURCE + 1), "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"])
def test_a_source_that_is_too_large_or_too_deep(source: str) -> None:
    with pytest.raises(TemplateLimit, match=r"^(has 1000001 characters|is nested too deeply)"):
        Sandbox().read(source)


def test_long_histories_stay_far_below_the_bounds() -> None:
    messages: list[Any] = [{"role": "user", "content": f"{n} " * 500} for n in range(1000)]
    collects = "{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m] %}{% endfor %}"
    render = Sandbox().read(ORDINARY[0] + "{{ messages | tojson }}" + collects + "{{ ns.l | length }}")
    assert render(messages=messages).endswith("1000")


def test_tracing_is_as_it_was_and_the_real_bounds_hold() -> None:
    before = sys.gettrace()
    with pytest.raises(TemplateLimit, match=f"within {MAX_STEPS} steps|within 2 s"):
        Sandbox().read(HOSTILE["nested loops"])()
    assert sys.gettrace() is before
