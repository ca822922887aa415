// Splits documents into chunks in three passes: lines to blocks, blocks to units, units to chunks.
//
// A chunk is embedded, retrieved and cited. It should therefore have one subject, fit the embedder, and be a byte range
// of the text: a citation quotes it, so nothing is added, and no text is lost. The rules follow from that.
//
// Blocks. A line is a heading or part of a paragraph, which ends at a blank line. Headings are those of Markdown
// (outside code fences), the first line of a plain text if it looks like a title, and the divisions of a law ("CAPÍTULO
// II"). In a law, every article opens a block, even in the middle of a line: articles often follow one another without
// a blank line.
//
// Units. A block that fits the token budget is one unit. A longer block is split at its provisions (paragraphs,
// incisos, alíneas), a provision that is still too long at its sentences, a sentence between words, and a word inside.
// Tokens are counted once per block. A token counts for at most 32 bytes, because a tokenizer may return a megabyte
// without spaces as one unknown token.
//
// Chunks. Units are collected while they fit. A heading ends the previous chunk and joins the text below it if both
// fit; every chunk stores its path of headings. A new article also ends the previous chunk: users look for articles and
// cite them, and two articles in one chunk would share a vector. If a paragraph had to be split into sentences, the
// last of them are repeated in the next chunk, so that an answer from two neighbouring sentences finds both in one
// chunk. A whole paragraph is never repeated: its end is a boundary that the author chose.
//
// Records (a line of jsonl, a row of csv) were already split by their author. A record that fits is a single chunk,
// whatever its headings. A record whose title names one article is that article; other articles in it are quotations.
//
// Provisions. A chunk lists the provisions whose text it contains. It may begin in the middle of an article, so the
// position in the law is carried over from earlier marks; a heading in between ends the article. The law is the one
// that the headings name (a collection of laws), else the law of the document: by its title, by a name or number at the
// start of a line before the first article, or by its file name.
#include "rag/chunk/chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/ascii.h"
#include "rag/law/law_number.h"
#include "rag/law/legal.h"
#include "rag/text/language.h"
#include "rag/text/sentences.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

using Level = LegalMark::Level;

constexpr uint32_t kMaxTokenBytes = 32;      // a longer token counts as several
constexpr int64_t kEstimatedTokenBytes = 6;  // within a word, without a tokenizer: most English words are one token
constexpr size_t kFrontBytes = 1500;         // the head of a text, where it may name its law
constexpr size_t kLanguageSampleBytes = 4096;
constexpr size_t kMaxTitleLineBytes = 120;
// A chunk's path of headings is stored with each chunk, so a heading of a megabyte cannot stand in it whole.
constexpr size_t kMaxHeadingBytes = 300;
constexpr size_t kMaxHeadingPathBytes = 1000;
// A text is tokenized in windows of about this size, since its tokens take several times its bytes.
constexpr size_t kTokenWindowBytes = 1 << 16;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// A byte range without blanks at its ends.
struct ByteRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  bool empty() const { return begin >= end; }
};

ByteRange trimmed(std::string_view text, size_t begin, size_t end) {
  while (begin < end && is_blank(text[begin])) ++begin;
  while (end > begin && is_blank(text[end - 1])) --end;
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
}

// --- tokens ---

/// The offsets where tokens begin. WordPiece and byte-level BPE never look past white space, so the counts of parts
/// that are split at white space add up to the count of the whole.
class TokenStarts {
 public:
  TokenStarts(std::string_view text, ByteRange range, const Tokenizer* tokenizer) {
    const std::string_view part = text.substr(range.begin, range.end - range.begin);
    if (!tokenizer) {
      estimate(part, range.begin);
      return;
    }
    uint32_t reached = range.begin;  // a piece counts once per kMaxTokenBytes
    for_each_window(part, [&](std::string_view window, uint32_t offset) {
      for (const Tokenizer::Piece& piece : tokenizer->encode_pieces(window, false)) {
        const uint32_t begin = range.begin + offset + piece.begin, end = range.begin + offset + piece.end;
        for (uint32_t at = std::max(begin, reached); at < std::max(end, begin + 1); at += kMaxTokenBytes) {
          starts_.push_back(character_begin(text, at));
          reached = at + 1;
        }
      }
    });
  }

