"""`{{ expression }}`, once, and nothing else."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import BaseModel

from nbagents import UserError
from nbagents.notebook.prompts import expand


class Point(BaseModel):
    x: int
    label: str


@pytest.mark.parametrize(
    "text",
    ["plain", "{x}", "$x", "{% if x %}", "{# note #}", '{"a": {"b": 1}}', "50 %", "}} alone"],
)
def test_other_braces_are_text(text: str):
    assert expand(text, {"x": 1}) == text
    assert expand(text + "{{ x }}", {"x": 1}) == text + "1"


def test_literal_braces_can_be_written():
    assert expand('{{ "{{" }} x {{ "}}" }}', {}) == "{{ x }}"


def test_a_value_is_never_expanded_again():
    assert expand("{{ page }}", {"page": "{{ secret }}", "secret": "s3cret"}) == "{{ secret }}"


def test_line_ends_and_spaces_are_kept():
    assert expand("a  \n{{ x }}\n\n", {"x": "b"}) == "a  \nb\n\n"


def test_expressions_reach_into_values():
    assert expand("{{ d.a[1] }} {{ 1 + 2 }} {{ n|length }}", {"d": {"a": [1, 7]}, "n": "abc"}) == (
        "7 3 3"
    )


def test_structures_are_written_as_json():
    assert expand("{{ p }} {{ d }}", {"p": Point(x=1, label="é"), "d": {"a": [1, None]}}) == (
        '{"x":1,"label":"é"} {"a":[1,null]}'
    )


def test_a_table_is_its_columns_and_a_sample():
    df = pd.DataFrame({"city": ["Oslo"] * 1000, "n": range(1000)})
    text = expand("{{ df }}", {"df": df})
    assert text.startswith("A table of 1000 rows. Columns: city (")
    assert text.count("Oslo") == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ nmae }}", "There is no variable 'nmae'. Did you mean 'name'?"),
        ("{{ name.lenght }}", "has no attribute 'lenght'"),
        ("a\n{{ name", "line 2"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{{ name.__class__ }}", "may not"),
        ("{{ f() }}", "KeyError: 'k'"),
    ],
)
def test_a_mistake_says_what_is_wrong(text: str, says: str):
    def f():
        raise KeyError("k")

    with pytest.raises(UserError) as caught:
        expand(text, {"name": "Ada", "f": f})
    assert says in str(caught.value)
