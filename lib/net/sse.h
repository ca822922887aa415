// Reads a stream of server-sent events (text/event-stream) as its bytes arrive, cut anywhere.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace frugal {

/// Gives the data of each event, by the rules of the HTML standard: lines end in CR, LF or CRLF, several lines of data
/// are joined by LF, comments and other fields are skipped. An event that its stream does not end is not one.
class SseParser {
 public:
  /// Takes the data of an event. Returns false to take no more.
  using Sink = std::function<bool(std::string_view data)>;

  explicit SseParser(Sink sink, size_t max_event_bytes = size_t(1) << 20)
      : sink_(std::move(sink)), max_event_bytes_(max_event_bytes) {}

  /// Returns false if the sink wants no more, or if an event has more than max_event_bytes; then overflowed().
  bool push(std::string_view bytes);
  bool overflowed() const { return overflowed_; }

 private:
  bool end_line();

  Sink sink_;
  size_t max_event_bytes_;
  std::string line_, data_;
  bool has_data_ = false, after_return_ = false, first_line_ = true, overflowed_ = false, ended_ = false;
};

}  // namespace frugal
