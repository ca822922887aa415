// Bytes of tokens become text as soon as it is sure: whole UTF-8 characters that cannot be the beginning of a stop
// string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  /// Takes a token's bytes; returns the text that is ready now. After a stop string nothing more comes.
  std::string push(std::string_view bytes);
  /// The rest, when generation has ended without a stop string; an unfinished character becomes U+FFFD.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  size_t held_back() const;
  std::vector<std::string> stop_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace frugal
