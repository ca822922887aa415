#include "model/generate/text_stream.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/utf8.h"

namespace frugal {
namespace {

// Bytes of an incomplete UTF-8 character at the end of `text`, 0 to 3.
size_t unfinished_utf8(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const unsigned char byte = static_cast<unsigned char>(text[text.size() - back]);
    if (is_continuation(text[text.size() - back])) continue;
    const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

// Bytes to hold back: an incomplete character, or the longest end of the text that could begin a stop string.
size_t TextStream::held_back() const {
  size_t held = unfinished_utf8(pending_);
  for (const std::string& stop : stop_)
    for (size_t length = std::min(stop.size(), pending_.size()); length > held; --length)
      if (std::string_view(pending_).ends_with(std::string_view(stop).substr(0, length))) held = length;
  return held;
}

std::string TextStream::push(std::string_view bytes) {
  if (stopped_) return {};
  pending_ += bytes;
  size_t first_stop = std::string::npos;
  for (const std::string& stop : stop_)
    if (!stop.empty()) first_stop = std::min(first_stop, pending_.find(stop));
  stopped_ = first_stop != std::string::npos;
  const size_t ready = stopped_ ? first_stop : pending_.size() - held_back();
  std::string text = pending_.substr(0, ready);
  pending_.erase(0, stopped_ ? std::string::npos : ready);
  return repair_utf8(text);
}

std::string TextStream::finish() {
  std::string rest;
  std::swap(rest, pending_);
  return repair_utf8(rest);
}

}  // namespace frugal
