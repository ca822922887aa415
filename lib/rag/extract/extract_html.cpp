// HTML to text in the style of Markdown, parsed by gumbo: headings with '#', list items with "- ", blank lines between
// blocks. Scripts, styles, navigation and forms are dropped.
#include <fmt/format.h>
#include <gumbo.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "rag/extract/extract_formats.h"

namespace frugal {
namespace {

// Maximum depth of the tree. Deeper pages are an attack or an accident; the text below is dropped.
constexpr int kMaxDepth = 400;

// gumbo walks its stack of open elements at every tag, so depth costs quadratic time. Pages that open this many more
// elements than they close are refused before parsing.
constexpr int64_t kMaxOpenElements = 5000;

/// Elements that are rarely or never closed, and do not nest.
bool closes_itself(std::string_view name) {
  static constexpr std::array<std::string_view, 19> kNames = {"br",  "img", "input",  "hr",   "meta", "link", "p",
                                                              "li",  "td",  "tr",     "th",   "dt",   "dd",   "option",
                                                              "col", "wbr", "source", "area", "param"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

void refuse_deep_nesting(std::string_view html) {
  int64_t open = 0;
  for (size_t at = html.find('<'); at + 1 < html.size() && at != std::string_view::npos; at = html.find('<', at + 1)) {
    const bool closing = html[at + 1] == '/';
    std::string name;
    for (size_t i = at + 1 + closing;
         i < html.size() && std::isalnum(static_cast<unsigned char>(html[i])) && name.size() < 16; ++i)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(html[i])));
    if (name.empty() || closes_itself(name)) continue;
    open = std::max<int64_t>(open + (closing ? -1 : 1), 0);
    if (open > kMaxOpenElements)
      throw Error(Code::bad_input, fmt::format("HTML nested more than {} deep at offset {}", kMaxOpenElements, at));
  }
}

bool is_skipped(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_BUTTON:
      return true;
    default:
      return false;
  }
}

bool is_block(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_BODY:
      return true;
    default:
      return false;
  }
}

int heading_level(GumboTag tag) {
  return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 ? static_cast<int>(tag - GUMBO_TAG_H1) + 1 : 0;
}

/// The memory of gumbo's tree, freed at once: gumbo's own destructor recurses as deep as the page nests.
class ParseMemory {
 public:
  static void* allocate(void* self, size_t bytes) { return static_cast<ParseMemory*>(self)->take(bytes); }
  static void keep(void*, void*) {}

 private:
  static constexpr size_t kBlockBytes = size_t(1) << 18;

  void* take(size_t bytes) {
    const size_t aligned =
        (bytes + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);
    if (aligned > left_) {
      left_ = std::max(kBlockBytes, aligned);
      blocks_.push_back(std::make_unique<std::byte[]>(left_));
      next_ = blocks_.back().get();
    }
    left_ -= aligned;
    return std::exchange(next_, next_ + aligned);
  }

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  size_t left_ = 0;
};

class HtmlText {
 public:
  Document document(const GumboNode& root) {
    walk(root, 0);
    Document document;
    document.is_markdown = true;
    document.title = title_.empty() ? first_heading_ : title_;
    document.text = std::move(text_);
    return document;
  }

 private:
  void walk(const GumboNode& node, int depth) {
    if (node.type == GUMBO_NODE_TEXT || node.type == GUMBO_NODE_CDATA) return append_text(node.v.text.text);
    if (node.type == GUMBO_NODE_WHITESPACE) return append_text(" ");
    if (node.type != GUMBO_NODE_ELEMENT || depth > kMaxDepth) return;
    const GumboTag tag = node.v.element.tag;
    if (tag == GUMBO_TAG_HEAD) return read_title(node);
    if (is_skipped(tag)) return;
    const int level = heading_level(tag);
    if (level > 0) return append_heading(node, level, depth);
    open_element(tag);
    walk_children(node, depth);
    if (is_block(tag)) pending_break_ = "\n\n";
    if (tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) append_text(" ");
    if (tag == GUMBO_TAG_TR || tag == GUMBO_TAG_LI) break_line();
  }

  void walk_children(const GumboNode& node, int depth) {
    const GumboVector& children = node.v.element.children;
    for (unsigned i = 0; i < children.length; ++i) walk(*static_cast<const GumboNode*>(children.data[i]), depth + 1);
  }

  void open_element(GumboTag tag) {
    if (is_block(tag)) pending_break_ = "\n\n";
    if (tag == GUMBO_TAG_BR || tag == GUMBO_TAG_TR || tag == GUMBO_TAG_LI) break_line();
    if (tag == GUMBO_TAG_LI) prefix_ = "- ";
  }

  void break_line() {
    if (pending_break_.empty()) pending_break_ = "\n";
  }

  void append_heading(const GumboNode& node, int level, int depth) {
    pending_break_ = "\n\n";
    prefix_ = std::string(static_cast<size_t>(level), '#') + " ";
    const size_t begin = text_.size();
    in_heading_ = true;
    walk_children(node, depth);
    in_heading_ = false;
    prefix_.clear();
    pending_break_ = "\n\n";
    const size_t mark = text_.find("# ", begin);
    if (first_heading_.empty() && mark != std::string::npos) first_heading_ = text_.substr(mark + 2);
  }

  /// Collapses runs of white space; a pending break is written before the next letter.
  void append_text(std::string_view text) {
    for (const char c : text) {
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        space_due_ = true;
        continue;
      }
      if (in_heading_ && pending_break_ == "\n") pending_break_ = " ";
      if (!pending_break_.empty()) {
        if (!text_.empty()) text_ += pending_break_;
      } else if (space_due_ && !text_.empty()) {
        text_ += ' ';
      }
      pending_break_.clear();
      space_due_ = false;
      text_ += prefix_;
      prefix_.clear();
      text_ += c;
    }
  }

  void read_title(const GumboNode& head) {
    const GumboVector& children = head.v.element.children;
    for (unsigned i = 0; i < children.length; ++i) {
      const auto& child = *static_cast<const GumboNode*>(children.data[i]);
      if (child.type != GUMBO_NODE_ELEMENT || child.v.element.tag != GUMBO_TAG_TITLE) continue;
      HtmlText title;
      title.walk_children(child, 0);
      title_ = std::move(title.text_);
    }
  }

  std::string text_;
  std::string title_, first_heading_;
  std::string pending_break_;  // due before the next text
  std::string prefix_;         // written before the next text, if it begins a line
  bool space_due_ = false;
  bool in_heading_ = false;
};

}  // namespace

Document document_of_html(const std::string& html) {
  refuse_deep_nesting(html);
  ParseMemory memory;
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = &ParseMemory::allocate;
  options.deallocator = &ParseMemory::keep;
  options.userdata = &memory;
  const GumboOutput* output = gumbo_parse_with_options(&options, html.data(), html.size());
  if (!output) throw Error(Code::bad_input, "not HTML that can be parsed");
  return HtmlText().document(*output->root);
}

}  // namespace frugal
