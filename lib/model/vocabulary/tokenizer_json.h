// Reads a tokenizer.json: fields that may be absent, and the parts that every kind of tokenizer has. Internal to the
// builders of tokenizers; include it only in .cpp files of this room, because simdjson's header is large.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/format/json_reader.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {

/// A field that may be absent or null. A value of another type than requested is an error.
class JsonField {
 public:
  JsonField() = default;
  JsonField(simdjson::dom::element element, std::string path) : element_(element), path_(std::move(path)) {}

  explicit operator bool() const { return element_ && !element_->is_null(); }
  bool is_array() const { return element_ && element_->is_array(); }
  const std::string& path() const { return path_; }

  JsonField operator[](std::string_view key) const {
    simdjson::dom::element child;
    if (!*this || !element_->is_object() || element_->get_object().value().at_key(key).get(child))
      return {{}, path_, key};
    return {child, path_, key};
  }

  std::optional<std::string_view> text() const { return as<std::string_view>("a string"); }
  std::optional<bool> boolean() const { return as<bool>("true or false"); }
  std::optional<int64_t> integer() const { return as<int64_t>("an integer"); }
  std::optional<double> number() const { return as<double>("a number"); }
  std::optional<simdjson::dom::array> array() const { return as<simdjson::dom::array>("a list"); }
  std::optional<simdjson::dom::object> object() const { return as<simdjson::dom::object>("an object"); }
  std::string_view type() const { return (*this)["type"].text().value_or("null"); }

 private:
  JsonField(std::optional<simdjson::dom::element> element, const std::string& parent, std::string_view key)
      : element_(element), path_(parent.empty() ? std::string(key) : fmt::format("{}.{}", parent, key)) {}

  template <class T>
  std::optional<T> as(std::string_view wanted) const {
    if (!*this) return std::nullopt;
    T value;
    if (element_->get(value)) throw malformed(path_, fmt::format("is not {}", wanted));
    return value;
  }

  std::optional<simdjson::dom::element> element_;
  std::string path_;
};

class JsonDocument {
 public:
  JsonDocument(const std::string& text, std::string_view file) {
    simdjson::dom::element root;
    const auto error = parser_.parse(large_integers_as_floats(text)).get(root);
    if (error) throw malformed(file, simdjson::error_message(error));
    if (!root.is_object()) throw malformed(file, "is not a JSON object");
    root_ = JsonField(root, "");
  }
  JsonField root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  JsonField root_;
};

/// The elements of a list; none if it is absent.
std::vector<JsonField> items(const JsonField& list);
/// Throw malformed() if the field is absent.
std::string_view require_text(const JsonField& field);
int64_t require_integer(const JsonField& field);

/// A token of tokenizer_config.json: a string, or an object with its content.
std::string_view config_token(const JsonField& config, std::string_view key);
/// The steps of a Sequence under `key`, or the single step itself; empty for null.
std::vector<JsonField> steps_of(const JsonField& stage, std::string_view key);

void read_added_tokens(const JsonField& root, VocabularyBuilder& vocabulary);
/// The ids that the template adds around a text.
void read_post_processor(const JsonField& root, VocabularyBuilder& vocabulary);
/// The ids of bos, eos, pad and, unless it is known, unk.
void read_roles(const JsonField& config, VocabularyBuilder& vocabulary);

}  // namespace frugal
