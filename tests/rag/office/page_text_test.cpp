#include "rag/office/page_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace frugal;

TEST_CASE("a word that was divided at the end of a line is whole again") {
  CHECK(text_of_pages({"The infor-\nmation, as it was.\n"}) == "The information,\nas it was.");
  CHECK(text_of_pages({"a well-known case\nis a well-\nknown case\n"}) == "a well-known case\nis a well-known\ncase");
  CHECK(text_of_pages({"em 1990 disse-\nlhe tudo\n"}) == "em 1990 disse-lhe\ntudo");
  CHECK(text_of_pages({"the years 1990-\n1995\n"}) == "the years 1990-\n1995");
  CHECK(text_of_pages({"Jean-\nPaul\n"}) == "Jean-\nPaul");
}

TEST_CASE("a word may be divided at the end of a page, or all of a line be its end") {
  CHECK(text_of_pages({"the organi-\n", "sation of it\n"}) == "the organisation\n\n\fof it");
  CHECK(text_of_pages({"an inter-\nna-\ntional law\n"}).find("law") != std::string::npos);
}

TEST_CASE("ligatures become letters, a soft hyphen that was drawn is a hyphen, control characters go") {
  CHECK(text_of_pages({"e\xEF\xAC\x83"
                       "cient \xEF\xAC\x81ne\x01 co\xC2\xADop\n"}) == "efficient fine co-op");
}

TEST_CASE("lines that repeat on page after page are kept once, and page numbers not at all") {
  std::vector<std::string> pages;
  for (int i = 1; i <= 5; ++i)
    pages.push_back("Annual Report 2025\n\nThis is paragraph number " + std::string(static_cast<size_t>(i), 'x') +
                    ".\n\nPage " + std::to_string(i) + " of 5\n" + std::to_string(i + 10) + "\n");
  const std::string text = text_of_pages(pages);
  CHECK(text.find("Annual Report 2025") == 0);
  CHECK(text.rfind("Annual Report 2025") == 0);
  CHECK(text.find("Page 1 of 5") != std::string::npos);
  CHECK(text.find("Page 2 of 5") == std::string::npos);
  CHECK(text.find("12") == std::string::npos);
  CHECK(text.find("xxxxx.") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\f') == 4);
}

TEST_CASE("numbers at the edge of a page that do not count pages stay") {
  const std::string text = text_of_pages({"Art. 5\nOne.\n", "Art. 9\nTwo.\n", "Art. 12\nThree.\n", "Art. 40\nFour.\n"});
  for (const char* article : {"Art. 5", "Art. 9", "Art. 12", "Art. 40"}) CHECK(text.find(article) != std::string::npos);
}

TEST_CASE("a sentence runs on over the end of a page, a paragraph does not") {
  CHECK(text_of_pages({"This sentence is long and goes on\n", "on the next page.\n"}) ==
        "This sentence is long and goes on\n\fon the next page.");
  CHECK(text_of_pages({"This sentence is long and it ends.\n", "Another one.\n"}) ==
        "This sentence is long and it ends.\n\n\fAnother one.");
  CHECK(text_of_pages({"", "", "Third.\n"}) == "\f\fThird.");
}
