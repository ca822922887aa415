// The weight of a token for a text, in a header of its own for rooms that store weights and run no model.
#pragma once

#include "model/tokenize/tokenizer.h"

namespace frugal {

/// By which texts are searched as by words (BGE-M3's sparse vectors).
struct TokenWeight {
  TokenId token = 0;
  float weight = 0;
};

}  // namespace frugal
