#include "model/tokenize/chat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "model/unicode/unicode.h"

namespace frugal {

namespace {

constexpr std::string_view kQwenSystem = "You are a helpful assistant.";
// The dates that Llama 3.1's template writes when it is given none.
constexpr std::string_view kLlama31Dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

// The white space that Jinja's trim (Python's strip) removes.
bool is_trimmed(char32_t c) {
  return unicode::is_space(c) || (c >= 0x1C && c <= 0x1F);
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text, 0);
    if (!is_trimmed(point.value)) break;
    text.remove_prefix(point.num_bytes);
  }
  return text;
}

std::string_view trim(std::string_view text) {
  text = trim_left(text);
  while (!text.empty()) {
    const CodePoint point = decode_utf8_before(text, text.size());
    if (!is_trimmed(point.value)) break;
    text.remove_suffix(point.num_bytes);
  }
  return text;
}

class Renderer {
 public:
  Renderer& special(std::string_view token) { return add(token, true); }
  Renderer& plain(std::string_view text) { return add(text, false); }
  std::vector<ChatPiece> take() { return std::move(pieces_); }

 private:
  // Adjacent texts of one kind form one piece: tokens may span a role and its content.
  Renderer& add(std::string_view text, bool markup) {
    if (text.empty()) return *this;
    if (pieces_.empty() || pieces_.back().markup != markup) pieces_.push_back({"", markup});
    pieces_.back().text += text;
    return *this;
  }
  std::vector<ChatPiece> pieces_;
};

bool opens_with_system(std::span<const ChatMessage> messages) {
  return !messages.empty() && messages.front().role == "system";
}

std::vector<ChatPiece> render_chatml(std::span<const ChatMessage> messages, std::string_view default_system) {
  Renderer out;
  const auto turn = [&](std::string_view role, std::string_view content) {
    out.special("<|im_start|>").plain(role).plain("\n").plain(content).special("<|im_end|>").plain("\n");
  };
  if (!messages.empty() && !opens_with_system(messages) && !default_system.empty()) turn("system", default_system);
  for (const ChatMessage& message : messages) turn(message.role, message.content);
  out.special("<|im_start|>").plain("assistant\n");
  return out.take();
}

// What its template writes with enable_thinking = false: reasoning that is over before it began.
std::vector<ChatPiece> render_qwen3(std::span<const ChatMessage> messages, std::string_view default_system) {
  std::vector<ChatPiece> pieces = render_chatml(messages, default_system);
  Renderer end;
  end.special("<think>").plain("\n\n").special("</think>").plain("\n\n");
  for (ChatPiece& piece : end.take()) pieces.push_back(std::move(piece));
  return pieces;
}

std::vector<ChatPiece> render_llama3(std::span<const ChatMessage> messages, std::string_view default_system,
                                     bool with_dates) {
  Renderer out;
  const auto open_turn = [&](std::string_view role) {
    out.special("<|start_header_id|>").plain(role).special("<|end_header_id|>").plain("\n\n");
  };
  out.special("<|begin_of_text|>");
  const bool has_system = opens_with_system(messages);
  const std::string_view system = has_system ? std::string_view(messages.front().content) : default_system;
  if (has_system || with_dates || !system.empty()) {
    open_turn("system");
    out.plain(with_dates ? kLlama31Dates : std::string_view()).plain(trim(system)).special("<|eot_id|>");
  }
  for (const ChatMessage& message : messages.subspan(has_system ? 1 : 0)) {
    open_turn(message.role);
    out.plain(trim(message.content)).special("<|eot_id|>");
  }
  open_turn("assistant");
  return out.take();
}

// `turns` without a system message.
void require_alternation(std::span<const ChatMessage> turns, std::string_view model) {
  for (size_t i = 0; i < turns.size(); ++i)
    if (turns[i].role != (i % 2 == 0 ? "user" : "assistant"))
      throw Error(Code::bad_input, fmt::format("chat: turn {} has role '{}'; {} alternates user and assistant", i + 1,
                                               turns[i].role, model))
          .hint("merge neighbouring turns of one role");
}

std::vector<ChatPiece> render_llama2(std::span<const ChatMessage> messages, std::string_view default_system) {
  Renderer out;
  std::string system(default_system);
  if (opens_with_system(messages)) {
    system = messages.front().content;
    messages = messages.subspan(1);
  }
  require_alternation(messages, "Llama 2");
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& message = messages[i];
    if (i % 2 == 1) {
      out.plain(" ").plain(trim(message.content)).plain(" ").special("</s>");
      continue;
    }
    std::string content = message.content;
    if (i == 0 && !system.empty()) content.insert(0, fmt::format("<<SYS>>\n{}\n<</SYS>>\n\n", system));
    out.special("<s>").plain("[INST] ").plain(trim(content)).plain(" [/INST]");
  }
  return out.take();
}

// Gemma 3's. Gemma 2's refuses a system message, and is otherwise the same.
std::vector<ChatPiece> render_gemma(std::span<const ChatMessage> messages, std::string_view default_system) {
  Renderer out;
  std::string_view system = default_system;
  if (opens_with_system(messages)) {
    system = messages.front().content;
    messages = messages.subspan(1);
  }
  require_alternation(messages, "Gemma");
  out.special("<bos>");
  for (size_t i = 0; i < messages.size(); ++i) {
    out.special("<start_of_turn>").plain(i % 2 == 0 ? "user\n" : "model\n");
    if (i == 0 && !system.empty()) out.plain(system).plain("\n\n");
    out.plain(trim(messages[i].content)).special("<end_of_turn>").plain("\n");
  }
  out.special("<start_of_turn>").plain("model\n");
  return out.take();
}