  int64_t count(uint32_t begin, uint32_t end) const {
    return std::lower_bound(starts_.begin(), starts_.end(), end) -
           std::lower_bound(starts_.begin(), starts_.end(), begin);
  }
  /// The offset of the token that is `tokens` tokens after the one at `begin`; at most `end`.
  uint32_t advance(uint32_t begin, int64_t tokens, uint32_t end) const {
    const auto first = std::lower_bound(starts_.begin(), starts_.end(), begin);
    if (starts_.end() - first <= tokens) return end;
    return std::min(first[tokens], end);
  }

 private:
  static uint32_t character_begin(std::string_view text, uint32_t at) {
    while (at > 0 && at < text.size() && is_continuation(text[at])) --at;
    return at;
  }
  /// Calls `f` for pieces of `text` that begin at white space, or in a word that is as long as a window.
  template <typename F>
  static void for_each_window(std::string_view text, F&& f) {
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(begin + kTokenWindowBytes, text.size());
      const size_t last = std::min(end + kTokenWindowBytes, text.size());
      while (end < last && (!is_blank(text[end]) || is_blank(text[end - 1]))) ++end;
      while (end < text.size() && is_continuation(text[end])) ++end;
      f(text.substr(begin, end - begin), static_cast<uint32_t>(begin));
      begin = end;
    }
  }
  void estimate(std::string_view part, uint32_t offset) {
    for_each_window(part, [&](std::string_view window, uint32_t window_begin) {
      for (const Word& word : split_words(window))
        for (uint32_t at = window_begin + word.begin; at < window_begin + word.end; at += kEstimatedTokenBytes)
          starts_.push_back(offset + character_begin(part, at));
    });
    // Punctuation adds about one token per sign between words; half of all signs approximates those.
    const auto signs =
        std::count_if(part.begin(), part.end(), [](char c) { return std::ispunct(static_cast<unsigned char>(c)); });
    for (int64_t i = 0; i < signs / 2; ++i)
      starts_.push_back(offset +
                        static_cast<uint32_t>(part.size() * static_cast<size_t>(i) / static_cast<size_t>(signs)));
    for (uint32_t at = 0; at < part.size(); at += kMaxTokenBytes) starts_.push_back(offset + character_begin(part, at));
    std::sort(starts_.begin(), starts_.end());
  }

  std::vector<uint32_t> starts_;
};

// --- blocks ---

struct Block {
  ByteRange range;
  int heading_level = 0;  // 0: not a heading
  bool opens_article = false;
};

int markdown_heading_level(std::string_view line) {
  size_t level = 0;
  while (level < line.size() && line[level] == '#') ++level;
  const bool is_heading =
      level >= 1 && level <= 6 && (level == line.size() || line[level] == ' ' || line[level] == '\t');
  return is_heading ? static_cast<int>(level) : 0;
}

std::string_view heading_text(std::string_view line) {
  const size_t begin = std::min(line.find_first_not_of("# \t*_"), line.size());
  const size_t end = line.find_last_not_of("# \t*_\r");
  return end == std::string_view::npos || end < begin ? std::string_view() : line.substr(begin, end - begin + 1);
}

/// True if the first line of a plain text looks like a title: short, not a sentence, and above a blank line.
bool is_title_line(std::string_view line, bool followed_by_blank) {
  if (!followed_by_blank || line.empty() || line.size() > kMaxTitleLineBytes) return false;
  return std::string_view(".;:,!?").find(line.back()) == std::string_view::npos;
}

class StructureReader {
 public:
  StructureReader(const Document& document, const std::vector<LegalMark>& marks)
      : document_(document), text_(document.text) {
    for (const LegalMark& mark : marks)
      if (mark.level == Level::article) articles_.push_back(mark.line);
  }

  std::vector<Block> all() {
    for (size_t line = 0; line < text_.size();) {
      const size_t end = std::min(text_.find('\n', line), text_.size());
      read_line(line, end);
      line = end + 1;
    }
    close(text_.size());
    return std::move(blocks_);
  }

