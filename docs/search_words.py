"""An extension of Sphinx: one search that finds English words, 中文 and numbers in both languages.

Sphinx divides a text into words by the rules of one language, and our pages have two. Chinese has
no spaces between words, so each character and each pair of characters is a word of the index. A
query of two or more characters is divided into its pairs, and a page must have all of them.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
"""The Chinese characters, in the notation of regular expressions in Python and in JavaScript."""

_PIECE = re.compile(rf"[{HAN}]+|[^\W{HAN}]+")


def words_of(text: str) -> list[str]:
    """Divide a text into the words of the index."""
    found: list[str] = []
    for piece in _PIECE.findall(text):
        if re.match(f"[{HAN}]", piece):
            found += [*piece, *(piece[at : at + 2] for at in range(len(piece) - 1))]
        else:
            found.append(piece)
    return found


class SearchBothLanguages(SearchEnglish):
    """English words by their stems, Chinese by pairs of characters, and numbers."""

    lang = "en-zh"
    # The name selects the stemmer in JavaScript, too.
    language_name = "English"
    js_splitter_code = f"""
var splitQuery = (query) => {{
  const words = [];
  for (const piece of query.match(/[{HAN}]+|(?:(?![{HAN}])[\\p{{L}}\\p{{N}}_])+/gu) || []) {{
    if (/^[{HAN}]{{2}}/.test(piece)) {{
      for (let at = 0; at < piece.length - 1; at++) words.push(piece.slice(at, at + 2));
    }} else if (/^\\d+$/.test(piece)) {{
      // Sphinx ignores words that match /^\\d+$/, but an error code is a number.
      words.push(Object.assign(new String(piece), {{ match: () => null }}));
    }} else {{
      words.push(piece);
    }}
  }}
  return words;
}};
"""

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        self._stems: dict[str, str] = {}

    def split(self, input: str) -> list[str]:  # noqa: A002  # the name is Sphinx's
        """Divide a text of a page."""
        return words_of(input)

    def stem(self, word: str) -> str:
        """Return the stem of a word; Sphinx asks again for each page that has it."""
        if word not in self._stems:
            self._stems[word] = super().stem(word)
        return self._stems[word]

    def word_filter(self, word: str) -> bool:
        """Return whether a word is in the index; unlike Sphinx's, ours has numbers."""
        return word not in self.stopwords


def setup(app: Sphinx) -> dict[str, Any]:
    """Add this search; the setting ``html_search_language`` selects it.

    Returns: what Sphinx may do: each page is read and written separately.
    """
    app.add_search_language(SearchBothLanguages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
