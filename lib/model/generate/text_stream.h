// Turns the bytes of tokens into text for streaming. Bytes are held back while their UTF-8 character is incomplete, or
// while they may be the beginning of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  /// Appends a token's bytes and returns the text that is complete now; nothing from a stop string on.
  std::string push(std::string_view bytes);
  /// Returns the text that was held back, after the last token. An incomplete character becomes U+FFFD.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  size_t held_back() const;
  std::vector<std::string> stop_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace frugal
