#include "app/wiring/secret.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

#include "app/config/paths.h"
#include "base/ascii.h"
#include "base/error.h"
#include "base/file.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxSecretBytes = 4096;

}  // namespace

std::string read_secret(const std::string& file, const char* variable, const char* key) {
  if (file.empty()) {
    const char* secret = std::getenv(variable);
    return secret ? secret : "";
  }
  std::string secret(trim(read_file(expand_home(file), kMaxSecretBytes)));
  if (secret.empty())
    throw Error(Code::bad_input, fmt::format("'{}' is empty", file))
        .hint(fmt::format("write the secret of the server into that file, or leave {} empty", key));
  return secret;
}

VectorOptions vector_options(const Settings& settings) {
  VectorOptions options = settings.vectors;
  options.token = read_secret(options.token_file, "FRUGAL_MILVUS_TOKEN", "vectors.token_file");
  if (!options.ca_file.empty()) options.ca_file = expand_home(options.ca_file);
  return options;
}

}  // namespace frugal
