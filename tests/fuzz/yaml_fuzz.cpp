// Any bytes as a configuration and as a table of laws: they are read, or there is an Error.
#include <string_view>

#include "app/config/law_file.h"
#include "app/config/load.h"
#include "app/config/setting_list.h"
#include "app/wiring/settings.h"
#include "fuzz/expect.h"
#include "fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  frugal::fuzz::expect_no_bug([&] {
    frugal::Settings settings;
    frugal::apply_yaml(frugal::SettingList(settings), std::string_view(reinterpret_cast<const char*>(data), num_bytes),
                       "fuzz.yaml");
  });
  const frugal::fuzz::InputFile file(data, num_bytes);
  frugal::fuzz::expect_no_bug([&] { frugal::read_law_file(file.path()); });
  return 0;
}
