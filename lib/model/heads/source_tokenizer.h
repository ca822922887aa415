// The tokenizer of a model's source.
#pragma once

#include <memory>

#include "model/nn/model_source.h"
#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Opens the tokenizer of `source`, which must outlive it. Tables of a damaged pack are checked as they are used
/// (model/tokenize/tokenizer_blob.h), so its errors come later, too; they name the source's file.
std::unique_ptr<Tokenizer> open_tokenizer(const ModelSource& source);

}  // namespace frugal
