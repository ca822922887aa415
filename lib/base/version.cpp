#include "base/version.h"

#include "frugal_build.h"  // written by cmake/FrugalBuild.cmake

namespace frugal {

std::string_view version() {
  return FRUGAL_VERSION;
}
std::string_view commit() {
  return FRUGAL_COMMIT;
}

}  // namespace frugal