 private:
  void read_line(size_t begin, size_t end) {
    const ByteRange content = trimmed(text_, begin, end);
    const std::string_view line = text_.substr(content.begin, content.end - content.begin);
    if (document_.is_markdown && (line.starts_with("```") || line.starts_with("~~~"))) in_fence_ = !in_fence_;
    if (content.empty() && !in_fence_) return close(begin);
    const int level = in_fence_ ? 0 : heading_level(content, end);
    if (level > 0) {
      close(begin);
      blocks_.push_back({content, level, false});
    } else if (next_article_ < articles_.size() && articles_[next_article_] < end) {
      read_articles(begin, end);
    } else if (!open_) {
      open_ = begin;
    }
  }

  /// A line that contains the beginning of at least one article.
  void read_articles(size_t begin, size_t end) {
    if (!open_) open_ = begin;
    for (; next_article_ < articles_.size() && articles_[next_article_] < end; ++next_article_) {
      const size_t article = std::max<size_t>(articles_[next_article_], begin);
      close(article);
      open_ = article;
      opens_article_ = true;
    }
  }

  int heading_level(ByteRange content, size_t line_end) const {
    if (content.empty()) return 0;
    const std::string_view line = text_.substr(content.begin, content.end - content.begin);
    if (document_.is_markdown) {
      if (const int level = markdown_heading_level(line)) return level;
    }
    const size_t next = std::min(text_.find('\n', std::min(line_end + 1, text_.size())), text_.size());
    const bool followed_by_blank = line_end >= text_.size() || trimmed(text_, line_end, next).empty();
    const bool first = blocks_.empty() && !open_;
    if (!document_.is_record && !document_.is_markdown && first && is_title_line(line, followed_by_blank)) return 1;
    if (!articles_.empty() && is_division_heading(heading_text(line))) return 2;
    return 0;
  }

  void close(size_t end) {
    if (open_) {
      const ByteRange range = trimmed(text_, *open_, end);
      if (!range.empty()) blocks_.push_back({range, 0, opens_article_});
    }
    open_.reset();
    opens_article_ = false;
  }

  const Document& document_;
  std::string_view text_;
  std::vector<uint32_t> articles_;  // LegalMark::line of each
  size_t next_article_ = 0;
  std::vector<Block> blocks_;
  std::optional<size_t> open_;  // begin of the paragraph being read
  bool opens_article_ = false;
  bool in_fence_ = false;
};

// --- laws ---

/// The law that `text` names; with only_at_start, the law that it begins with. The longest name wins, then the first.
std::optional<std::string> find_law_name(std::string_view text, const LawTable& laws, bool only_at_start) {
  const std::vector<Word> words = split_words(text);
  std::vector<std::string> folded;
  folded.reserve(words.size());
  for (const Word& word : words) folded.push_back(word.folded);
  std::optional<LawTable::Match> best;
  for (size_t at = 0; at < words.size(); ++at) {
    if (const auto match = laws.match(folded, at); match && (!best || match->words > best->words)) best = match;
    const std::optional<LawNumber> number = read_law_number(text, words, at);
    if (number && (!best || number->words > best->words))
      best = LawTable::Match{laws.find_number(number->normal).value_or(number->normal), number->words};
    if (only_at_start) break;
  }
  return best ? std::optional(best->law) : std::nullopt;
}

/// The law that a document contains, by its title, the head of its text or its file name; empty if none names one.
std::string law_of_document(const Document& document, std::string_view stem, uint32_t first_article,
                            const LawTable& laws) {
  if (auto law = find_law_name(document.title, laws, false)) return *law;
  const std::string_view front =
      std::string_view(document.text).substr(0, std::min<size_t>(first_article, kFrontBytes));
  for (size_t line = 0; line < front.size();) {
    const size_t end = std::min(front.find('\n', line), front.size());
    if (auto law = find_law_name(heading_text(front.substr(line, end - line)), laws, true)) return *law;
    line = end + 1;
  }
  return find_law_name(stem, laws, false).value_or("");
}

