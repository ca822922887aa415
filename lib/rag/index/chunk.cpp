// Documents to chunks, in three passes: lines to blocks, blocks to units, units to chunks.
//
// A chunk is what is embedded, found and cited. It should therefore be about one thing, fit the embedder whole, and be
// a range of bytes of the text: a citation quotes it, so nothing is added, and nothing that is not blank is lost. The
// rules follow from that.
//
// Blocks. A line is a heading, or belongs to a paragraph, which ends at a blank line. Headings are those of Markdown
// (not inside a code fence), the first line of a plain text if it reads like a title, and in a law its divisions
// ("CAPÍTULO II"). In a law an article opens a block wherever it begins, in the middle of a line too: articles often
// follow one another without a blank line.
//
// Units. A block that fits the budget of tokens is one unit. If it does not, it is cut where it hurts least: at its
// provisions (paragraphs, incisos, alíneas), those at their sentences, those between words, and a word that is too long
// inside itself. Tokens are counted once a block; no token counts for more than 32 bytes, because a tokenizer may call
// a megabyte without a space one unknown token.
//
// Chunks. Units are gathered while they fit. A heading ends the chunk before it and goes with the text below it if both
// fit; every chunk knows its path of headings. A new article ends the chunk before it too: an article is what people
// look for and cite, and two of them in one chunk would make one vector of two subjects. Where a paragraph had to be
// cut into sentences, the last of them are repeated at the start of the next chunk, so that an answer which needs two
// neighbours finds both in one chunk. A paragraph that stayed whole is never repeated: it ends where its author ended
// it.
//
// Records (a line of jsonl, a row of csv) were cut by their author. One that fits stays a single chunk, whatever its
// headings, and one that is titled as an article is that article: other articles in it are quotations.
//
// Each chunk bears the provisions that it holds. It may begin in the middle of an article, so the position in the law
// is carried from the marks before it, and a heading between ends it. The law itself is the one that the headings name
// (a collection of laws), else that of the document: by its title, by the number at its head, by the name of its file.
#include "rag/index/chunk.h"

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

// A tokenizer may call a word of a megabyte one unknown token. For the budget, no token is longer than this.
constexpr uint32_t kMaxTokenBytes = 32;
constexpr int64_t kEstimatedTokenBytes = 6;  // of a word, without a tokenizer: most English words are one token
constexpr size_t kFrontBytes = 1500;         // of a text, where the law that it is names itself
constexpr size_t kLanguageSampleBytes = 4096;
constexpr size_t kMaxTitleLineBytes = 120;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// A range of bytes without blanks around it.
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

// --- tokens

/// Where tokens begin in a text. WordPiece and byte-level BPE never look past white space, so counts of parts that are
/// split at white space add up to that of the whole.
class TokenStarts {
 public:
  TokenStarts(std::string_view text, ByteRange range, const Tokenizer* tokenizer) {
    const std::string_view part = text.substr(range.begin, range.end - range.begin);
    if (!tokenizer) {
      estimate(part, range.begin);
      return;
    }
    uint32_t reached = range.begin;  // pieces are cut so that none is longer than kMaxTokenBytes
    for (const Tokenizer::Piece& piece : tokenizer->encode_pieces(part, false)) {
      const uint32_t begin = range.begin + piece.begin, end = range.begin + piece.end;
      for (uint32_t at = std::max(begin, reached); at < std::max(end, begin + 1); at += kMaxTokenBytes) {
        starts_.push_back(whole_character(text, at));
        reached = at + 1;
      }
    }
  }

  int64_t count(uint32_t begin, uint32_t end) const {
    return std::lower_bound(starts_.begin(), starts_.end(), end) -
           std::lower_bound(starts_.begin(), starts_.end(), begin);
  }
  /// Where the token that is `tokens` behind the one at `begin` starts; `end` if there are fewer before it.
  uint32_t advance(uint32_t begin, int64_t tokens, uint32_t end) const {
    const auto first = std::lower_bound(starts_.begin(), starts_.end(), begin);
    if (starts_.end() - first <= tokens) return end;
    return std::min(first[tokens], end);
  }

 private:
  static uint32_t whole_character(std::string_view text, uint32_t at) {
    while (at > 0 && at < text.size() && is_continuation(text[at])) --at;
    return at;
  }
  void estimate(std::string_view part, uint32_t offset) {
    for (const Word& word : split_words(part))
      for (uint32_t at = word.begin; at < word.end; at += kEstimatedTokenBytes)
        starts_.push_back(offset + whole_character(part, at));
    // Punctuation between words is about one token a sign; half of the signs is a fair share of it.
    const auto signs =
        std::count_if(part.begin(), part.end(), [](char c) { return std::ispunct(static_cast<unsigned char>(c)); });
    for (int64_t i = 0; i < signs / 2; ++i)
      starts_.push_back(offset +
                        static_cast<uint32_t>(part.size() * static_cast<size_t>(i) / static_cast<size_t>(signs)));
    for (uint32_t at = 0; at < part.size(); at += kMaxTokenBytes) starts_.push_back(offset + whole_character(part, at));
    std::sort(starts_.begin(), starts_.end());
  }

  std::vector<uint32_t> starts_;
};

// --- blocks

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

/// The first line of a plain text, if it reads like a title: short, no sentence, nothing right below it.
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

  /// A line on which articles begin, at its start or behind a sentence.
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
  std::vector<uint32_t> articles_;  // where the lines of articles begin
  size_t next_article_ = 0;
  std::vector<Block> blocks_;
  std::optional<size_t> open_;  // begin of the paragraph being read
  bool opens_article_ = false;
  bool in_fence_ = false;
};

