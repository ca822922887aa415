// The pre-tokenisers of byte-level BPE: a scanner over code points for each known regular expression, without
// backtracking. Not a regex engine: building a tokenizer with another expression fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace frugal {

/// One step of a Sequence; each splits the pieces of the steps before it.
enum class PreTokenizeStep : uint8_t {
  gpt2 = 1,           // ByteLevel's own regex
  llama3 = 2,         // contractions in any case, numbers in groups of three digits
  qwen2 = 3,          // as llama3, but single digits
  each_digit = 4,     // Digits(individual_digits)
  digit_runs = 5,     // Digits
  clip = 6,           // words, single digits and runs of others, without white space
  clip_specials = 7,  // the same, with the names of two special tokens
};
constexpr size_t kMaxPreTokenizeSteps = 4;
bool is_pre_tokenize_step(uint8_t step);

/// The step that implements a Split regex of a tokenizer.json; nullopt if the regex is unknown.
std::optional<PreTokenizeStep> recognise_split_regex(std::string_view regex);

/// True if the piece that begins at byte `at` of `text` is dropped: the white space between the matches of CLIP's
/// regex.
bool is_dropped_piece(PreTokenizeStep step, std::string_view text, size_t at);

/// End of the piece that begins at byte `at` of `text`, which must be well-formed.
size_t piece_end(PreTokenizeStep step, std::string_view text, size_t at);

/// Calls emit(begin, end) for each piece of bytes [begin, end) of `text`, in order.
template <class Emit>
void pre_tokenize(std::span<const PreTokenizeStep> steps, std::string_view text, size_t begin, size_t end, Emit& emit) {
  if (steps.empty()) {
    if (begin < end) emit(begin, end);
    return;
  }
  const std::string_view segment =
      text.substr(0, end);  // a regex sees nothing after its piece, and looks at nothing before
  for (size_t at = begin; at < end;) {
    const size_t next = piece_end(steps.front(), segment, at);
    if (!is_dropped_piece(steps.front(), text, at)) pre_tokenize(steps.subspan(1), text, at, next, emit);
    at = next;
  }
}

}  // namespace frugal
