"""What a model reads of values: all of what is short, and of the rest how much is left out."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from PIL import Image

from nbagents import FilePart, TextPart
from nbagents.tools.rendering import LONGEST, UnreadableError, render, shorten


def text_of(value) -> str:
    (part,) = render(value)
    assert isinstance(part, TextPart)
    return part.text


CITIES = {"city": ["Oslo", "Rome"], "t": [1, 2]}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (pd.DataFrame(CITIES), "city (str), t (int64).\ncity,t\nOslo,1\nRome,2"),
        (pd.DataFrame(CITIES).set_index("city"), "t (int64).\ncity,t\nOslo,1\nRome,2"),
        (pd.DataFrame(CITIES)[1:], "city (str), t (int64).\n,city,t\n1,Rome,2"),
        (
            pd.DataFrame(CITIES).groupby(["city", "t"]).size(),
            "value (int64).\ncity,t,\nOslo,1,1\nRome,2,1",
        ),
        (pd.DataFrame({("a", "x"): [1.5], ("a", "y"): [None]}), "a/x,a/y\n1.5,"),
        (pd.Series([1, 2], index=["a", "b"], name="n"), "n (int64).\n,n\na,1\nb,2"),
        (pd.Index(["a", "b"], name="letters"), "letters (str).\nletters\na\nb"),
        (pl.DataFrame(CITIES), "city (String), t (Int64).\ncity,t\nOslo,1\nRome,2"),
        (pl.Series("n", [1, 2]), "n (Int64).\nn\n1\n2"),
        (pa.table(CITIES), "city (string), t (int64).\ncity,t\nOslo,1\nRome,2"),
        (pa.array([1, 2]), 'value (int64).\n""\n1\n2'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_short_table_is_whole_with_its_labels(table, text):
    assert text_of(table).endswith(text)


@pytest.mark.parametrize("library", ["pandas", "polars", "arrow"])
def test_a_long_table_has_its_beginning_its_end_and_how_much_is_left_out(library):
    notes = [f"a note whose number is at its very end: {number}" for number in range(100_000)]
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[library]
    text = text_of(make({"note": notes}))
    lines = text.split("\n")
    assert len(text) <= LONGEST + 200
    assert (lines[2], lines[-1]) == (notes[0], notes[-1])
    shown = sum(line.startswith("a note") for line in lines)
    assert (
        f"[{100_000 - shown:,} rows left out here: filter, sample or aggregate to see more]"
        in lines
    )
    assert shown > 300


def test_a_row_of_a_megabyte_is_cut():
    text = text_of(pd.DataFrame({"page": ["x" * 1_000_000] * 3}))
    assert len(text) < LONGEST + 500
    assert "[cut]" in text


def test_a_wide_table_says_how_many_columns_are_left_out():
    text = text_of(pd.DataFrame(np.zeros((2, 500))))
    assert "440 columns in the middle left out: select columns to see them" in text
    assert ",499\n" in text


def test_all_rows_are_there_when_they_just_fit():
    for rows in range(1, 3000, 97):
        text = text_of(pd.DataFrame({"n": range(rows)}))
        assert text.split("\n")[2:] == [str(number) for number in range(rows)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.arange(2000), json.dumps(list(range(2000)), separators=(",", ":"))),
        (np.array([[1.5, np.nan]]), "[[1.5,NaN]]"),
        (np.float32(1.5), "1.5"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),
        ({"n": np.int64(3), "xs": np.array([1.5])}, '{"n":3,"xs":[1.5]}'),
        (float("inf"), "Infinity"),
        ({3, 1}, "[1,3]"),
        (frozenset({"a"}), '["a"]'),
        ({1: {2: "x"}}, '{"1":{"2":"x"}}'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (pd.NaT, "NaT"),
        ({"last": pd.NaT}, '{"last": "NaT"}'),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (dt.timedelta(hours=1), "PT1H"),
        (Path("/tmp/x"), "/tmp/x"),
        (Enum("Size", {"small": "s"}).small, "s"),
        (memoryview(b"text"), "text"),
    ],
    ids=repr,
)
def test_numbers_are_numbers_and_everything_is_there(value, text):
    assert text_of(value) == text


def test_a_long_array_says_its_shape_its_range_and_what_is_left_out():
    text = text_of(np.arange(300_000.0).reshape(100_000, 3))
    assert text.startswith("An array of 100000 x 3 float64, from 0.0 to 299999.0.")
    assert "[99,000 left out here: ask for a slice or a summary]" in text
    assert text.endswith("[299997.0,299998.0,299999.0]]")


def test_a_long_text_keeps_its_beginning_and_its_end():
    text = "".join(f"{number:07}\n" for number in range(10_000))
    short = shorten(text)
    assert short.startswith("0000000\n0000001")
    assert short.endswith("0009999\n")
    assert f"\n[{len(text) - LONGEST:,} characters left out here: ask for a part of it]\n" in short


def figure() -> Figure:
    drawn = Figure()
    drawn.add_subplot().plot([1, 2])
    return drawn


def encoded(form: str, mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    Image.new(mode, (4, 4)).save(data, form)
    return data.getvalue()


class Drawn:
    def _repr_png_(self):
        return encoded("PNG")


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        (figure(), "image/png"),
        (figure().axes[0], "image/png"),
        (Image.new("RGB", (4, 4)), "image/png"),
        (Image.new("CMYK", (4, 4)), "image/png"),
        (Image.new("I;16", (4, 4)), "image/png"),
        (Drawn(), "image/png"),
        (encoded("PNG"), "image/png"),
        (encoded("JPEG"), "image/jpeg"),
        (encoded("GIF"), "image/gif"),
        (encoded("WEBP"), "image/webp"),
        (bytearray(encoded("PDF")), "application/pdf"),
    ],
)
def test_what_can_be_seen_becomes_a_file(value, media_type):
    (file,) = render(value)
    assert (file.media_type, bool(file.data)) == (media_type, True)


def test_pictures_and_tables_among_others_keep_their_places():
    kinds = [type(part).__name__ for part in render(["Here:", figure(), pd.DataFrame({"a": [1]})])]
    assert kinds == ["TextPart", "FilePart", "TextPart"]
    named = render({"plot": figure(), "n": 3})
    assert [getattr(part, "text", None) for part in named] == ["plot:", None, "n:", "3"]


@dataclass
class Point:
    x: int


def test_a_file_stays_as_it_is():
    assert render(FilePart("text/csv", b"a")) == (FilePart("text/csv", b"a"),)
    assert text_of(Point(3)) == '{"x":3}'


endless: list = []
endless.append(endless)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "the type object has no form that a model can read"),
        ({"deep": [object()]}, "the type object has no form that a model can read"),
        (b"\xff\x00\x01", "3 bytes are neither text nor an image nor a PDF"),
        (endless, "Circular reference"),
        (plotly.graph_objects.Figure(), "This Figure could not be drawn as a picture"),
    ],
    ids=["object", "inside", "bytes", "endless", "plotly"],
)
def test_what_no_model_can_read_says_what_to_use(value, says):
    with pytest.raises(UnreadableError, match=says):
        render(value)


@pytest.mark.parametrize(
    "make",
    [
        lambda names: pd.Series(names).unique(),
        lambda names: pd.Series(names).array,
        pd.Categorical,
        lambda names: {"a": pd.Series(names).unique()},
    ],
)
def test_arrays_of_pandas_are_sent_whole(make):
    names = [f"name{number}" for number in range(500)]
    text = "".join(part.text for part in render(make(names)))
    assert [name for name in names if name not in text] == []


def test_texts_in_arrays_are_cleaned_and_wide_numbers_are_numbers():
    assert text_of(np.array(["\ud800", "\x1b[31mred\x1b[0m"])) == '["\ufffd","red"]'
    assert text_of(np.array([b"a\xff"])) == '["Yf8="]'
    assert text_of(np.longdouble(1.5)) == "1.5"
    assert text_of(np.clongdouble(1 + 2j)) == "(1+2j)"
