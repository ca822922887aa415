// HTML to text in the style of Markdown: headings with '#', list items with "- ", blank lines between blocks. Scripts,
// styles, navigation and forms are dropped.
//
// No tree is built. The tags are read once, with a stack of the open elements that matter here: blocks, tables, and
// what is dropped. It follows the standard's rules for end tags that are left out ("Tree construction"); elements that
// only change the look of words are passed over, and text that the standard would move before its table stays. The
// stack is short, so time is linear in the page, and memory is the text's and its map's.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "rag/extract/html_document.h"
#include "rag/extract/html_tokens.h"

namespace frugal {
namespace {

// Every tag looks through the stack, so its depth multiplies the time. Browsers stop at 512.
constexpr size_t kMaxOpenElements = 1024;

enum Trait : uint32_t {
  kBlock = 1 << 0,      // stands between blank lines
  kSpecial = 1 << 1,    // goes on the stack
  kEndsP = 1 << 2,      // its start tag ends a paragraph
  kDropped = 1 << 3,    // with all that is in it
  kScope = 1 << 4,      // an end tag inside ends nothing outside
  kVoid = 1 << 5,       // has no content
  kRaw = 1 << 6,        // holds text only, up to its end tag, without character references
  kPlain = 1 << 7,      // holds text only, up to its end tag
  kHead = 1 << 8,       // belongs to the head: does not begin the body
  kTablePart = 1 << 9,  // only inside a table
  kHeading = 1 << 10,
  kForeign = 1 << 11,  // the root of a picture or a formula: other rules inside
  kEndsForeign = 1 << 12,
  kListScope = 1 << 13,    // an end tag </li> inside ends nothing outside
  kForeignHtml = 1 << 14,  // in a picture: HTML again
};

struct Element {
  std::string_view name;
  uint32_t traits;
};
constexpr uint32_t kParagraphLevel = kSpecial | kEndsP;
constexpr std::array kElements = std::to_array<Element>({
    {"address", kParagraphLevel},
    {"applet", kSpecial | kScope},
    {"article", kParagraphLevel | kBlock},
    {"aside", kParagraphLevel | kBlock},
    {"b", kEndsForeign},
    {"base", kHead},
    {"big", kEndsForeign},
    {"blockquote", kParagraphLevel | kBlock | kEndsForeign},
    {"body", 0},
    {"br", kVoid | kEndsForeign},
    {"button", kSpecial | kDropped},
    {"caption", kSpecial | kScope | kTablePart},
    {"center", kParagraphLevel | kEndsForeign},
    {"code", kEndsForeign},
    {"col", kTablePart},
    {"colgroup", kTablePart},
    {"dd", kParagraphLevel | kBlock | kEndsForeign},
    {"details", kParagraphLevel},
    {"dialog", kParagraphLevel},
    {"dir", kParagraphLevel},
    {"div", kParagraphLevel | kBlock | kEndsForeign},
    {"dl", kParagraphLevel | kBlock | kEndsForeign},
    {"dt", kParagraphLevel | kBlock | kEndsForeign},
    {"em", kEndsForeign},
    {"embed", kEndsForeign},
    {"fieldset", kParagraphLevel},
    {"figcaption", kParagraphLevel | kBlock},
    {"figure", kParagraphLevel | kBlock},
    {"footer", kParagraphLevel | kBlock},
    {"foreignobject", kForeignHtml | kScope},
    {"form", kEndsP},
    {"h1", kParagraphLevel | kHeading | kEndsForeign},
    {"h2", kParagraphLevel | kHeading | kEndsForeign},
    {"h3", kParagraphLevel | kHeading | kEndsForeign},
    {"h4", kParagraphLevel | kHeading | kEndsForeign},
    {"h5", kParagraphLevel | kHeading | kEndsForeign},
    {"h6", kParagraphLevel | kHeading | kEndsForeign},
    {"head", kHead | kEndsForeign},
    {"header", kParagraphLevel | kBlock},
    {"hgroup", kParagraphLevel},
    {"hr", kEndsP | kBlock | kVoid | kEndsForeign},
    {"html", kHead},
    {"i", kEndsForeign},
    {"iframe", kRaw | kDropped},
    {"img", kEndsForeign},
    {"li", kParagraphLevel | kEndsForeign},
    {"link", kHead},
    {"listing", kParagraphLevel | kEndsForeign},
    {"main", kParagraphLevel | kBlock},
    {"marquee", kSpecial | kScope},
    {"math", kSpecial | kForeign},
    {"menu", kParagraphLevel | kEndsForeign},
    {"meta", kHead | kEndsForeign},
    {"nav", kParagraphLevel | kDropped},
    {"nobr", kEndsForeign},
    {"noembed", kRaw | kDropped},
    {"noframes", kRaw | kDropped | kHead},
    {"noscript", kSpecial | kDropped | kHead},
    {"object", kSpecial | kScope},
    {"ol", kParagraphLevel | kBlock | kEndsForeign | kListScope},
    {"p", kParagraphLevel | kBlock | kEndsForeign},
    {"plaintext", kEndsP},
    {"pre", kParagraphLevel | kBlock | kEndsForeign},
    {"ruby", kEndsForeign},
    {"s", kEndsForeign},
    {"script", kRaw | kDropped | kHead},
    {"section", kParagraphLevel | kBlock},
    {"select", kSpecial | kDropped},
    {"small", kEndsForeign},
    {"span", kEndsForeign},
    {"strike", kEndsForeign},
    {"strong", kEndsForeign},
    {"style", kRaw | kDropped | kHead},
    {"sub", kEndsForeign},
    {"summary", kParagraphLevel},
    {"sup", kEndsForeign},
    {"svg", kSpecial | kForeign | kDropped},
    {"table", kParagraphLevel | kBlock | kScope | kEndsForeign},
    {"tbody", kTablePart},
    {"td", kSpecial | kScope | kTablePart},
    {"template", kSpecial | kDropped | kScope | kHead},
    {"textarea", kPlain},
    {"tfoot", kTablePart},
    {"th", kSpecial | kScope | kTablePart},
    {"thead", kTablePart},
    {"title", kPlain | kHead},
    {"tr", kSpecial | kTablePart},
    {"tt", kEndsForeign},
    {"u", kEndsForeign},
    {"ul", kParagraphLevel | kBlock | kEndsForeign | kListScope},
    {"var", kEndsForeign},
    {"xmp", kEndsP | kRaw},
});
constexpr Element kOther{"", 0};

const Element& element_named(std::string_view name) {
  const auto found = std::lower_bound(kElements.begin(), kElements.end(), name,
                                      [](const Element& each, std::string_view other) { return each.name < other; });
  return found != kElements.end() && found->name == name ? *found : kOther;
}

bool is_space(std::string_view character) {
  return character.size() == 1 && std::string_view(" \t\n\r\f").find(character[0]) != std::string_view::npos;
}

/// The text and its map, with white space made single, line breaks and list marks put in.
class TextWriter {
 public:
  explicit TextWriter(std::string_view html) : html_(html) {}

