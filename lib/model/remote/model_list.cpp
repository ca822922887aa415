#include "model/remote/model_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "net/http_service.h"

namespace frugal {
namespace {

constexpr std::array<std::pair<std::string_view, RemoteShape>, 3> kSchemes{
    {{"openai:", RemoteShape::openai}, {"tei:", RemoteShape::tei}, {"cohere:", RemoteShape::cohere}}};
constexpr std::string_view kLocal = "local";

std::optional<RemoteShape> shape_of(std::string_view text) {
  for (const auto& [scheme, shape] : kSchemes)
    if (text.starts_with(scheme)) return shape;
  return std::nullopt;
}

bool is_none(std::string_view text) {
  return text == "extract" || text == "none";
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

// Words that make a text a list, or a remote, and not a pack's name.
bool is_special(std::string_view part) {
  return shape_of(part) || part == kLocal || part.starts_with("local:");
}

ModelEntry entry_of(std::string_view part) {
  ModelEntry entry;
  if (is_none(part)) {
    entry.kind = ModelEntry::Kind::none;
    entry.name = part;
  } else if (const std::optional<RemoteShape> shape = shape_of(part)) {
    entry.kind = ModelEntry::Kind::remote;
    entry.name = part;
    entry.shape = *shape;
    std::string_view url = part.substr(part.find(':') + 1);
    if (const size_t hash = url.find('#'); hash != url.npos) {
      entry.model = url.substr(hash + 1);
      url = url.substr(0, hash);
    }
    while (url.ends_with('/')) url.remove_suffix(1);
    check_service_url(url);
    entry.url = url;
  } else {
    entry.name = part == kLocal ? "" : part.starts_with("local:") ? part.substr(kLocal.size() + 1) : part;
  }
  return entry;
}

}  // namespace

std::vector<ModelEntry> parse_model_list(std::string_view setting) {
  if (trimmed(setting).empty()) return {};
  const std::vector<std::string_view> parts = split(setting);
  const bool is_list = std::any_of(parts.begin(), parts.end(), is_special);
  if (!is_list) return {{.kind = ModelEntry::Kind::pack, .name = std::string(setting), .url = {}, .model = {}}};
  const auto bad = [&](std::string_view why) {
    return Error(Code::usage, fmt::format("'{}' is no list of models: {}", setting, why))
        .hint("write it like openai:http://127.0.0.1:8080#MODEL, local:PACK, extract");
  };
  std::vector<ModelEntry> list;
  list.reserve(parts.size());
  for (const std::string_view part : parts) {
    if (part.empty()) throw bad("a member is empty");
    if (!list.empty() && list.back().kind == ModelEntry::Kind::none)
      throw bad(fmt::format("nothing may follow '{}'", list.back().name));
    list.push_back(entry_of(part));
  }
  const auto packs = std::count_if(list.begin(), list.end(),
                                   [](const ModelEntry& each) { return each.kind == ModelEntry::Kind::pack; });
  if (packs > 1) throw bad("it has more than one pack");
  return list;
}

bool is_remote_list(const std::vector<ModelEntry>& list) {
  return list.size() > 1 || (list.size() == 1 && list.front().kind == ModelEntry::Kind::remote);
}

}  // namespace frugal
