// The names of characters in HTML: "&eacute;", "&nbsp;". Numbers ("&#233;") are read where tags are read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace frugal {

/// Entries "name:codes " in the order of names; a name ends in ';' unless HTML accepts it without.
extern const std::string_view kHtmlEntities;

struct HtmlEntity {
  std::string text;      // UTF-8; empty if there is none
  size_t num_bytes = 0;  // of the name, without '&'
};
/// The longest name that `text`, which follows an '&', begins with.
HtmlEntity find_html_entity(std::string_view text);

}  // namespace frugal