  void break_line() {
    if (break_.empty()) break_ = "\n";
  }
  void break_block() { break_ = "\n\n"; }
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  void set_in_heading(bool in_heading) { in_heading_ = in_heading; }
  void add_space() { space_due_ = true; }

  /// A character that the page has at bytes [begin, end); a break that is due is written before it.
  void add(std::string_view character, size_t begin, size_t end) {
    if (is_space(character)) {
      if (!space_due_) space_at_ = begin;
      space_due_ = true;
      return;
    }
    if (in_heading_ && break_ == "\n") break_ = " ";
    if (!break_.empty()) {
      if (!text_.empty()) insert(break_);
    } else if (space_due_ && !text_.empty()) {
      write_space(begin);
    }
    break_.clear();
    space_due_ = false;
    insert(prefix_);
    prefix_.clear();
    skip_to(begin);
    text_ += character;
    map_.append(character.size(), end - begin);
    at_ = end;
  }

  const std::string& text() const { return text_; }
  std::string take_text() { return std::move(text_); }
  SourceMap take_map() { return std::move(map_); }

 private:
  void insert(std::string_view text) {
    text_ += text;
    map_.append(text.size(), 0);
  }
  /// One space for all that is between two words; it stands for the first white space of it, if there is any.
  void write_space(size_t next) {
    const bool in_page = space_at_ >= at_ && space_at_ < next;
    if (!in_page) return insert(" ");
    skip_to(space_at_);
    text_ += ' ';
    map_.append(1, 1, html_[at_] == '\n' ? 1 : 0);
    ++at_;
  }
  void skip_to(size_t begin) {
    const auto line_feeds = std::count(html_.begin() + static_cast<std::ptrdiff_t>(at_),
                                       html_.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
    map_.append(0, begin - at_, static_cast<uint64_t>(line_feeds));
    at_ = begin;
  }

  std::string_view html_;
  std::string text_;
  SourceMap map_;
  size_t at_ = 0;       // of the page: what is before it is in the map
  std::string break_;   // due before the next text
  std::string prefix_;  // written before the next text, if it begins a line
  bool space_due_ = false;
  size_t space_at_ = 0;  // where it is in the page
  bool in_heading_ = false;
};

class HtmlReader {
 public:
  explicit HtmlReader(std::string_view html) : html_(html), tokens_(html), out_(html) {}

