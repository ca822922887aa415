#include "model/verify/cosine_figures.h"

#include <algorithm>
#include <cmath>

namespace frugal {

double cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double(a[i]) * double(b[i]);
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 0;
}

void Cosines::add(double cosine) {
  sum_ += cosine;
  lowest_ = std::min(lowest_, cosine);
  ++count_;
}

// Well below the figures of good packs and well above those of broken ones (docs/tools/quantize-model.md has both).
CosineFloors cosine_floors(VerifyLevel level) {
  switch (level) {
    case VerifyLevel::fp16:
      return {0.9999, 0.9995};
    case VerifyLevel::int8:
      return {0.99, 0.98};
    case VerifyLevel::int4:
      return {0.95, 0.90};
    case VerifyLevel::selected:
      return {0.98, 0.95};
  }
  return {};
}

}  // namespace frugal
