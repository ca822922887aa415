// The grounded prompt: sources as data between delimiters that a source cannot know, the question, and the rules.
// What a document says is never an instruction, and never reaches a terminal as more than text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/query.h"
#include "text/chat.h"

namespace frugal {

/// Names the template in cache keys: changes with every change of its words.
inline constexpr std::string_view kPromptTemplate = "grounded/1";

/// `text` as plain text: escape sequences, control characters (but for line feed and tab), bidirectional controls,
/// invisible joiners and tag characters are removed; bad UTF-8 becomes U+FFFD. What remains is unchanged.
std::string plain_text(std::string_view text);

/// 128 random bits in hexadecimal, from the operating system. Throws Error(io).
std::string random_boundary();

struct GroundedPrompt {
  std::vector<ChatMessage> messages;
  size_t sources = 0;  // how many of the hits fit, from the first
};

/// System and user message over as many of `hits` as fit in `max_tokens` (counted by `count_tokens`); the last one that
/// does not fit whole is left out, the first is cut if it must be. `boundary` encloses every source and is removed from
/// the sources. Throws Error(bad_input) if not even the question fits.
GroundedPrompt grounded_prompt(std::string_view question, std::span<const Hit> hits, std::string_view boundary,
                               int64_t max_tokens,
                               const std::function<int64_t(std::span<const ChatMessage>)>& count_tokens);

}  // namespace frugal