  Document read() {
    for (HtmlToken token; tokens_.next(token); tokens_.set_foreign(in_foreign())) {
      if (token.kind == HtmlToken::Kind::text)
        add_text(token);
      else if (token.kind == HtmlToken::Kind::start_tag)
        start(token);
      else
        end(token.name);
    }
    Document document;
    document.is_markdown = true;
    document.title = title_.empty() ? first_heading_ : title_;
    document.text = out_.take_text();
    document.source = out_.take_map();
    return document;
  }

 private:
  struct Open {
    const Element* element;
    size_t text_begin;  // of what was written when it was opened
    bool is(std::string_view name) const { return element->name == name; }
    bool has(uint32_t trait) const { return (element->traits & trait) != 0; }
  };

  // --- text

  void add_text(const HtmlToken& token) {
    HtmlCharacter character;
    for (size_t at = token.begin; at < token.end; at += character.num_bytes) {
      if (token.is_raw)
        character = {std::string(1, html_[at]), 1};
      else
        character = read_html_character(html_.substr(0, token.end), at);
      if (dropped_ > 0) continue;
      in_body_ |= !is_space(character.text);
      if (in_body_) out_.add(character.text, at, at + character.num_bytes);
    }
  }

  /// The text of an element that holds nothing else. Only its end tag can follow, which closes nothing.
  void read_plain(const Element& element) {
    tokens_.read_text_until(element.name, (element.traits & kRaw) != 0);
    const bool dropped = (element.traits & kDropped) != 0;
    const bool is_title = !in_body_ && dropped_ == 0 && element.name == "title";
    if (!dropped && !is_title) return;  // add_text() has it
    HtmlToken token;
    if (!tokens_.next(token) || token.kind != HtmlToken::Kind::text || !is_title) return;
    TextWriter title(html_);
    for (size_t at = token.begin; at < token.end;) {
      const HtmlCharacter character = read_html_character(html_.substr(0, token.end), at);
      title.add(character.text, at, at + character.num_bytes);
      at += character.num_bytes;
    }
    title_ = title.take_text();
  }

  // --- the stack of open elements

  void push(const Element& element, size_t offset) {
    if (stack_.size() >= kMaxOpenElements)
      throw Error(Code::bad_input, fmt::format("HTML nested more than {} deep at offset {}", kMaxOpenElements, offset));
    stack_.push_back({&element, out_.text().size()});
    dropped_ += (element.traits & kDropped) != 0;
    if (dropped_ > 0) return;
    if (element.traits & (kBlock | kHeading)) out_.break_block();
    if (element.name == "tr" || element.name == "li") out_.break_line();
    if (element.name == "li") out_.set_prefix("- ");
    if (element.traits & kHeading) {
      out_.set_prefix(std::string(static_cast<size_t>(element.name[1] - '0'), '#') + " ");
      out_.set_in_heading(true);
    }
  }

  void pop() {
    const Open open = stack_.back();
    stack_.pop_back();
    const bool was_dropped = dropped_ > 0;
    dropped_ -= open.has(kDropped);
    if (was_dropped) return;
    if (open.has(kHeading)) end_heading(open);
    if (open.has(kBlock)) out_.break_block();
    if (open.is("td") || open.is("th")) out_.add_space();
    if (open.is("tr") || open.is("li")) out_.break_line();
  }

  void end_heading(const Open& heading) {
    out_.set_in_heading(false);
    out_.set_prefix("");
    out_.break_block();
    const size_t mark = out_.text().find("# ", heading.text_begin);
    if (first_heading_.empty() && mark != std::string::npos) first_heading_ = out_.text().substr(mark + 2);
  }

  void pop_to(size_t depth) {
    while (stack_.size() > depth) pop();
  }

  /// Pops through the innermost element that `is_it`, unless one that `ends` comes first.
  template <typename IsIt, typename Ends>
  bool pop_through(IsIt is_it, Ends ends) {
    for (size_t i = stack_.size(); i-- > 0;) {
      if (is_it(stack_[i])) {
        pop_to(i);
        return true;
      }
      if (ends(stack_[i])) return false;
    }
    return false;
  }
  bool end_innermost(std::string_view name, uint32_t ending_traits = kScope) {
    return pop_through([&](const Open& open) { return open.is(name); },
                       [&](const Open& open) { return open.has(ending_traits); });
  }
  bool end_paragraph() {
    return pop_through([](const Open& open) { return open.is("p"); },
                       [](const Open& open) { return open.has(kScope) || open.is("button"); });
  }

