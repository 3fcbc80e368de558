// The words of the search page. Sphinx's own file says nothing when a search has found pages.
Documentation.addTranslations({
  "locale": "zh_Hant_TW",
  "messages": {
    ", in ": "，位於",
    "Hide Search Matches": "不再標示找到的文字",
    "Preparing search...": "準備搜尋中……",
    "Search Results": "搜尋結果",
    "Search finished, found one page matching the search query.": ["找到 ${resultCount} 筆。"],
    "Searching": "搜尋中",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.": "找不到符合的頁面。請換個說法，或少輸入幾個字。"
  },
  "plural_expr": "0"
});
