"""The encodings of feeds: byte order marks, the setting, what an XML document declares, and bytes that fit none."""

import pytest

from jobferry.errors import FeedUnreadableError
from tests.feeds import FORMATS, JOBS, packed, read

TEXT_FORMATS = [key for key in FORMATS if not key.endswith("xlsx")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("key", TEXT_FORMATS)
def test_a_byte_order_mark_says_it(key: str, gzipped: bool, encoding: str) -> None:
    content = FORMATS[key](*JOBS).decode().encode(encoding)
    name, content = packed(key, content) if gzipped else (key, content)

    assert read(name, content) == (JOBS, [], [])
    assert read(name, content, encoding="cp1252") == (JOBS, [], [])  # the setting is of objects without one


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("key", TEXT_FORMATS)
def test_the_setting_says_it_of_objects_without_one(key: str, encoding: str) -> None:
    assert read(key, FORMATS[key](*JOBS).decode().encode(encoding), encoding=encoding) == (JOBS, [], [])


@pytest.mark.parametrize("key", TEXT_FORMATS)
def test_what_excel_on_windows_saves(key: str) -> None:
    job = {"referenceNumber": "a", "title": "“Café” \u2013 50 €"}
    content = FORMATS[key](job).decode()
    if "json" not in key:
        content = content.encode("cp1252")
    else:
        content = content.encode().decode("unicode-escape").encode("cp1252")

    assert read(key, content, encoding="cp1252") == ([job], [], [])
    with pytest.raises(FeedUnreadableError) as caught:
        read(key, content)
    assert key in str(caught.value)
    assert '"encoding": "cp1252"' in str(caught.value)


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("a.csv", b"referenceNumber\na\ncaf\xe9\n", "a.csv byte 22 (0xe9) is not UTF-8. In which encoding was it exported?"),
        ("a.jsonl", b'{"referenceNumber":"a"}\n{"referenceNumber":"\xe9"}\n', "a.jsonl row 2, byte 21 of it (0xe9) is not UTF-8."),
        ("a.json", b'[{"referenceNumber":"a"},{"referenceNumber":"\xe9"}]', "a.json row 2, byte 21 of it (0xe9) is not UTF-8."),
        ("a.xml", b"<jobs><job><referenceNumber>\xe9</referenceNumber></job></jobs>", "a.xml is not well-formed XML: "),
    ],
)  # fmt: skip
def test_a_byte_that_is_not_utf_8(key: str, content: bytes, message: str) -> None:
    with pytest.raises(FeedUnreadableError) as caught:
        read(key, content)

    assert str(caught.value).startswith(message)
    assert '"encoding": "cp1252"' in str(caught.value)


def test_a_byte_far_into_the_file_is_counted_right() -> None:
    before = "referenceNumber,title\n" + "".join(f"{number},“quoted”\n" for number in range(20_000))
    utf8 = before.encode()
    with pytest.raises(FeedUnreadableError, match=rf"byte {len(utf8) + 1:,} \(0xe9\) is not UTF-8"):
        read("a.csv", utf8 + b"\xe9\n")

    cp1252 = before.encode("cp1252")
    with pytest.raises(FeedUnreadableError, match=rf"byte {len(cp1252) + 1:,} \(0x81\) is not cp1252"):
        read("a.csv", cp1252 + b"\x81\n", encoding="cp1252")

    utf16 = before.encode("utf-16")
    with pytest.raises(FeedUnreadableError, match=rf"byte {len(utf16) + 1:,} \(0x00\) is not utf-16-le"):
        read("a.csv", utf16 + b"\x00\xdca\x00")


def test_a_file_that_ends_within_a_character() -> None:
    content = "referenceNumber,title\na,café".encode()

    with pytest.raises(
        FeedUnreadableError, match=r"byte 28: it is cut off there, in the middle of a character of UTF-8"
    ):
        read("a.csv", content[:-1])
    with pytest.raises(
        FeedUnreadableError, match=r"byte 57: it is cut off there, in the middle of a character of utf-16"
    ):
        read("a.csv", content.decode().encode("utf-16")[:-1])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_and_without_the_setting(codec: str) -> None:
    content = "referenceNumber\na\n".encode(codec)

    with pytest.raises(FeedUnreadableError, match=rf'has a zero byte at its beginning: .* "encoding": "{codec}"'):
        read("a.csv", content)


