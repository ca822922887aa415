// OPT as a part of another model.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "model/nn/config_reader.h"
#include "model/nn/tensor_table.h"
#include "model/trunks/causal_decoder.h"

namespace frugal {

/// Reads the configuration, and adds its keys ("opt.…") and all tensors. Returns the size of a token's row. Throws
/// Error(bad_input).
int64_t plan_opt(const Checkpoint& checkpoint, const ConfigReader& reader, TensorTable& table,
                 std::map<std::string, std::string>& keys);
/// Borrows both.
std::unique_ptr<CausalDecoder> open_opt(const ModelSource& source, Ops& ops);

}  // namespace frugal