// --- laws

/// A law named in the text; `only_at_start`: as its first words. The longest name wins, then the first.
std::optional<std::string> law_named_in(std::string_view text, const LawTable& laws, bool only_at_start) {
  const std::vector<Word> words = split_words(text);
  std::vector<std::string> folded;
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

/// The law whose text a document is, by its title, else by the number that heads it, else by the name of its file.
std::string law_of_document(const Document& document, std::string_view stem, uint32_t first_article,
                            const LawTable& laws) {
  if (auto law = law_named_in(document.title, laws, false)) return *law;
  const std::string_view front =
      std::string_view(document.text).substr(0, std::min<size_t>(first_article, kFrontBytes));
  for (size_t line = 0; line < front.size();) {
    const size_t end = std::min(front.find('\n', line), front.size());
    if (auto law = law_named_in(heading_text(front.substr(line, end - line)), laws, true)) return *law;
    line = end + 1;
  }
  return law_named_in(stem, laws, false).value_or("");
}

// --- chunks

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
    bool may_repeat = false;  // a sentence of a paragraph that was cut: may overlap into the next chunk
  };

  /// Marks of the document's own articles. A record that is titled as one article holds no other: what looks like one
  /// is quoted from another law.
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
    headings_.push_back({block.heading_level, std::string(heading_text(text_of(block.range)))});
    left_article_at_.push_back(block.range.begin);
    add_units(units_of(block.range));
    has_body_ = false;  // headings wait for the text below them
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

  /// The block whole, or in parts: at its provisions, at its sentences, between words.
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
    uint32_t begin = part.begin;  // what lies between sentences goes with the one behind it
    const std::vector<Sentence> sentences = split_sentences(text_of(part));
    for (size_t i = 0; i < sentences.size(); ++i) {
      const uint32_t end = i + 1 == sentences.size() ? part.end : part.begin + sentences[i].end;
      const ByteRange sentence = trimmed(text_, begin, end);
      begin = end;
      if (!sentence.empty()) append_words(units, sentence, starts);
    }
    if (const ByteRange rest = trimmed(text_, begin, part.end); !rest.empty()) append_words(units, rest, starts);
  }

  /// A sentence, cut where it is over the budget: before a word that starts a token, else before any token.
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
      chunk.line = document_.is_record ? document_.line : line_of(chunk.begin);
      chunk.heading = heading_path();
      chunk.language = detect_language(text_of({chunk.begin, chunk.end}));
      if (chunk.language == Language::unknown) chunk.language = document_language_;
      chunk.references = references_in(chunk.begin, chunk.end);
      chunks_.push_back(std::move(chunk));
    }
    units_.clear();
    tokens_ = 0;
    has_body_ = false;
  }

  /// Chunks come in order of their begin, but for an overlap, which goes back less than a chunk.
  int64_t line_of(uint32_t offset) {
    if (offset < counted_to_) {
      counted_line_ -= std::count(text_.begin() + offset, text_.begin() + counted_to_, '\n');
    } else {
      counted_line_ += std::count(text_.begin() + counted_to_, text_.begin() + offset, '\n');
    }
    counted_to_ = offset;
    return counted_line_;
  }

  std::string heading_path() const {
    std::string path;
    for (const Heading& heading : headings_) {
      if (heading.text.empty()) continue;
      if (!path.empty()) path += " › ";
      path += heading.text;
    }
    return path;
  }

  /// The law that the headings name (a collection of laws), else that of the document.
  std::string current_law() const {
    for (size_t i = headings_.size(); i-- > 0;)
      if (auto law = law_named_in(headings_[i].text, laws_, true)) return *law;
    return document_law_;
  }

  /// Provisions in [begin, end): the one it begins in, and each that it opens.
  std::vector<Provision> references_in(uint32_t begin, uint32_t end) {
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

  /// Where the text stands just before `begin`; next_mark_ is then the first mark behind it. Restarts for an overlap.
  LegalPosition position_before(uint32_t begin) {
    if (next_mark_ > 0 && marks_[next_mark_ - 1].line >= begin) {
      next_mark_ = 0;
      position_ = {};
    }
    while (next_mark_ < marks_.size() && marks_[next_mark_].line < begin) position_.enter(marks_[next_mark_++]);
    // A heading in between ends the article.
    const auto heading = std::upper_bound(left_article_at_.begin(), left_article_at_.end(), begin);
    const uint32_t last_mark = next_mark_ > 0 ? marks_[next_mark_ - 1].begin : 0;
    if (heading != left_article_at_.begin() && *(heading - 1) >= last_mark) return {};
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
  std::vector<uint32_t> left_article_at_;  // begins of headings
  std::vector<Unit> units_;                // of the chunk being filled
  int64_t tokens_ = 0;
  bool has_body_ = false;  // more than headings among units_
  size_t next_mark_ = 0;
  LegalPosition position_;
  uint32_t counted_to_ = 0;
  int64_t counted_line_ = 1;
  std::vector<TextChunk> chunks_;
};

}  // namespace

std::string ChunkOptions::recipe() const {
  constexpr int kChunkerVersion = 1;  // raise when the same text gives other chunks
  return fmt::format("chunks-{} tokens={} overlap={} {}", kChunkerVersion, max_tokens, overlap_tokens,
                     tokenizer ? fmt::format("vocabulary={}", tokenizer->vocab_size()) : "estimated");
}

std::vector<TextChunk> chunk_document(const Document& document, std::string_view stem, const ChunkOptions& options,
                                      const LawTable& laws) {
  return Chunker(document, stem, options, laws).chunks();
}

}  // namespace frugal