def test_what_an_xml_document_declares_goes_before_the_setting() -> None:
    content = "<jobs><job><referenceNumber>a</referenceNumber><city>Málaga</city></job></jobs>"
    jobs = [{"referenceNumber": "a", "city": "Málaga"}]

    assert read("a.xml", f'<?xml version="1.0" encoding="iso-8859-1"?>{content}'.encode("latin-1"))[0] == jobs
    assert read("a.xml", f"<?xml version='1.0' encoding='UTF-8'?>{content}".encode(), encoding="cp1252")[0] == jobs
    assert read("a.xml", f'<?xml version="1.0"?>{content}'.encode("cp1252"), encoding="cp1252")[0] == jobs


def test_an_xml_document_that_declares_what_it_is_not() -> None:
    content = "<jobs><job><referenceNumber>a</referenceNumber><city>Málaga</city></job></jobs>"

    # .NET's StringWriter says utf-16, whatever the text is saved as.
    jobs, _, _ = read("a.xml", f'<?xml version="1.0" encoding="utf-16"?>{content}'.encode())
    assert jobs == [{"referenceNumber": "a", "city": "Málaga"}]
    with pytest.raises(FeedUnreadableError, match=r"line 1\. The encoding has to be the one that its first line"):
        read("a.xml", f'<?xml version="1.0" encoding="utf-8"?>{content}'.encode("cp1252"))


@pytest.mark.parametrize("key", TEXT_FORMATS)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_utf_8_that_the_setting_calls_something_else_is_told(key: str, encoding: str) -> None:
    """Even if the first character that shows it is late in a long file. What is read stays as the setting says."""
    jobs = [{"referenceNumber": str(number), "title": "x" * 500} for number in range(600)]
    jobs[-1]["title"] = "Café in München"
    content = FORMATS[key](*jobs).decode()
    content = content.replace("\\u00e9", "é").replace("\\u00fc", "ü")  # as JSON may write them, too

    found, problems, (example, cause) = read(key, content.encode(), encoding=encoding)

    assert found[-1]["title"] == "Café in München".encode().decode(encoding)
    assert problems == []
    assert example.startswith('title has "CafÃ© in MÃ¼nchen" in it')
    assert cause.startswith(f"the object looks like UTF-8 but is read as {encoding}, so that é becomes Ã©.")
    assert read(key, content.encode(encoding), encoding=encoding) == (jobs, [], [])


def test_utf_8_with_quotation_marks_that_cp1252_lacks_names_the_setting() -> None:
    with pytest.raises(
        FeedUnreadableError, match="is not cp1252, which is set or declared, but looks like UTF-8: remove"
    ):
        read("a.csv", "referenceNumber,title\na,“x”\n".encode(), encoding="cp1252")


@pytest.mark.parametrize("declared", ["x-mac", "base64"])
def test_an_xml_document_that_declares_an_encoding_that_nobody_knows(declared: str) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><jobs><job><referenceNumber>a</referenceNumber></job></jobs>'

    with pytest.raises(FeedUnreadableError, match=r"^a\.xml "):
        read("a.xml", content.encode())


@pytest.mark.parametrize("declared", ["ISO-8859-1", "windows-1252"])
def test_utf_8_that_an_xml_document_calls_something_else_is_told(declared: str) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><jobs><job><referenceNumber>a</referenceNumber><title>é</title></job></jobs>'

    jobs, _, (example, cause) = read("a.xml", content.encode())

    assert jobs == [{"referenceNumber": "a", "title": "Ã©"}]
    assert example.startswith('title has "Ã©" in it')
    assert cause.startswith(f"the object looks like UTF-8 but is read as {declared}")
    assert read("a.xml", content.encode("cp1252")) == ([{"referenceNumber": "a", "title": "é"}], [], [])