// --- chunks ---

struct Heading {
  int level;
  std::string text;
};

class Chunker {
 public:
  Chunker(const Document& document, std::string_view stem, const ChunkOptions& options, const LawTable& laws)
      : document_(document), text_(document.text), options_(options), laws_(laws), marks_(marks_of(document, laws)) {
    if (!marks_.empty()) document_law_ = law_of_document(document, stem, marks_.front().begin, laws);
    document_language_ = detect_language(text_.substr(0, kLanguageSampleBytes));
  }

  std::vector<TextChunk> chunks() {
    if (document_.is_record && fits_whole()) return std::move(chunks_);
    for (const Block& block : StructureReader(document_, marks_).all()) {
      if (block.heading_level > 0)
        enter_heading(block);
      else
        add_body(block);
    }
    flush();
    return std::move(chunks_);
  }

 private:
  struct Unit {
    ByteRange range;
    int64_t tokens = 0;
    bool may_repeat = false;  // a sentence of a split paragraph: may be repeated in the next chunk
  };

  /// The marks of the document's own provisions. A record whose title names one article has no other: any other article
  /// in it is a quotation.
  static std::vector<LegalMark> marks_of(const Document& document, const LawTable& laws) {
    std::vector<LegalMark> marks = find_legal_marks(document.text);
    if (!document.is_record) return marks;
    const std::vector<FoundProvision> titled = find_provisions(document.title, laws);
    if (titled.size() != 1 || titled[0].reference.article.empty()) return marks;
    const std::string& article = titled[0].reference.article;
    std::erase_if(marks, [&](const LegalMark& mark) { return mark.level == Level::article && mark.value != article; });
    const bool opened = !marks.empty() && marks.front().level == Level::article;
    if (!opened) marks.insert(marks.begin(), LegalMark{Level::article, article, 0, 0});
    return marks;
  }

  bool fits_whole() {
    const ByteRange whole = trimmed(text_, 0, text_.size());
    if (whole.empty()) return true;
    if (tokens_of(whole) > options_.max_tokens) return false;
    units_.push_back({whole, 0, false});
    flush();
    return true;
  }

  int64_t tokens_of(ByteRange range) const {
    return TokenStarts(text_, range, options_.tokenizer).count(range.begin, range.end);
  }

  void enter_heading(const Block& block) {
    if (has_body_) flush();
    while (!headings_.empty() && headings_.back().level >= block.heading_level) headings_.pop_back();
    const std::string_view heading = heading_text(text_of(block.range));
    headings_.push_back({block.heading_level, std::string(first_bytes(heading, kMaxHeadingBytes))});
    heading_begins_.push_back(block.range.begin);
    add_units(units_of(block.range));
    has_body_ = false;  // a heading stays with the text below it
  }

  void add_body(const Block& block) {
    if (block.opens_article && has_body_) flush();
    add_units(units_of(block.range));
    has_body_ = true;
  }

  void add_units(const std::vector<Unit>& units) {
    for (const Unit& unit : units) {
      if (!units_.empty() && tokens_ + unit.tokens > options_.max_tokens) flush_with_overlap(unit.tokens);
      units_.push_back(unit);
      tokens_ += unit.tokens;
    }
  }

  std::string_view text_of(ByteRange range) const { return text_.substr(range.begin, range.end - range.begin); }

  /// The block as one unit, or split at its provisions, sentences and words.
  std::vector<Unit> units_of(ByteRange block) const {
    const TokenStarts starts(text_, block, options_.tokenizer);
    const int64_t tokens = starts.count(block.begin, block.end);
    if (tokens <= options_.max_tokens) return {{block, tokens, false}};
    std::vector<Unit> units;
    for (const ByteRange& part : provisions_of(block)) {
      const int64_t part_tokens = starts.count(part.begin, part.end);
      if (part_tokens <= options_.max_tokens)
        units.push_back({part, part_tokens, false});
      else
        append_sentences(units, part, starts);
    }
    return units;
  }