  bool on_top(std::string_view name) const { return !stack_.empty() && stack_.back().is(name); }
  bool in_foreign() const { return !stack_.empty() && stack_.back().has(kForeign); }
  /// Of the innermost table, or the template that hides it; the stack's size without one.
  size_t innermost_table() const {
    size_t i = stack_.size();
    while (i > 0 && !stack_[i - 1].is("table") && !stack_[i - 1].is("template")) --i;
    return i == 0 ? stack_.size() : i - 1;
  }
  bool in_table() const {
    const size_t table = innermost_table();
    return table < stack_.size() && stack_[table].is("table");
  }

  // --- tags

  void start(const HtmlToken& token) {
    const Element& element = element_named(token.name);
    if (in_foreign()) {
      if (!(element.traits & kEndsForeign)) return start_foreign(element, token);
      while (in_foreign()) pop();
    }
    if (on_top("select") && !leave_select(element)) return;
    in_body_ |= dropped_ == 0 && !(element.traits & kHead);
    if (element.traits & kTablePart) return start_table_part(element, token.begin);
    end_what_it_ends(element);
    if (element.traits & (kRaw | kPlain)) return read_plain(element);
    if (element.name == "plaintext") return tokens_.read_the_rest_as_text();
    if (element.name == "br" && dropped_ == 0) out_.break_line();
    if (element.name == "hr" && dropped_ == 0) out_.break_block();
    const bool is_empty = (element.traits & kForeign) && token.self_closing;
    if ((element.traits & kSpecial) && !is_empty) push(element, token.begin);
  }

  void start_foreign(const Element& element, const HtmlToken& token) {
    if ((element.traits & (kForeign | kForeignHtml)) && !token.self_closing) push(element, token.begin);
  }

  /// Inside a selection only its options count; true for a start tag that ends it and counts itself.
  bool leave_select(const Element& element) {
    if (element.traits & kRaw) return true;
    const bool ends = element.name == "select" || element.name == "textarea";
    const bool part_of_table = (element.traits & kTablePart) || element.name == "table";
    if (!ends && !(part_of_table && in_table())) return false;
    pop();
    return element.name != "select";
  }

  /// Elements whose end tag may be left out before this one.
  void end_what_it_ends(const Element& element) {
    if (element.name == "li") end_items("li", "li");
    if (element.name == "dd" || element.name == "dt") end_items("dd", "dt");
    if (element.name == "button") end_innermost("button");
    if (element.traits & kEndsP) end_paragraph();
    if ((element.traits & kHeading) && !stack_.empty() && stack_.back().has(kHeading)) pop();
    if (element.name == "table" && (on_top("table") || on_top("tr"))) end_innermost("table", 0);
  }

  void end_items(std::string_view name, std::string_view other_name) {
    pop_through([&](const Open& open) { return open.is(name) || open.is(other_name); },
                [](const Open& open) { return !open.is("address") && !open.is("div") && !open.is("p"); });
  }

  void start_table_part(const Element& element, size_t offset) {
    if (!in_table()) return;
    const bool is_cell = element.name == "td" || element.name == "th";
    size_t depth = innermost_table() + 1;
    const bool in_row = depth < stack_.size() && stack_[depth].is("tr");
    pop_to(is_cell && in_row ? depth + 1 : depth);
    if (is_cell && !in_row) push(element_named("tr"), offset);
    if (element.traits & kSpecial) push(element, offset);
  }

  void end(std::string_view name) {
    const Element& element = element_named(name);
    if (on_top("select") && name != "select" && !(element.traits & kTablePart) && name != "table") return;
    if (name == "p" && !end_paragraph() && dropped_ == 0) out_.break_block();
    if (name == "br" && dropped_ == 0) out_.break_line();
    if (name == "p" || name == "br" || !(element.traits & (kSpecial | kTablePart | kForeignHtml))) return;
    if (element.traits & kHeading)
      pop_through([](const Open& open) { return open.has(kHeading); },
                  [](const Open& open) { return open.has(kScope); });
    else if (name == "li")
      end_innermost(name, kScope | kListScope);
    else if (element.traits & kTablePart || name == "table")
      end_table_part(element);
    else if (name == "template" || (element.traits & kForeign))
      end_innermost(name, 0);
    else
      end_innermost(name);
  }

  void end_table_part(const Element& element) {
    if (!in_table()) return;
    const size_t table = innermost_table();
    if (element.name == "table") return pop_to(table);
    if (!(element.traits & kSpecial)) return pop_to(table + 1);
    for (size_t i = table + 1; i < stack_.size(); ++i)
      if (stack_[i].element == &element) return pop_to(i);
  }

  std::string_view html_;
  HtmlTokens tokens_;
  TextWriter out_;
  std::vector<Open> stack_;
  int dropped_ = 0;  // open elements that are dropped
  bool in_body_ = false;
  std::string title_, first_heading_;
};

}  // namespace

Document document_of_html(const std::string& html) {
  return HtmlReader(html).read();
}

}  // namespace frugal
