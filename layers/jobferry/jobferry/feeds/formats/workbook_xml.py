"""What the XML of a workbook says that calamine leaves out: errors, missing results, leading zeros, hidden rows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from posixpath import join, normpath
from typing import IO, Any, Final, NamedTuple
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZipFile

from lxml import etree

#: A number format that shows a number with leading zeros.
_ZEROS: Final = re.compile(r"0{2,}")
#: A cell of an error up to its value, perhaps with a formula, and the value.
_ERROR: Final = re.compile(
    rb"""(<(?:\w+:)?c\s[^>]*\bt=["']e["'][^>]*>\s*(?:<(?:\w+:)?f\b[^>]*(?:/>|>[^<]*</(?:\w+:)?f>))?\s*<(?:\w+:)?v>)[^<]*"""
)
_DIGITS: Final = "0123456789"


class Fault(NamedTuple):
    """Why a cell's value cannot be used.

    Attributes:
        text: completes "has … in column".
        remedy: what to do, if that needs to be said.
    """

    text: str
    remedy: str = ""


NO_RESULT: Final = Fault("a formula without a stored result", "open the workbook in Excel and save it")


class Parts:
    """The parts of a workbook that say something about its sheets.

    Attributes:
        sheets: by the sheet's name, the file in the archive.
        recalculated: whether formulas are calculated when the workbook is opened, so that a result of 0 may stand for none.
        zeros: by the number of a style, the digits that it shows at least.
    """

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._files = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
        workbook = self._tree("xl/workbook.xml")
        relationships = self._tree("xl/_rels/workbook.xml.rels")
        targets = {each.get("Id"): normpath(join("/xl", each.get("Target", ""))) for each in relationships}
        self.sheets = {
            each.get("name", ""): targets.get(each.xpath("string(@*[local-name() = 'id'])"), "")
            for each in workbook.iter("{*}sheet")
        }
        self.recalculated = any(each.get("fullCalcOnLoad") in ("1", "true") for each in workbook.iter("{*}calcPr"))
        self.zeros: dict[str, int] = {}
        if "xl/styles.xml" in self._files:
            styles = self._tree("xl/styles.xml")
            codes = {each.get("numFmtId"): each.get("formatCode", "") for each in styles.iter("{*}numFmt")}
            for number, style in enumerate(styles.iterfind("{*}cellXfs/{*}xf")):
                if _ZEROS.fullmatch(code := codes.get(style.get("numFmtId"), "")):
                    self.zeros[str(number)] = len(code)

    def survey(self, sheet: str) -> Survey:
        """Read through a sheet."""
        with self._archive.open(self._file(self.sheets[sheet])) as content:
            return Survey(content, self.zeros, recalculated=self.recalculated)

    def with_usual_errors(self) -> BytesIO:
        """Return the workbook with #N/A for every error in its sheets."""
        book = BytesIO()
        with ZipFile(book, "w", ZIP_DEFLATED) as archive:
            for name in self._archive.namelist():
                content = self._archive.read(name)
                is_sheet = "worksheets/" in name.replace("\\", "/").lower()
                archive.writestr(name, _ERROR.sub(rb"\1#N/A", content) if is_sheet else content)
        book.seek(0)
        return book

    def _tree(self, name: str) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        return etree.fromstring(self._archive.read(self._file(name)), parser)

    def _file(self, name: str) -> str:
        return self._files[name.lstrip("/").lower()]


class Survey:
    """What a pass over a sheet's XML finds. Rows and columns count from 1.

    Attributes:
        rows: the last row.
        columns: the last column.
        faults: by row and column.
        digits: by row and column, how many digits a number is shown with at least.
        hidden: the rows that a spreadsheet does not show.
    """

    def __init__(self, content: IO[bytes], zeros: Mapping[str, int], *, recalculated: bool) -> None:
        self.rows = self.columns = 0
        self.faults: dict[int, dict[int, Fault]] = defaultdict(dict)
        self.digits: dict[int, dict[int, int]] = defaultdict(dict)
        self.hidden: set[int] = set()
        self._zeros = zeros
        self._recalculated = recalculated
        self._row = self._column = 0
        self._kind = ""
        self._value: str | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.ParseFile(content)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match tag.rpartition(":")[2]:
            case "c":
                self._enter(attributes.get("r"))
                self._kind = attributes.get("t", "n")
                self._value = None
                if self._kind == "e":
                    self._listen()
                elif self._kind == "n" and (digits := self._zeros.get(attributes.get("s", "0"))):
                    self.digits[self._row][self._column] = digits
            case "f":
                self._listen()
            case "v":
                self._value = ""
            case "row":
                self._row = int(attributes.get("r", self._row + 1))
                self._column = 0
                self.rows = max(self.rows, self._row)
                if attributes.get("hidden") in ("1", "true"):
                    self.hidden.add(self._row)

    def _enter(self, reference: str | None) -> None:
        """Note a cell's place. Without a reference, it is the next one."""
        if reference is None:
            self._column += 1
        else:
            letters = reference.rstrip(_DIGITS)
            self._row = int(reference[len(letters) :])
            self._column = column_number(letters)
        if self._row > self.rows:
            self.rows = self._row
        if self._column > self.columns:
            self.columns = self._column

    def _listen(self) -> None:
        """Take the value of the cell. Other cells need no calls for it."""
        self._parser.CharacterDataHandler = self._text
        self._parser.EndElementHandler = self._end

    def _text(self, text: str) -> None:
        if self._value is not None:
            self._value += text

    def _end(self, tag: str) -> None:
        if tag.rpartition(":")[2] != "c":
            return
        self._parser.CharacterDataHandler = self._parser.EndElementHandler = None
        # A text that is empty is a result.
        missing = self._value is None or (not self._value.strip() and self._kind != "str")
        if self._kind == "e":
            self.faults[self._row][self._column] = Fault(f'"{(self._value or "").strip() or "#N/A":.20}"')
        elif missing or (self._value == "0" and self._recalculated):
            self.faults[self._row][self._column] = NO_RESULT


@lru_cache
def column_number(letters: str) -> int:
    """Return a column's number, from 1: A, B, … Z, AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number: int) -> str:
    """Return the letters of a column."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