  std::vector<ByteRange> provisions_of(ByteRange block) const {
    std::vector<ByteRange> parts;
    uint32_t begin = block.begin;
    auto mark = std::lower_bound(marks_.begin(), marks_.end(), block.begin + 1,
                                 [](const LegalMark& each, uint32_t offset) { return each.line < offset; });
    for (; mark != marks_.end() && mark->line < block.end; ++mark) {
      const ByteRange part = trimmed(text_, begin, mark->line);
      if (part.empty()) continue;
      parts.push_back(part);
      begin = mark->line;
    }
    parts.push_back(trimmed(text_, begin, block.end));
    return parts;
  }

  void append_sentences(std::vector<Unit>& units, ByteRange part, const TokenStarts& starts) const {
    uint32_t begin = part.begin;  // text between two sentences belongs to the later one
    const std::vector<Sentence> sentences = split_sentences(text_of(part));
    for (size_t i = 0; i < sentences.size(); ++i) {
      const uint32_t end = i + 1 == sentences.size() ? part.end : part.begin + sentences[i].end;
      const ByteRange sentence = trimmed(text_, begin, end);
      begin = end;
      if (!sentence.empty()) append_words(units, sentence, starts);
    }
    if (const ByteRange rest = trimmed(text_, begin, part.end); !rest.empty()) append_words(units, rest, starts);
  }

  /// A sentence, split if it is too long: at white space in the last quarter of the budget, else before any token.
  void append_words(std::vector<Unit>& units, ByteRange sentence, const TokenStarts& starts) const {
    while (!sentence.empty()) {
      const uint32_t limit =
          std::max(starts.advance(sentence.begin, options_.max_tokens, sentence.end), sentence.begin + 1);
      uint32_t cut = limit;
      const uint32_t earliest = starts.advance(sentence.begin, options_.max_tokens * 3 / 4, sentence.end);
      while (cut > earliest && cut < sentence.end && !is_blank(text_[cut - 1])) --cut;
      if (cut <= earliest || cut == sentence.end) cut = limit;
      while (cut < sentence.end && is_continuation(text_[cut])) ++cut;
      const ByteRange piece = trimmed(text_, sentence.begin, cut);
      if (!piece.empty()) units.push_back({piece, starts.count(piece.begin, piece.end), true});
      sentence = trimmed(text_, cut, sentence.end);
    }
  }

  void flush_with_overlap(int64_t next_tokens) {
    std::vector<Unit> repeated;
    int64_t tokens = 0;
    const bool was_cut = units_.back().may_repeat;
    for (size_t i = units_.size(); was_cut && i-- > 1;) {
      const Unit& unit = units_[i];
      const bool fits =
          tokens + unit.tokens <= options_.overlap_tokens && tokens + unit.tokens + next_tokens <= options_.max_tokens;
      if (!unit.may_repeat || !fits) break;
      tokens += unit.tokens;
      repeated.insert(repeated.begin(), unit);
    }
    flush();
    units_ = std::move(repeated);
    tokens_ = tokens;
  }

  void flush() {
    if (!units_.empty()) {
      TextChunk chunk;
      chunk.begin = units_.front().range.begin;
      chunk.end = units_.back().range.end;
      chunk.line = line_of(chunk.begin);
      chunk.page = page_of(chunk.begin);
      chunk.heading = heading_path();
      chunk.language = detect_language(text_of({chunk.begin, chunk.end}));
      if (chunk.language == Language::unknown) chunk.language = document_language_;
      chunk.references = provisions_in(chunk.begin, chunk.end);
      chunks_.push_back(std::move(chunk));
    }
    units_.clear();
    tokens_ = 0;
    has_body_ = false;
  }

  /// Counts on from the previous call: chunks are in order, and an overlap goes back by less than a chunk.
  int64_t line_of(uint32_t offset) {
    if (document_.source) return document_.source->find(offset, offset + 1).line;
    if (document_.is_record) return document_.line;
    if (offset < counted_to_) {
      counted_line_ -= std::count(text_.begin() + offset, text_.begin() + counted_to_, '\n');
    } else {
      counted_line_ += std::count(text_.begin() + counted_to_, text_.begin() + offset, '\n');
    }
    counted_to_ = offset;
    return counted_line_;
  }

