// Builds the prompt of a generated answer: the rules, the sources between delimiters that no source can know
// (boundary.h), and the question. Documents are data: their text is never an instruction to the generator, and never an
// escape sequence to a terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenize/chat.h"
#include "rag/reply/reply.h"

namespace frugal {

/// The version of the prompt's wording, part of the keys of cached answers: must change with every change of the words.
inline constexpr std::string_view kPromptTemplate = "grounded/3";

struct GroundedPrompt {
  std::vector<ChatMessage> messages;
  std::vector<size_t> sources;  // the hits that it contains, as they are numbered from 1
};

/// Makes a system and a user message that contain as many of `hits` as fit in `max_tokens`, measured by `count_tokens`.
/// Only the first hit may be cut to fit. Each source stands between delimiters of its own, which `boundary_of` derives
/// from its title and text; the delimiters of all hits are removed from the question and from the sources. The best
/// hits are taken, and stand in the order of their documents, whatever their ranks: prompts with the same sources begin
/// with the same text, and so do those that begin with the same ones. Throws Error(bad_input) if the question alone
/// does not fit.
GroundedPrompt grounded_prompt(std::string_view question, std::span<const Hit> hits,
                               const std::function<std::string(std::string_view source)>& boundary_of,
                               int64_t max_tokens,
                               const std::function<int64_t(std::span<const ChatMessage>)>& count_tokens);

}  // namespace frugal
