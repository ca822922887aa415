// T5 as a part of another model.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "model/format/checkpoint.h"
#include "model/nn/tensor_table.h"
#include "model/trunks/encoder_decoder.h"

namespace frugal {

/// Reads the configuration, whose keys begin with `part` ("text_config."), and adds its keys ("t5.…", "seq2seq.…") and
/// all tensors. Returns the size of a token's row. Throws Error(bad_input).
int64_t plan_t5(const Checkpoint& checkpoint, const std::string& part, TensorTable& table,
                std::map<std::string, std::string>& keys);
/// Borrows both.
std::unique_ptr<EncoderDecoder> open_t5(const ModelSource& source, Ops& ops);

}  // namespace frugal
