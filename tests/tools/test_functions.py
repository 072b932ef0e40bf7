"""Which functions can be tools: wrapped ones, methods, partial ones, and whatever Python calls one."""

from __future__ import annotations

import enum
import functools
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional  # noqa: TID251 - what is tested

import pytest

from nbagents import Agent, Graph, RunContext, Say, ScriptedModel, UserError, tool

if TYPE_CHECKING:
    from somewhere import OnlyForTypeChecking


async def called(made: Any, args: dict[str, Any] | str) -> str:
    """What a model reads when it calls a tool."""
    name = made.spec.name
    model = ScriptedModel(Say(calls=[(name, args)]), "done")
    await Agent("a", model=model, tools=[made]).run("go")
    [part] = model.requests[-1].messages[-1].parts
    assert not part.is_error, part.text
    return part.text


def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


@logged
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@logged
async def count(to: int):
    """Count."""
    for number in range(to):
        yield number


@pytest.mark.parametrize("thread", ["worker", "main"])
@pytest.mark.parametrize(("function", "text"), [(pay, "paid 3"), (count, "2")])
async def test_an_async_function_in_a_plain_wrapper_is_awaited(function, text, thread):
    field = "amount" if function is pay else "to"
    assert await called(tool(thread=thread)(function), {field: 3}) == text


async def test_a_node_in_a_plain_wrapper_is_awaited():
    @logged
    async def node(input):
        return f"did {input}"

    @logged
    async def stream(input):
        yield "first"
        yield "last"

    assert (await Graph("g", {"n": node}, []).run("it")).output == "did it"
    assert (await Graph("g", {"n": stream}, []).run("it")).output == "last"


class Shop:
    def __init__(self, price: int) -> None:
        self.price = price

    @tool
    def ask(self, item: str) -> int:
        """Ask the price."""
        return self.price

    @tool
    async def wait(self) -> str:
        """Wait."""
        return f"waited {self.price}"

    @tool
    @staticmethod
    def open(day: str) -> str:
        """Tell when it is open."""
        return f"{day}: always"


async def test_a_method_is_a_tool_through_its_object():
    cheap, dear = Shop(1), Shop(42)
    assert list(dear.ask.spec.parameters["properties"]) == ["item"]
    assert await called(dear.ask, {"item": "x"}) == "42"
    assert await called(cheap.ask, {"item": "x"}) == "1"
    assert await called(dear.wait, {}) == "waited 42"
    assert await called(dear.open, {"day": "Monday"}) == "Monday: always"
    assert dear.ask("x") == 42


def test_a_method_of_no_object_is_refused():
    with pytest.raises(UserError, match=r"Shop.ask is a method.*Shop\(...\).ask"):
        Agent("a", tools=[Shop.ask])


async def test_a_partial_function_is_a_tool_without_what_it_has_already():
    def send(to: str, text: str) -> str:
        """Send a text."""
        return f"{text} to {to}"

    made = tool(functools.partial(send, to="Ada"))
    assert (made.spec.name, made.spec.description) == ("send", "Send a text.")
    assert list(made.spec.parameters["properties"]) == ["text"]
    assert await called(made, {"text": "Hi"}) == "Hi to Ada"


@functools.singledispatch
def double(value: int) -> str:
    """Double."""
    return str(value * 2)


async def test_a_function_that_dispatches_on_its_first_argument_is_called_with_it():
    assert await called(tool(double), {"value": 4}) == "8"


async def test_arguments_by_position_only_are_filled_in():
    def add(a: int, b: int = 5, /, *, c: int = 0) -> int:
        """Add."""
        return a + b + c

    assert await called(tool(add), {"a": 1}) == "6"
    assert await called(tool(add), {"a": 1, "b": 2, "c": 3}) == "6"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


async def test_the_members_of_an_enumeration_may_be_chosen_from():
    def paint(color: Literal[Color.RED, "any"]) -> str:
        """Paint."""
        return getattr(color, "name", color)

    made = tool(paint)
    assert made.spec.parameters["properties"]["color"]["enum"] == ["red", "any"]
    assert await called(made, {"color": "red"}) == "RED"
    assert await called(made, {"color": "any"}) == "any"


async def test_the_members_of_an_enumeration_may_be_chosen_at_any_depth():
    def paint(
        one: Literal[Color.RED] | None = None,
        several: list[Literal[Color.RED, Color.BLUE]] = [],  # noqa: B006 - it is only read
        named: Optional[dict[str, Annotated[Literal[Color.BLUE], "a color"]]] = None,  # noqa: UP045
    ) -> str:
        """Paint."""
        return str([one, several, named])

    made = tool(paint)
    args = {"one": "red", "several": ["blue", "red"], "named": {"wall": "blue"}}
    assert await called(made, args) == str(
        [Color.RED, [Color.BLUE, Color.RED], {"wall": Color.BLUE}]
    )
    assert await called(made, {"one": None}) == "[None, [], None]"


async def test_the_context_may_be_none_and_a_result_may_have_any_annotation():
    def look(a: int, ctx: RunContext | None = None) -> OnlyForTypeChecking:
        """Look."""
        return ctx.name

    made = tool(look)
    assert list(made.spec.parameters["properties"]) == ["a"]
    assert await called(made, {"a": 1}) == "a"


@pytest.mark.parametrize("args", ["", "null", " null ", "{}"])
async def test_a_call_without_arguments_may_be_written_in_many_ways(args):
    def now() -> str:
        """Tell the time."""
        return "noon"

    assert await called(tool(now), args) == "noon"


def test_a_default_that_is_not_json_is_not_told():
    def wait(timeout: float = float("inf"), gap: float = float("nan"), often: int = 2) -> str:
        """Wait."""
        return ""

    properties = tool(wait).spec.parameters["properties"]
    assert properties == {
        "timeout": {"type": "number"},
        "gap": {"type": "number"},
        "often": {"type": "integer", "default": 2},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thread": "mian"}, "There is no thread 'mian'. Did you mean 'main'"),
        ({"approve": "delete"}, "approve='delete' must be True, False or a function"),
    ],
)
def test_an_option_of_a_tool_that_means_nothing_is_an_error(options, message):
    with pytest.raises(UserError, match=re.escape(message)):

        @tool(**options)
        def look() -> str:
            """Look."""
            return ""
