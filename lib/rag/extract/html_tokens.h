// HTML as a sequence of tags and text, as the WHATWG standard cuts it ("Tokenization"). Time and memory are linear in
// the page. Comments, declarations and attributes are passed over: nothing here needs them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace frugal {

struct HtmlToken {
  enum class Kind { text, start_tag, end_tag };
  Kind kind = Kind::text;
  std::string name;           // of a tag, in lower case
  bool self_closing = false;  // "<br/>"
  bool is_raw = false;        // a text without character references: a script
  size_t begin = 0, end = 0;  // bytes of the page
};

class HtmlTokens {
 public:
  explicit HtmlTokens(std::string_view html) : html_(html) {}

  /// False at the end.
  bool next(HtmlToken& token);
  /// What follows a start tag up to the end tag of this name is text; `is_raw`: without character references.
  void read_text_until(std::string_view name, bool is_raw);
  void read_the_rest_as_text();
  /// In SVG and MathML "<![CDATA[" opens a section, elsewhere a comment.
  void set_foreign(bool foreign) { foreign_ = foreign; }

 private:
  bool opens_markup(size_t at) const;
  size_t end_of_declaration(size_t at) const;
  bool read_tag(HtmlToken& token);
  void skip_attribute();
  size_t find_end_tag(std::string_view name) const;

  std::string_view html_;
  size_t at_ = 0;
  size_t text_until_ = 0;  // what is before it is text, whatever it looks like
  bool is_raw_ = false;
  bool foreign_ = false;
};

struct HtmlCharacter {
  std::string text;      // UTF-8: a reference may stand for two code points
  size_t num_bytes = 1;  // of the page
};
/// The character that begins at byte `at`, which may be a reference: "&eacute;", "&#233;".
HtmlCharacter read_html_character(std::string_view html, size_t at);

}  // namespace frugal
