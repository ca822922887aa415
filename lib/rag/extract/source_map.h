// Where the bytes of an extracted text come from: their range and line in the file. A text is a sequence of runs. In a
// run, units of a few bytes of text stand for units of a few bytes of the file: 1 for 1 where the text is the file's, 1
// for 2 in UTF-16, 2 for 1 for an accented letter of Latin-1. Text that the file does not have (the "- " of a list
// item) stands for nothing, and nothing stands for bytes that are not text (tags, quotes).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// Takes a few bytes for each run: about a tenth of the text of a page of HTML.
class SourceMap {
 public:
  struct Place {
    uint64_t begin = 0, end = 0;  // bytes of the file
    int64_t line = 1;             // of `begin`, from 1
  };

  /// Of a text that begins at this byte and line.
  explicit SourceMap(uint64_t source_begin = 0, int64_t line = 1) : source_begin_(source_begin), line_(line) {}

  /// `text_bytes` that stand for `source_bytes`, in which there are `line_feeds`. Equal numbers without a line feed
  /// stand for one another byte by byte, any others as one unit.
  void append(uint64_t text_bytes, uint64_t source_bytes, uint64_t line_feeds = 0);
  /// What the text [begin, end) of `other` stands for.
  void append(const SourceMap& other, uint64_t begin, uint64_t end);

  /// The next text stands for bytes from `source` on, which is on `line`.
  void skip_to(uint64_t source, int64_t line);

  uint64_t source_begin() const { return source_begin_; }
  int64_t line() const { return line_; }
  uint64_t text_bytes() const { return end_.text; }

  /// The file's bytes that text [begin, end) stands for, from the first to the last that are text; empty if none are.
  Place find(uint64_t begin, uint64_t end) const;
  /// The map of text [begin, end), as if this text began at byte 0, line 0 of the file.
  SourceMap slice(uint64_t begin, uint64_t end) const;
  SourceMap moved(uint64_t bytes, int64_t lines) const;
  /// For a map from a text to a decoded file, and from this to the file: the map from the text to the file.
  SourceMap through(const SourceMap& decoded) const;

  std::string serialise() const;
  /// Throws Error(corrupt_file).
  static SourceMap parse(std::string_view bytes);

 private:
  struct Run {
    uint64_t count = 0, text_unit = 0, source_unit = 0, line_feeds = 0;  // line feeds: only in a run of one unit
  };
  struct Position {  // from the begin of the text
    uint64_t text = 0, source = 0;
    int64_t line = 0;
    void pass(const Run& run);
  };
  struct Stop {
    Position position;
    size_t run = 0;  // byte in runs_
  };
  static void write(std::string& runs, const Run& run);
  static Run read(std::string_view runs, size_t& at);
  void add(const Run& run);
  /// Calls `f` for each run from some run at or before byte `from` of the text, until it returns false.
  void visit(uint64_t from, const std::function<bool(const Run&, const Position&)>& f) const;
  /// Calls `f` for each run of text [begin, end), cut to it.
  void visit_part(uint64_t begin, uint64_t end, const std::function<void(const Run&, const Position&)>& f) const;
  uint64_t source_at(uint64_t text) const;

  uint64_t source_begin_;
  int64_t line_;
  std::string runs_;  // all but the last
  Run last_;          // may still grow
  Position last_begin_, end_;
  std::vector<Stop> stops_;  // one for every kRunsPerStop runs
  uint64_t num_runs_ = 0;
};

}  // namespace frugal
