// A model that is open, whatever it is for. The interface of each kind derives from it (embedder.h, decoder.h), and
// states there what errors call the kind. How a model is opened is the registry's (model/arch/registry.h).
#pragma once

#include <string>
#include <string_view>

namespace frugal {

/// What a model is for, and so which interface it has.
enum class ModelKind { embedder, decoder };

inline std::string_view to_string(ModelKind kind) {
  switch (kind) {
    case ModelKind::embedder:
      return "embedder";
    case ModelKind::decoder:
      return "decoder";
  }
  return "unknown";
}

/// The kind of an interface, as Embedder::kKind, with the words of the errors where a model of another kind was given.
struct ModelKindWords {
  ModelKind kind;
  std::string_view noun;     // "embedder": "a 'llama' model is no embedder"
  std::string_view refusal;  // "is not an embedder": "a 'llama' model is not an embedder"
  std::string_view hint;     // which model to give, and how
};

class Model {
 public:
  virtual ~Model() = default;
  virtual ModelKind kind() const = 0;
  /// Names all that its results depend on beside their input: what was computed under another name must not be mixed
  /// with what it computes.
  virtual std::string identity() const = 0;
};

}  // namespace frugal
