"""Options first, and all the rest is the prompt, raw."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from nbagents.notebook.arguments import parse
from nbagents.notebook.magics import AgentMagics


@pytest.mark.parametrize(
    ("line", "options", "prompt"),
    [
        ("a what is it?", {}, "what is it?"),
        ("a   two  spaces ", {}, "two  spaces"),
        ("a it's \"quoted\" 'text'", {}, "it's \"quoted\" 'text'"),
        ('a "quoted" at the start', {}, '"quoted" at the start'),
        ("a -5 degrees", {}, "-5 degrees"),
        ("a --", {}, ""),
        ("a -- --model x", {}, "--model x"),
        ("a -m gpt hello", {"model": "gpt"}, "hello"),
        ("-m gpt a hello", {"model": "gpt"}, "hello"),
        ("a --model=gpt hello", {"model": "gpt"}, "hello"),
        ("a --out list[int] hello", {"out": "list[int]"}, "hello"),
        ('a --out "dict[str, int]" hello', {"out": "dict[str, int]"}, "hello"),
        ('a --out="dict[str, int]" hello', {"out": "dict[str, int]"}, "hello"),
        ("a --out='dict[str, int]' -- 'hello'", {"out": "dict[str, int]"}, "'hello'"),
        ("a --turns 3 --cost 0.5 go", {"turns": 3, "cost": 0.5}, "go"),
        ("a --temperature -1 go", {"temperature": -1.0}, "go"),
        ("a hello --model is text here", {}, "hello --model is text here"),
    ],
)
def test_a_line_is_split_into_options_and_prompt(line: str, options: dict, prompt: str):
    parsed = parse(AgentMagics.ask, line)
    given = {name: value for name, value in vars(parsed.options).items() if value is not None}
    assert given == {"name": "a", **options}
    assert parsed.prompt == prompt


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a --modle gpt", "There is no option '--modle'. Did you mean '--model'?"),
        ("a -m", "The option -m needs a value."),
        ("a --turns many go", "--turns must be a whole number, not 'many'."),
        ("a --turns=1.5 go", "--turns must be a whole number, not '1.5'."),
        ("a --cost lots go", "--cost must be a number, not 'lots'."),
        ("", "%ask needs a name: %ask NAME ..."),
        ("--turns 3", "%ask needs a name: %ask NAME ..."),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, says: str):
    with pytest.raises(UsageError) as caught:
        parse(AgentMagics.ask, line)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("line", "tools"),
    [
        ("w --tools a,b", ["a", "b"]),
        ("w --tools a, b --human", ["a", "b"]),
        ("w --tools a ,b", ["a", "b"]),
        ("w --tools a , b,  c", ["a", "b", "c"]),
        ("w -t=a, b", ["a", "b"]),
        ('w --tools "a, b"', ["a", "b"]),
        ("w --tools a, --human", ["a"]),
    ],
)
def test_names_may_have_spaces_after_their_commas(line: str, tools: list[str]):
    parsed = parse(AgentMagics.agent, line)
    assert (parsed.options.tools, parsed.prompt) == (tools, "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "%%agent needs a name: %%agent NAME ..."),
        ("w --human=yes", "The option --human takes no value."),
        ("w --tools", "The option --tools needs a value."),
    ],
)
def test_a_cell_that_defines_says_what_is_wrong(line: str, says: str):
    with pytest.raises(UsageError) as caught:
        parse(AgentMagics.agent, line)
    assert says in str(caught.value)