std::vector<ChatPiece> render_plain(std::span<const ChatMessage> messages) {
  Renderer out;
  for (size_t i = 0; i < messages.size(); ++i) out.plain(i > 0 ? "\n\n" : "").plain(messages[i].content);
  return out.take();
}

// The literal of a Jinja string from `begin` to `stop` (or to its closing quote), escapes undone; empty if the string
// ends or is pieced together before `stop`.
std::string literal_until(std::string_view jinja, size_t begin, char quote, std::string_view stop) {
  std::string literal;
  for (size_t at = begin; at < jinja.size(); ++at) {
    if (!stop.empty() && jinja.substr(at).starts_with(stop)) return literal;
    if (jinja[at] == quote) return stop.empty() ? literal : std::string();
    if (jinja[at] == '\\' && at + 1 < jinja.size()) {
      ++at;
      literal += jinja[at] == 'n' ? '\n' : jinja[at] == 't' ? '\t' : jinja[at];
    } else {
      literal += jinja[at];
    }
  }
  return {};
}

// '<|im_start|>system\nYOU ARE …<|im_end|>' somewhere in the template.
std::string chatml_default_system(std::string_view jinja) {
  constexpr std::string_view kOpen = "<|im_start|>system";
  for (size_t at = jinja.find(kOpen); at != jinja.npos; at = jinja.find(kOpen, at + 1)) {
    const char quote = at > 0 ? jinja[at - 1] : '\0';
    size_t begin = at + kOpen.size();
    const std::string_view rest = jinja.substr(begin);
    if (rest.starts_with("\\n"))
      begin += 2;
    else if (rest.starts_with("\n"))
      begin += 1;
    else
      continue;
    if (std::string found = literal_until(jinja, begin, quote, "<|im_end|>"); !found.empty()) return found;
  }
  return {};
}

// {% set system_message = 'YOU ARE …' %}
std::string assigned_default_system(std::string_view jinja) {
  for (const std::string_view name : {"set default_system_message", "set system_message"}) {
    for (size_t at = jinja.find(name); at != jinja.npos; at = jinja.find(name, at + 1)) {
      size_t begin = jinja.find_first_not_of(' ', at + name.size());
      if (begin == jinja.npos || jinja[begin] != '=') continue;
      begin = jinja.find_first_not_of(' ', begin + 1);
      if (begin == jinja.npos || (jinja[begin] != '\'' && jinja[begin] != '"')) continue;
      if (std::string found = literal_until(jinja, begin + 1, jinja[begin], ""); !found.empty()) return found;
    }
  }
  return {};
}

}  // namespace

std::string known_chat_families() {
  std::vector<std::string_view> known = all_names<ChatFamily>();
  const std::string_view last = known.back();
  known.pop_back();
  return fmt::format("{} or {}", fmt::join(known, ", "), last);
}

std::optional<ChatFamily> recognise_chat_template(std::string_view jinja) {
  if (trim(jinja).empty()) return ChatFamily::none;
  if (contains(jinja, "<|im_start|>")) {
    // Qwen3 dropped the default system message; the switch of its reasoning identifies it.
    if (contains(jinja, "<think>") && contains(jinja, "enable_thinking")) return ChatFamily::qwen3;
    // Qwen's models of images have a default system message in the template, or none.
    if (contains(jinja, "<|vision_start|>")) return ChatFamily::chatml;
    const bool qwen = contains(jinja, "<tool_call>") || contains(jinja, "Qwen");
    return qwen && !contains(jinja, "<think>") ? ChatFamily::qwen : ChatFamily::chatml;
  }
  if (contains(jinja, "<|start_header_id|>"))
    return contains(jinja, "Cutting Knowledge Date") ? ChatFamily::llama31 : ChatFamily::llama3;
  if (contains(jinja, "[INST]") && contains(jinja, "<<SYS>>")) return ChatFamily::llama2;
  if (contains(jinja, "<start_of_turn>") && contains(jinja, "model")) return ChatFamily::gemma;
  return std::nullopt;
}

std::string chat_default_system(std::string_view jinja) {
  std::string found = chatml_default_system(jinja);
  return found.empty() ? assigned_default_system(jinja) : found;
}

std::vector<ChatPiece> render_chat(ChatFamily family, std::span<const ChatMessage> messages,
                                   std::string_view default_system) {
  switch (family) {
    case ChatFamily::chatml:
      return render_chatml(messages, default_system);
    case ChatFamily::qwen:
      return render_chatml(messages, default_system.empty() ? kQwenSystem : default_system);
    case ChatFamily::qwen3:
      return render_qwen3(messages, default_system);
    case ChatFamily::llama3:
      return render_llama3(messages, default_system, false);
    case ChatFamily::llama31:
      return render_llama3(messages, default_system, true);
    case ChatFamily::llama2:
      return render_llama2(messages, default_system);
    case ChatFamily::gemma:
      return render_gemma(messages, default_system);
    case ChatFamily::none:
      break;
  }
  return render_plain(messages);
}

}  // namespace frugal
