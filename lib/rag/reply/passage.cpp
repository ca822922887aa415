// The text of an index is its chunks: ranges of a document that may overlap, with only blanks between them. Put in
// order, without what was there before, they are the document's lines; blank lines between them are filled in.
#include "rag/reply/passage.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"
#include "base/visible.h"
#include "rag/reply/reply_json.h"
#include "rag/reply/source_file.h"
#include "rag/scan/sources.h"

namespace frugal {
namespace {

constexpr int64_t kMaxBlankLines = 10'000;  // filled in between two chunks
constexpr size_t kChunksAtOnce = 64;

struct LineRange {
  int64_t first = 1, last = std::numeric_limits<int64_t>::max();
};

struct NamedPlace {
  std::string path;
  LineRange range;
};

std::optional<int64_t> line_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

/// "PATH:7" or "PATH:7-9"; nullopt if the end is no lines.
std::optional<NamedPlace> with_lines(std::string_view place) {
  const size_t colon = place.rfind(':');
  if (colon == place.npos) return std::nullopt;
  const std::string_view lines = place.substr(colon + 1);
  const size_t dash = lines.find('-');
  const std::optional<int64_t> first = line_number(lines.substr(0, dash));
  const std::optional<int64_t> last = dash == lines.npos ? first : line_number(lines.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  if (*last < *first)
    throw Error(Code::usage, fmt::format("lines {} to {}: the last is before the first", *first, *last));
  return NamedPlace{std::string(place.substr(0, colon)), {*first, *last}};
}

std::optional<StoredFile> find_file(Store& store, const std::string& path) {
  if (path.empty()) return std::nullopt;
  std::vector<std::string> names = {path, normal_path(path).native()};
  for (const auto& [root, options] : store.coverage().roots) {
    names.push_back((std::filesystem::path(root) / path).lexically_normal().native());
    names.push_back((std::filesystem::path(root).parent_path() / path).lexically_normal().native());
  }
  for (const std::string& name : names)
    if (auto file = store.find_file(name)) return file;
  return std::nullopt;
}

/// Collects the lines of a range. Lines come in pieces that may end anywhere.
class LineCollector {
 public:
  explicit LineCollector(LineRange range) : range_(range) {}

  /// A piece of the line `number`, without a line feed.
  void add(int64_t number, std::string_view piece) {
    if (!is_open_ || number != number_) end_line();
    is_open_ = true;
    number_ = number;
    line_ += piece;
  }
  void end_line() {
    if (std::exchange(is_open_, false)) {
      last_seen_ = std::max(last_seen_, number_);
      if (range_.first <= number_ && number_ <= range_.last) take_line();
    }
    line_.clear();
  }

  Passage take(std::string path) {
    end_line();
    if (first_ == 0)
      throw Error(Code::bad_input, fmt::format("'{}' has {} lines with text", path, last_seen_))
          .hint("leave the lines out to see all of them");
    Passage passage;
    passage.path = std::move(path);
    passage.first_line = first_;
    passage.last_line = last_;
    passage.text = std::move(text_);
    return passage;
  }

 private:
  void take_line() {
    if (first_ == 0) first_ = number_;
    last_ = std::max(last_, number_);
    text_ += line_;
    text_ += '\n';
  }

  LineRange range_;
  bool is_open_ = false;
  int64_t number_ = 0, last_seen_ = 0, first_ = 0, last_ = 0;
  std::string line_, text_;
};

/// The lines of a text of which byte 0 is on `line` of the file, or where `source` says.
void add_lines(LineCollector& lines, std::string_view text, const std::optional<SourceMap>& source, int64_t line) {
  for (size_t at = 0;; ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.add(source ? source->find(at, std::min(end + 1, text.size())).line : line, text.substr(at, end - at));
    if (end == text.size()) return;
    lines.end_line();
    at = end + 1;
  }
}

Passage from_file(const std::string& path, LineRange range, Budget& budget, std::string& sha256) {
  LineCollector lines(range);
  sha256 = extract_again(path, budget, [&](const Document& document) {
             std::string_view text = document.text;
             if (text.ends_with('\n')) text.remove_suffix(1);
             add_lines(lines, text, document.source, document.line);
             lines.end_line();
           }).sha256;
  return lines.take(path);
}

class IndexedText {
 public:
  explicit IndexedText(LineCollector& lines) : lines_(lines) {}

  void add(const Chunk& chunk) {
    if (chunk.document != document_) {
      lines_.end_line();
      document_ = chunk.document;
      covered_ = chunk.start_byte;
    }
    if (chunk.end_byte <= covered_) return;
    const size_t known = chunk.start_byte < covered_ ? covered_ - chunk.start_byte : 0;
    const std::string_view text = std::string_view(chunk.text).substr(std::min(known, chunk.text.size()));
    std::optional<SourceMap> source;
    if (chunk.source)
      source = chunk.source->slice(known, chunk.text.size()).moved(0, chunk.source->find(known, known + 1).line);
    const int64_t line =
        chunk.line + std::count(chunk.text.begin(),
                                chunk.text.begin() + static_cast<std::ptrdiff_t>(chunk.text.size() - text.size()),
                                '\n');
    if (chunk.start_byte > covered_) fill_gap(chunk, line);
    add_lines(lines_, text, source, line);
    covered_ = chunk.end_byte;
    last_line_ = line + std::count(text.begin(), text.end(), '\n');
  }

 private:
  /// Blanks stand between two chunks: on one line if no line feed is among them.
  void fill_gap(const Chunk& chunk, int64_t line) {
    if (chunk.source) return lines_.end_line();
    if (line == last_line_) return lines_.add(line, " ");
    lines_.end_line();
    for (int64_t blank = last_line_ + 1; blank < line && blank - last_line_ <= kMaxBlankLines; ++blank) {
      lines_.add(blank, "");
      lines_.end_line();
    }
  }

  LineCollector& lines_;
  std::string document_;
  uint64_t covered_ = 0;
  int64_t last_line_ = 0;
};

Passage from_index(Store& store, const StoredFile& file, LineRange range) {
  LineCollector lines(range);
  IndexedText text(lines);
  for (size_t i = 0; i < file.chunks.size(); i += kChunksAtOnce) {
    const auto some = std::span(file.chunks).subspan(i, std::min(kChunksAtOnce, file.chunks.size() - i));
    for (const Chunk& chunk : store.fetch(some)) text.add(chunk);
  }
  Passage passage = lines.take(file.path);
  passage.from_index = true;
  return passage;
}

/// By size and time; a file of another time may still have the same bytes.
SourceState state_of(const StoredFile& file) {
  struct stat info {};
  if (file.bytes < 0) return SourceState::unknown;
  if (::stat(file.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return SourceState::gone;
  const bool same = info.st_size == file.bytes && nanoseconds(info.st_mtim) == file.mtime_ns;
  return same ? SourceState::unchanged : SourceState::changed;
}

Error not_indexed(std::string_view place) {
  Error error(Code::bad_input, fmt::format("no file '{}' in the index", place));
  error.hint("write PATH:LINE or PATH:FIRST-LAST, with the path as rag-query prints it or relative to an added folder");
  return error;
}

}  // namespace

Passage read_passage(Store& store, std::string_view place, PassageTime time, Budget& budget) {
  LineRange range;
  std::optional<StoredFile> file = find_file(store, std::string(place));  // a name may end like lines
  if (!file) {
    const std::optional<NamedPlace> named = with_lines(place);
    if (named) range = named->range;
    if (named) file = find_file(store, named->path);
  }
  if (!file) throw not_indexed(place);

  SourceState state = state_of(*file);
  if (time == PassageTime::now && (state == SourceState::gone || state == SourceState::unknown))
    throw Error(Code::bad_input, fmt::format("'{}' is no file that can be read now", file->path))
        .hint("leave --now out to see it as it was indexed");
  std::string sha256;
  std::optional<Passage> now;
  const bool is_there = state == SourceState::unchanged || state == SourceState::changed;
  if (is_there) try {
      now = from_file(file->path, range, budget, sha256);
      state = sha256 == file->sha256 ? SourceState::unchanged : SourceState::changed;
    } catch (const Error& error) {
      // Of a changed file, that it cannot be read or has fewer lines: the index still has them.
      if (error.code() == Code::over_budget || time == PassageTime::now || state == SourceState::unchanged) throw;
    }
  const bool takes_file = now && (time == PassageTime::now || state == SourceState::unchanged);
  Passage passage = takes_file ? std::move(*now) : from_index(store, *file, range);
  passage.source = state;
  return passage;
}

std::string render_passage(const Passage& passage, bool as_json, bool for_terminal) {
  if (as_json) return passage_to_json(passage);
  return for_terminal ? visible_text(passage.text) : passage.text;
}

std::string passage_note(const Passage& passage) {
  const std::string path = visible_line(passage.path);
  switch (passage.source) {
    case SourceState::unchanged:
      return {};
    case SourceState::unknown:
      return fmt::format("{} was standard input: this is its text as it was indexed", path);
    case SourceState::gone:
      return fmt::format("{} is no longer there: this is its text as it was indexed", path);
    case SourceState::changed:
      break;
  }
  return passage.from_index
             ? fmt::format("{} has changed since: this is its text as it was indexed (--now: as it is)", path)
             : fmt::format("{} has changed since it was indexed", path);
}

}  // namespace frugal
