"""`{{ expression }}`, once, and nothing else."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure
from pydantic import BaseModel

from nbagents import UserError
from nbagents.notebook.prompts import expand, expand_prompt


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


def test_a_short_table_is_sent_whole_with_its_labels():
    df = pd.DataFrame({"t": [1, 2, 3, 4]}).describe()
    text = expand("{{ df }}", {"df": df})
    assert text.startswith("A table of 8 rows and 1 column: t (float64).\n,t\ncount,4.0\nmean,2.5")
    assert text.endswith("\nmax,4.0")


def test_a_long_text_of_the_user_is_sent_whole():
    assert expand("{{ article }}", {"article": "x" * 200_000}) == "x" * 200_000


def test_a_figure_goes_beside_the_prompt():
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    text, file = expand_prompt("Describe {{ fig }}, please.", {"fig": figure})
    assert text == "Describe [picture 1], please."
    assert (file.media_type, file.data[:4]) == ("image/png", b"\x89PNG")


def test_a_figure_cannot_be_in_instructions():
    with pytest.raises(UserError, match="A picture or a file can only be in a prompt"):
        expand("{{ fig }}", {"fig": Figure()})


def test_what_no_model_can_read_is_an_error():
    with pytest.raises(UserError, match="the type object has no form that a model can read"):
        expand("{{ thing }}", {"thing": object()})


LITERAL = 'To write the characters {{ themselves: {{ "{{" }}'


def test_functions_of_python_may_be_called():
    text = "{{ len(xs) }} {{ sum(xs) }} {{ sorted(xs)[0] }} {{ str(1) + '!' }} {{ max(xs) }}"
    assert expand(text, {"xs": [3, 1, 2]}) == "3 6 1 1! 3"
    assert expand("{{ len(1) }}", {"len": lambda _: "mine"}) == "mine"


def test_a_variable_that_is_not_there_names_those_of_the_user_only():
    with pytest.raises(UserError) as caught:
        expand("{{ zzz }}", {"mine": 1, "pd": pd, "UserError": UserError, "_x": 1, "In": []})
    assert str(caught.value).startswith("There is no variable 'zzz'. Known: mine. ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ nmae }}", "There is no variable 'nmae'. Did you mean 'name'?"),
        ("{{ name.lenght }}", "has no attribute 'lenght'"),
        ("a\n{{ name", "Line 2 of the prompt: {{ has no }}."),
        (
            "{{ 1 + }}",
            "{{ 1 + }} is not an expression that can be evaluated here (unexpected '}}').",
        ),
        ("{{ [x * 2 for x in xs] }}", "Compute it in a cell, x = ..., and write {{ x }}."),
        ("{{ f'{xs[0]:.2f}' }}", "Compute it in a cell"),
        ("a {{{xs}}} b", "is not an expression"),
        ("print(f'{{'k': 1}}')", LITERAL),
        ('{"a": {{...', LITERAL),
        ("token: ${{ secrets.TOKEN }}", "There is no variable 'secrets'."),
        ("token: ${{ secrets.TOKEN }}", LITERAL),
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


def test_a_log_is_read_as_a_terminal_showed_it():
    log = "start\n 10%\r 50%\r100%\n\x1b[32mdone\x1b[0m\r\n"
    assert expand("{{ log }}", {"log": log}) == "start\n100%\ndone\r\n"
