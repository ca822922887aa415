#include "model/vocabulary/tokenizer_json.h"

namespace frugal {
namespace {

void read_template(const JsonField& processor, VocabularyBuilder& vocabulary) {
  auto* side = &vocabulary.content().prefix;
  for (const JsonField& item : items(processor["single"])) {
    if (item["Sequence"]) {
      side = &vocabulary.content().suffix;
      continue;
    }
    const std::string_view name = require_text(item["SpecialToken"]["id"]);
    for (const JsonField& id : items(processor["special_tokens"][name]["ids"]))
      side->push_back(vocabulary.check_id(id.integer().value_or(-1), id.path()));
  }
}

// The ids between two texts in the template of a pair: "$A </s> </s> $B </s>".
void read_separator(const JsonField& processor, VocabularyBuilder& vocabulary) {
  int sequences = 0;
  for (const JsonField& item : items(processor["pair"])) {
    if (item["Sequence"]) {
      ++sequences;
      continue;
    }
    if (sequences != 1) continue;
    const std::string_view name = require_text(item["SpecialToken"]["id"]);
    for (const JsonField& id : items(processor["special_tokens"][name]["ids"]))
      vocabulary.content().separator.push_back(vocabulary.check_id(id.integer().value_or(-1), id.path()));
  }
}

// BertProcessing, RobertaProcessing: "cls" and "sep" are [name, id].
void read_bert_template(const JsonField& processor, VocabularyBuilder& vocabulary) {
  TokenizerContent& content = vocabulary.content();
  const auto id_of = [&](std::string_view key) {
    const std::vector<JsonField> pair = items(processor[key]);
    if (pair.size() != 2) throw malformed(processor[key].path(), "is not [token, id]");
    return vocabulary.check_id(require_integer(pair[1]), pair[1].path());
  };
  content.prefix = {id_of("cls")};
  content.suffix = {id_of("sep")};
  // RoBERTa ends each text of a pair, and begins the second by another such token.
  content.separator = content.suffix;
  if (processor.type() == "RobertaProcessing") content.separator.push_back(content.suffix.front());
}

}  // namespace

std::vector<JsonField> items(const JsonField& list) {
  std::vector<JsonField> found;
  if (const auto array = list.array())
    for (const simdjson::dom::element item : *array)
      found.emplace_back(item, fmt::format("{}[{}]", list.path(), found.size()));
  return found;
}

std::string_view require_text(const JsonField& field) {
  const auto text = field.text();
  if (!text) throw malformed(field.path(), "is missing");
  return *text;
}

int64_t require_integer(const JsonField& field) {
  const auto value = field.integer();
  if (!value) throw malformed(field.path(), "is missing");
  return *value;
}

std::string_view config_token(const JsonField& config, std::string_view key) {
  const JsonField token = config[key];
  if (!token) return {};
  const JsonField content = token["content"];
  return content ? require_text(content) : require_text(token);
}

std::vector<JsonField> steps_of(const JsonField& stage, std::string_view key) {
  if (!stage) return {};
  if (stage.type() != "Sequence") return {stage};
  std::vector<JsonField> steps;
  for (const JsonField& item : items(stage[key]))
    for (JsonField& step : steps_of(item, key)) steps.push_back(std::move(step));
  return steps;
}

void read_added_tokens(const JsonField& root, VocabularyBuilder& vocabulary) {
  for (const JsonField& token : items(root["added_tokens"])) {
    uint32_t flags = 0;
    const auto flag = [&](std::string_view key, AddedFlag bit) {
      if (token[key].boolean().value_or(false)) flags |= bit;
    };
    flag("special", kAddedSpecial);
    flag("normalized", kAddedNormalized);
    flag("single_word", kAddedSingleWord);
    flag("lstrip", kAddedLeftStrip);
    flag("rstrip", kAddedRightStrip);
    vocabulary.add_added(require_text(token["content"]), require_integer(token["id"]), flags);
  }
}

void read_post_processor(const JsonField& root, VocabularyBuilder& vocabulary) {
  for (const JsonField& step : steps_of(root["post_processor"], "processors")) {
    if (step.type() == "TemplateProcessing") {
      read_template(step, vocabulary);
      read_separator(step, vocabulary);
    } else if (step.type() == "BertProcessing" || step.type() == "RobertaProcessing") {
      read_bert_template(step, vocabulary);
    } else if (step.type() != "ByteLevel") {
      throw unsupported("post_processor", step.type(),
                        "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel");
    }
  }
}

void read_roles(const JsonField& config, VocabularyBuilder& vocabulary) {
  BlobHeader& header = vocabulary.content().header;
  header.bos = vocabulary.find_or_none(config_token(config, "bos_token"));
  header.eos = vocabulary.find_or_none(config_token(config, "eos_token"));
  header.pad = vocabulary.find_or_none(config_token(config, "pad_token"));
  if (header.unk < 0) header.unk = vocabulary.find_or_none(config_token(config, "unk_token"));
}

}  // namespace frugal
