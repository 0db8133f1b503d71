from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raglive.extraction.readers.html import html_to_text, read_html

PAGE = """<!doctype html><html><head><title>The  Harbour</title>
<style>p { color: red }</style><script>alert("x")</script></head>
<body><nav><ul><li>Home<li>About</ul></nav>
<div role="navigation">Menu</div><div style="display: none">Hidden</div>
<h1>Boats &amp; tides</h1><p>First   paragraph,
with a <a href="/x">link</a>.<p>Second one.
<ul><li>rope<li>sail <b>cloth</b></ul>
<table><tr><th>Boat<th>Length</tr><tr><td>Anna<td>12&nbsp;m</tr></table>
<pre>keep
  this</pre><img src="a.png" alt="A red boat"><template>never</template></body></html>"""


def test_a_page_becomes_readable_markdown() -> None:
    text, title = html_to_text(PAGE)
    assert title == "The Harbour"
    assert text == (
        "# Boats & tides\n\nFirst paragraph, with a link.\n\nSecond one.\n\n"
        "- rope\n- sail cloth\n\nBoat | Length\nAnna | 12 m\n\nkeep\n  this\n\nA red boat"
    )


def test_an_unclosed_element_does_not_swallow_the_page() -> None:
    assert "The text" in html_to_text("<nav><p>Menu<p>The text")[0]
    assert "The text" in html_to_text("<div hidden><p>The text")[0]
    assert html_to_text("<button>Only this</button>")[0] == "Only this"


def test_a_table_used_for_layout_keeps_its_paragraphs() -> None:
    paragraphs = f"<p>{'one ' * 40}</p><p>{'two ' * 40}</p>"
    text, _ = html_to_text(f"<table><tr><td>{paragraphs}<table><tr><td>in<td>ner</table></table>")
    first, second, inner = text.split("\n\n")
    assert (first[:3], second[:3], inner) == ("one", "two", "in | ner")


def test_the_declared_encoding_is_used() -> None:
    data = '<meta charset="koi8-r"><p>Привет'.encode("koi8-r")
    assert read_html(data, "x.html").parts == ["Привет"]
    strict = '<?xml version="1.0" encoding="iso-8859-15"?><html><p>5 €'.encode("iso-8859-15")
    assert read_html(strict, "x.xhtml").parts == ["5 €"]


TAGS = [
    "div",
    "p",
    "nav",
    "table",
    "tr",
    "td",
    "li",
    "pre",
    "br",
    "h1",
    "script",
    "title",
    "button",
]
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.text("ab <&;\n", max_size=5),
)


@given(st.lists(PIECES, max_size=40))
def test_any_markup_is_read(pieces: list[str]) -> None:
    text, _ = html_to_text("".join(pieces))
    assert text == text.strip()
    assert "<pre>" in pieces or "\n\n\n" not in text
