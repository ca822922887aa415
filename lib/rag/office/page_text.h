// The pages of a PDF, as a reader of text wants them: without the lines that repeat on page after page, with the words
// that were divided at the ends of lines made whole, and with letters instead of ligatures.
#pragma once

#include <string>
#include <vector>

namespace frugal {

/// One text of all pages. Between two pages is a form feed, at the begin of a line.
///
/// Dropped: a line among the first or last of its page that stands on at least three pages there, two of which are at
/// most two pages apart; a number in it may count the pages. Its first one stays, unless it is only the number.
///
/// Joined: "infor-" at the end of a line with "mation" at the begin of the next, without the hyphen if the next word
/// begins with a small letter, unless the document writes the word with its hyphen elsewhere.
std::string text_of_pages(std::vector<std::string> pages);

}  // namespace frugal
