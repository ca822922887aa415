#include "rag/answer/retrieve.h"

namespace frugal {

float DenseWeights::of(Language language) const {
  switch (language) {
    case Language::english:
      return english;
    case Language::portuguese:
      return portuguese;
    case Language::unknown:
      return other;
  }
  return other;
}

}  // namespace frugal
