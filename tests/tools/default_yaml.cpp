// Prints configs/default.yaml as the option structs have it (the build's target default-yaml writes the file).
#include <cstdio>

#include "app/config/default_yaml.h"
#include "app/wiring/settings.h"

int main() {
  frugal::Settings settings;
  std::fputs(frugal::default_yaml(frugal::SettingList(settings)).c_str(), stdout);
  return 0;
}
