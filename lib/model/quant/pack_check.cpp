#include "model/quant/pack_check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "base/visible.h"
#include "model/format/pack.h"

namespace frugal {
namespace {

// bad_input is also the code of a folder and of a FIFO, about which a check says nothing.
bool is_about_content(const Error& error, const std::filesystem::path& file) {
  std::error_code status;
  return error.code() == Code::corrupt_file || error.code() == Code::verify_failed ||
         (error.code() == Code::bad_input && std::filesystem::is_regular_file(file, status));
}

}  // namespace

PackCheck check_pack(const std::filesystem::path& file) {
  PackCheck check{file, 0, 0, {}, {}};
  try {
    const Pack pack(file);
    check.tensors = pack.tensors().size();
    check.file_bytes = pack.file_bytes();
    pack.verify();
  } catch (const Error& error) {
    if (!is_about_content(error, file)) throw;
    check.problem = error.message();
    check.hint = error.hint();
  }
  return check;
}

std::string check_text(const PackCheck& check) {
  if (!check.problem.empty()) return check.problem + "\n";
  return fmt::format("{}: {} tensors, {}, every checksum matches\n", check.file.native(), check.tensors,
                     format_bytes(check.file_bytes));
}

std::string check_json(const PackCheck& check) {
  using Json = nlohmann::ordered_json;
  const bool opened = check.file_bytes > 0;
  const Json json{{"schema_version", 1},
                  {"file", check.file.native()},
                  {"sound", check.problem.empty()},
                  {"problem", check.problem.empty() ? Json() : Json(check.problem)},
                  {"tensors", opened ? Json(check.tensors) : Json()},
                  {"bytes", opened ? Json(check.file_bytes) : Json()}};
  return visible_json(json.dump(2, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace frugal
