#include "rag/extract/source_map.h"

#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/error.h"

namespace frugal {
namespace {

constexpr uint64_t kRunsPerStop = 32;               // a search decodes as many at most
constexpr uint64_t kMaxNumber = uint64_t(1) << 40;  // in a stored map: more than any file has

void write_number(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

uint64_t read_number(std::string_view bytes, size_t& at) {
  uint64_t value = 0;
  for (int shift = 0; at < bytes.size() && shift < 63; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw Error(Code::corrupt_file, "a chunk's place in its file is damaged")
      .hint("delete the index folder and run rag-index add again");
}

}  // namespace

void SourceMap::Position::pass(const Run& run) {
  text += run.count * run.text_unit;
  source += run.count * run.source_unit;
  line += static_cast<int64_t>(run.line_feeds);
}

// A run of single bytes takes one number, any other four.
void SourceMap::write(std::string& runs, const Run& run) {
  const bool same_bytes = run.text_unit == 1 && run.source_unit == 1 && run.line_feeds == 0;
  write_number(runs, run.count << 1 | !same_bytes);
  if (same_bytes) return;
  for (const uint64_t number : {run.text_unit, run.source_unit, run.line_feeds}) write_number(runs, number);
}

SourceMap::Run SourceMap::read(std::string_view runs, size_t& at) {
  const uint64_t first = read_number(runs, at);
  Run run{first >> 1, 1, 1, 0};
  if (first & 1)
    for (uint64_t* number : {&run.text_unit, &run.source_unit, &run.line_feeds}) *number = read_number(runs, at);
  return run;
}

void SourceMap::append(uint64_t text_bytes, uint64_t source_bytes, uint64_t line_feeds) {
  if (text_bytes == 0 && source_bytes == 0) return;
  if (text_bytes == source_bytes && line_feeds == 0) return add({text_bytes, 1, 1, 0});
  add({1, text_bytes, source_bytes, line_feeds});
}

void SourceMap::append(const SourceMap& other, uint64_t begin, uint64_t end) {
  other.visit_part(begin, end, [&](const Run& run, const Position&) { add(run); });
}

void SourceMap::skip_to(uint64_t source, int64_t line) {
  const uint64_t reached = source_begin_ + end_.source;
  if (source > reached)
    append(0, source - reached, static_cast<uint64_t>(std::max<int64_t>(line - line_ - end_.line, 0)));
}

void SourceMap::add(const Run& run) {
  const bool same_units = run.text_unit == last_.text_unit && run.source_unit == last_.source_unit;
  const bool of_one_side = run.text_unit == 0 ? last_.text_unit == 0 : run.source_unit == 0 && last_.source_unit == 0;
  if (last_.count > 0 && of_one_side) {
    last_.text_unit += run.text_unit;
    last_.source_unit += run.source_unit;
    last_.line_feeds += run.line_feeds;
  } else if (last_.count > 0 && same_units && run.line_feeds == 0 && last_.line_feeds == 0) {
    last_.count += run.count;
  } else {
    if (last_.count > 0) {
      if (num_runs_++ % kRunsPerStop == 0) stops_.push_back({last_begin_, runs_.size()});
      write(runs_, last_);
    }
    last_ = run;
    last_begin_ = end_;
  }
  end_.pass(run);
}

void SourceMap::visit(uint64_t from, const std::function<bool(const Run&, const Position&)>& f) const {
  const auto behind =
      std::partition_point(stops_.begin(), stops_.end(), [&](const Stop& stop) { return stop.position.text <= from; });
  Stop at = behind == stops_.begin() ? Stop() : *(behind - 1);
  while (at.run < runs_.size()) {
    const Run run = read(runs_, at.run);
    if (!f(run, at.position)) return;
    at.position.pass(run);
  }
  if (last_.count > 0) f(last_, last_begin_);
}

void SourceMap::visit_part(uint64_t begin, uint64_t end,
                           const std::function<void(const Run&, const Position&)>& f) const {
  visit(begin, [&](const Run& run, const Position& at) {
    if (at.text >= end) return false;
    if (run.text_unit == 0) {
      if (at.text > begin) f(run, at);
      return true;
    }
    const uint64_t from = std::max(begin, at.text), to = std::min(end, at.text + run.count * run.text_unit);
    if (from >= to) return true;
    if (run.count == 1) {  // the start of a unit may be cut off: "\n\n- " begins a paragraph at its "- "
      f({1, to - from, run.source_unit, run.line_feeds}, at);
      return true;
    }
    const uint64_t first = (from - at.text) / run.text_unit;
    const uint64_t last = (to - at.text + run.text_unit - 1) / run.text_unit;
    Position cut = at;
    cut.pass({first, run.text_unit, run.source_unit, 0});
    f({last - first, run.text_unit, run.source_unit, 0}, cut);
    return true;
  });
}

SourceMap::Place SourceMap::find(uint64_t begin, uint64_t end) const {
  Place place{source_begin_ + end_.source, source_begin_ + end_.source, line_ + end_.line};
  bool found = false;
  visit_part(begin, end, [&](const Run& run, const Position& at) {
    if (run.text_unit == 0 || (found && run.source_unit == 0)) return;
    const uint64_t source = source_begin_ + at.source;
    if (!found) place = {source, source, line_ + at.line};
    found |= run.source_unit > 0;
    place.end = source + run.count * run.source_unit;
  });
  return place;
}

SourceMap SourceMap::slice(uint64_t begin, uint64_t end) const {
  std::optional<SourceMap> part;
  visit_part(begin, end, [&](const Run& run, const Position& at) {
    if (!part) part.emplace(at.source, at.line);
    part->add(run);
  });
  return part.value_or(SourceMap(0, 0));
}

SourceMap SourceMap::moved(uint64_t bytes, int64_t lines) const {
  SourceMap map = *this;
  map.source_begin_ += bytes;
  map.line_ += lines;
  return map;
}

uint64_t SourceMap::source_at(uint64_t text) const {
  return text < end_.text ? find(text, text + 1).begin : source_begin_ + end_.source;
}

SourceMap SourceMap::through(const SourceMap& decoded) const {
  SourceMap map(decoded.source_at(source_begin_), line_);
  visit(0, [&](const Run& run, const Position& at) {
    uint64_t source = source_begin_ + at.source;
    if (run.text_unit == 1 && run.source_unit == 1) {
      map.append(decoded, source, source + run.count);
      return true;
    }
    for (uint64_t i = 0; i < run.count; ++i, source += run.source_unit)
      map.append(run.text_unit, decoded.source_at(source + run.source_unit) - decoded.source_at(source),
                 run.line_feeds);
    return true;
  });
  return map;
}

std::string SourceMap::serialise() const {
  std::string bytes;
  write_number(bytes, source_begin_);
  write_number(bytes, static_cast<uint64_t>(line_));
  bytes += runs_;
  if (last_.count > 0) write(bytes, last_);
  return bytes;
}

SourceMap SourceMap::parse(std::string_view bytes) {
  size_t at = 0;
  const uint64_t source_begin = read_number(bytes, at);
  SourceMap map(std::min(source_begin, kMaxNumber), static_cast<int64_t>(std::min(read_number(bytes, at), kMaxNumber)));
  while (at < bytes.size()) {
    Run run = read(bytes, at);
    for (uint64_t* number : {&run.count, &run.text_unit, &run.source_unit, &run.line_feeds})
      *number = std::min(*number, kMaxNumber);
    const auto text = checked_mul(run.count, run.text_unit), source = checked_mul(run.count, run.source_unit);
    const bool possible = text && source && *text <= kMaxNumber && *source <= kMaxNumber &&
                          map.end_.text <= kMaxNumber && map.end_.source <= kMaxNumber;
    if (run.count > 0 && possible) map.add(run);
  }
  return map;
}

}  // namespace frugal
