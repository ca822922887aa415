// The numbers of fields are those of sentencepiece_model.proto. Of a field that occurs twice the last value counts, as
// in every reader of the format.
#include "model/vocabulary/sentencepiece_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_set>

#include "base/utf8.h"
#include "model/vocabulary/protobuf_reader.h"

namespace frugal {
namespace {

using Model = SentencePieceModel;

// Far above any vocabulary in use.
constexpr size_t kMaxPieces = size_t{1} << 22;

// One of the values 1 to `last` of an enum.
template <class Enum>
Enum read_enum(const ProtobufReader& reader, std::string_view name, Enum last) {
  const int64_t value = reader.integer(name);
  if (value < 1 || value > static_cast<int64_t>(last)) reader.fail(name, fmt::format("{} is no known value", value));
  return static_cast<Enum>(value);
}

Model::Piece read_piece(ProtobufReader reader) {
  Model::Piece piece;
  while (reader.next()) {
    if (reader.field() == 1) {
      piece.text = reader.text("piece");
      if (piece.text.empty() || !is_valid_utf8(piece.text)) reader.fail("piece", "is empty or not UTF-8");
    } else if (reader.field() == 2) {
      piece.score = reader.number("score");
      if (!std::isfinite(piece.score)) reader.fail("score", "is no number");
    } else if (reader.field() == 3) {
      piece.type = read_enum(reader, "type", Model::Type::byte);
    }
  }
  if (piece.text.empty()) reader.fail("piece", "is missing");
  return piece;
}

void read_trainer(ProtobufReader reader, Model& model) {
  const auto id = [&](std::string_view name) {
    return static_cast<int32_t>(std::clamp<int64_t>(reader.integer(name), -1, int64_t{kMaxPieces}));
  };
  while (reader.next()) {
    switch (reader.field()) {
      case 3:
        model.algorithm = read_enum(reader, "model_type", Model::Algorithm::character);
        break;
      case 24:
        model.whitespace_as_suffix = reader.boolean("treat_whitespace_as_suffix");
        break;
      case 35:
        model.byte_fallback = reader.boolean("byte_fallback");
        break;
      case 40:
        model.unk = id("unk_id");
        break;
      case 41:
        model.bos = id("bos_id");
        break;
      case 42:
        model.eos = id("eos_id");
        break;
      case 43:
        model.pad = id("pad_id");
        break;
      default:
        break;
    }
  }
}

void read_normalizer(ProtobufReader reader, Model& model) {
  while (reader.next()) {
    switch (reader.field()) {
      case 2:
        model.charsmap = reader.text("precompiled_charsmap");
        break;
      case 3:
        model.dummy_prefix = reader.boolean("add_dummy_prefix");
        break;
      case 4:
        model.removes_spaces = reader.boolean("remove_extra_whitespaces");
        break;
      case 5:
        model.escapes_spaces = reader.boolean("escape_whitespaces");
        break;
      default:
        break;
    }
  }
}

bool changes_text(ProtobufReader denormalizer) {
  bool changes = false;
  while (denormalizer.next())
    if (denormalizer.field() == 2) changes = !denormalizer.text("precompiled_charsmap").empty();
  return changes;
}

// The roles are those of pieces that exist and whose type fits; a model whose training left one out has −1.
void check_pieces(const ProtobufReader& reader, Model& model) {
  if (model.pieces.empty()) reader.fail("pieces", "are missing");
  const auto has = [&](int32_t id, Model::Type type) {
    return id >= 0 && static_cast<size_t>(id) < model.pieces.size() &&
           model.pieces[static_cast<size_t>(id)].type == type;
  };
  if (!has(model.unk, Model::Type::unknown))
    reader.fail("trainer_spec.unk_id", fmt::format("{} is not the id of the unknown piece", model.unk));
  for (int32_t* id : {&model.bos, &model.eos, &model.pad})
    if (!has(*id, Model::Type::control)) *id = -1;
  std::unordered_set<std::string_view> texts;
  for (size_t id = 0; id < model.pieces.size(); ++id)
    if (!texts.insert(model.pieces[id].text).second)
      reader.fail(fmt::format("pieces[{}]", id), fmt::format("'{:.40}' occurs twice", model.pieces[id].text));
}

}  // namespace

SentencePieceModel read_sentencepiece(std::string_view content, std::string_view file) {
  SentencePieceModel model;
  ProtobufReader reader(std::as_bytes(std::span(content)), fmt::format("'{}'", file));
  bool has_trainer = false, has_normalizer = false;
  while (reader.next()) {
    switch (reader.field()) {
      case 1:
        if (model.pieces.size() == kMaxPieces) reader.fail("pieces", fmt::format("are more than {}", kMaxPieces));
        model.pieces.push_back(read_piece(reader.message(fmt::format("pieces[{}]", model.pieces.size()))));
        break;
      case 2:
        read_trainer(reader.message("trainer_spec"), model);
        has_trainer = true;
        break;
      case 3:
        read_normalizer(reader.message("normalizer_spec"), model);
        has_normalizer = true;
        break;
      case 5:
        model.changes_decoded_text = changes_text(reader.message("denormalizer_spec"));
        break;
      default:
        break;
    }
  }
  // Their defaults would be those of another tokenizer, if the file is cut off between two fields.
  if (!has_trainer) reader.fail("trainer_spec", "is missing");
  if (!has_normalizer) reader.fail("normalizer_spec", "is missing");
  check_pieces(reader, model);
  return model;
}

}  // namespace frugal
