#include "measure/report/json.h"

#include <nlohmann/json.hpp>

#include "base/visible.h"

namespace frugal {
namespace {

std::string dump(const nlohmann::ordered_json& value, int indent) {
  return visible_json(value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) + "\n";
}

}  // namespace

std::string json_line(const nlohmann::ordered_json& value) {
  return dump(value, -1);
}
std::string json_document(const nlohmann::ordered_json& value) {
  return dump(value, 2);
}

}  // namespace frugal