  /// As line_of().
  int64_t page_of(uint32_t offset) {
    if (document_.first_page == 0) return 0;
    const auto [from, to] = std::minmax(offset, paged_to_);
    const auto breaks = std::count(text_.begin() + from, text_.begin() + to, '\f');
    page_ += offset < paged_to_ ? -breaks : breaks;
    paged_to_ = offset;
    return document_.first_page + page_;
  }

  std::string heading_path() const {
    std::string path;
    for (const Heading& heading : headings_) {
      if (heading.text.empty()) continue;
      if (!path.empty()) path += " › ";
      path += heading.text;
    }
    path.resize(first_bytes(path, kMaxHeadingPathBytes).size());
    return path;
  }

  /// The law that the headings name (a collection of laws), else the law of the document.
  std::string current_law() const {
    for (size_t i = headings_.size(); i-- > 0;)
      if (auto law = find_law_name(headings_[i].text, laws_, true)) return *law;
    return document_law_;
  }

  /// The provisions in [begin, end): the one that `begin` lies in, and each that opens in the range.
  std::vector<Provision> provisions_in(uint32_t begin, uint32_t end) {
    if (marks_.empty()) return {};
    std::set<Provision> held;
    const std::string law = current_law();
    const auto hold = [&](const LegalPosition& position) {
      if (std::optional<Provision> reference = position.provision()) {
        reference->law = law;
        held.insert(*reference);
      }
    };
    LegalPosition position = position_before(begin);
    if (next_mark_ == marks_.size() || marks_[next_mark_].line > begin) hold(position);
    for (size_t i = next_mark_; i < marks_.size() && marks_[i].begin < end; ++i) {
      position.enter(marks_[i]);
      hold(position);
    }
    return {held.begin(), held.end()};
  }

  /// The position just before `begin`. Moves next_mark_ to the first mark from there on; starts over after an overlap.
  LegalPosition position_before(uint32_t begin) {
    if (next_mark_ > 0 && marks_[next_mark_ - 1].line >= begin) {
      next_mark_ = 0;
      position_ = {};
    }
    while (next_mark_ < marks_.size() && marks_[next_mark_].line < begin) position_.enter(marks_[next_mark_++]);
    // A heading after the last mark ends the article.
    const auto heading = std::upper_bound(heading_begins_.begin(), heading_begins_.end(), begin);
    const uint32_t last_mark = next_mark_ > 0 ? marks_[next_mark_ - 1].begin : 0;
    if (heading != heading_begins_.begin() && *(heading - 1) >= last_mark) return {};
    return position_;
  }

  const Document& document_;
  std::string_view text_;
  const ChunkOptions& options_;
  const LawTable& laws_;
  std::vector<LegalMark> marks_;
  std::string document_law_;
  Language document_language_ = Language::unknown;

  std::vector<Heading> headings_;
  std::vector<uint32_t> heading_begins_;  // offsets
  std::vector<Unit> units_;               // of the chunk being filled
  int64_t tokens_ = 0;
  bool has_body_ = false;  // units_ contains more than headings
  size_t next_mark_ = 0;
  LegalPosition position_;
  uint32_t counted_to_ = 0;
  int64_t counted_line_ = 1;
  uint32_t paged_to_ = 0;
  int64_t page_ = 0;  // form feeds before paged_to_
  std::vector<TextChunk> chunks_;
};

}  // namespace

std::string ChunkOptions::recipe() const {
  constexpr int kChunkerVersion = 1;  // raise if the same text gives different chunks
  return fmt::format("chunks-{} tokens={} overlap={} {}", kChunkerVersion, max_tokens, overlap_tokens,
                     tokenizer ? fmt::format("vocabulary={}", tokenizer->vocab_size()) : "estimated");
}

std::vector<TextChunk> chunk_document(const Document& document, std::string_view stem, const ChunkOptions& options,
                                      const LawTable& laws) {
  return Chunker(document, stem, options, laws).chunks();
}

}  // namespace frugal
