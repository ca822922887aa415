// The base class of open models. The interface of each kind (embedder.h, decoder.h) derives from it, and gives the
// words that errors use for the kind. model/arch/registry.h opens models.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// The purpose of a model, which decides its interface.
enum class ModelKind { embedder, decoder, reader, encoder_decoder, image_embedder, vision_language };

inline std::string_view to_string(ModelKind kind) {
  switch (kind) {
    case ModelKind::embedder:
      return "embedder";
    case ModelKind::decoder:
      return "decoder";
    case ModelKind::reader:
      return "reader";
    case ModelKind::encoder_decoder:
      return "encoder_decoder";
    case ModelKind::image_embedder:
      return "image_embedder";
    case ModelKind::vision_language:
      return "vision_language";
  }
  return "unknown";
}

/// The kind of this name. Throws Error(usage), whose hint lists the known names.
ModelKind parse_model_kind(std::string_view name);

/// A kind of model, with the words for the error that a given model is of another kind. Each interface has one:
/// Embedder::kKind.
struct ModelKindWords {
  ModelKind kind;
  std::string_view noun;     // "embedder": "a 'llama' model is no embedder"
  std::string_view refusal;  // "is not an embedder": "a 'llama' model is not an embedder"
  std::string_view hint;     // which model to give, with which flag
};

class Model {
 public:
  virtual ~Model() = default;
  virtual ModelKind kind() const = 0;
  /// Identifies everything that results depend on besides the input. Results of models with different identities do not
  /// mix.
  virtual std::string identity() const = 0;
};

}  // namespace frugal
