#include "net/sse.h"

#include <algorithm>

namespace frugal {

bool SseParser::push(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size() && !ended_;) {
    if (after_return_ && bytes[i] == '\n') {  // of CRLF, whose CR has ended the line
      after_return_ = false;
      ++i;
      continue;
    }
    const size_t end = std::min(bytes.find_first_of("\r\n", i), bytes.size());
    line_ += bytes.substr(i, end - i);
    after_return_ = false;
    if (line_.size() + data_.size() > max_event_bytes_) overflowed_ = ended_ = true;
    if (end < bytes.size() && !ended_) {
      after_return_ = bytes[end] == '\r';
      ended_ = !end_line();
    }
    i = end + 1;
  }
  return !ended_;
}

bool SseParser::end_line() {
  constexpr std::string_view kMark = "\xEF\xBB\xBF", kField = "data";
  std::string_view line = line_;
  if (first_line_ && line.starts_with(kMark)) line.remove_prefix(kMark.size());
  first_line_ = false;
  bool wants_more = true;
  if (line.empty()) {
    if (has_data_) wants_more = sink_(data_);
    data_.clear();
    has_data_ = false;
  } else if (line == kField || (line.starts_with(kField) && line[kField.size()] == ':')) {
    line.remove_prefix(std::min(line.size(), kField.size() + 1));
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
  }
  line_.clear();
  return wants_more;
}

}  // namespace frugal
