#include "app/config/hardware_profile.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "app/config/paths.h"
#include "app/wiring/settings.h"
#include "base/error.h"
#include "base/units.h"
#include "support/temp_folder.h"

using namespace frugal;
namespace fs = std::filesystem;

namespace {

fs::path written(const testing::TempFolder& folder, const std::string& yaml) {
  const fs::path file = folder.path() / "profile_test.yaml";
  std::ofstream(file) << yaml;
  return file;
}

std::string chosen_for(const Machine& machine) {
  ::setenv("FRUGAL_PROFILES", FRUGAL_SOURCE_DIR "/configs/profiles", 1);
  Settings settings;
  const std::vector<HardwareProfile> profiles = hardware_profiles(SettingList(settings));
  const HardwareProfile* profile = choose_profile(profiles, machine);
  return profile ? profile->name : "none";
}

Error error_of(const std::string& yaml) {
  const testing::TempFolder folder;
  try {
    Settings settings;
    read_hardware_profile(written(folder, yaml), SettingList(settings));
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return Error(Code::internal, "");
}

}  // namespace

TEST_CASE("each kind of machine gets its profile") {
  CHECK(chosen_for({7800 * kMiB, 2, false, false, "x86_64"}) == "laptop-8g");
  CHECK(chosen_for({7 * kGiB, 2, false, true, "x86_64"}) == "ci-2core");
  CHECK(chosen_for({15 * kGiB, 2, false, true, "x86_64"}) == "ci-2core");
  CHECK(chosen_for({15800 * kMiB, 8, false, false, "x86_64"}) == "desktop-16g");
  CHECK(chosen_for({31 * kGiB, 12, true, false, "x86_64"}) == "gpu-24g");
  CHECK(chosen_for({31 * kGiB, 12, false, false, "x86_64"}) == "desktop-16g");
  CHECK(chosen_for({7800 * kMiB, 4, false, false, "aarch64"}) == "raspberry-pi");
  CHECK(chosen_for({kGiB, 1, false, false, "x86_64"}) == "none");
}

TEST_CASE("a profile overrides defaults and leaves other settings unchanged") {
  Settings settings;
  const SettingList list(settings);
  const testing::TempFolder folder;
  apply_profile(list, written(folder, "machine: {description: x}\nsettings: {memory: {mode: cache}, threads: 3}\n"));
  CHECK(settings.common.memory.mode == Manager::Mode::cache);
  CHECK(settings.common.threads == 3);
  CHECK(settings.pipeline.top_k == PipelineOptions().top_k);
}

TEST_CASE("a profile that is only read changes no setting") {
  Settings settings;
  settings.common.threads = 5;
  const testing::TempFolder folder;
  const auto file = written(folder, "machine: {description: x}\nsettings: {threads: 3}\n");
  CHECK(read_hardware_profile(file, SettingList(settings)).description == "x");
  CHECK(settings.common.threads == 5);
}

TEST_CASE("an error in a profile, or in its settings, names file and line") {
  CHECK(error_of("machine: {memory: 3GiB}\n").message().find("profile_test.yaml:1: unknown key 'machine.memory'") !=
        std::string::npos);
  CHECK(error_of("machine: {memory_below: much}\n").message().find("'much' is not a size") != std::string::npos);
  CHECK(error_of("machine: {gpu: perhaps}\n").message().find("gpu is 'needed' or 'any'") != std::string::npos);
  CHECK(error_of("machine: {processors_at_most: 0}\n").code() == Code::usage);
  CHECK(error_of("setting: {threads: 3}\n").hint() == "a profile holds `machine` and `settings`");
  CHECK(error_of("settings:\n  thread: 3\n").message().find(":2: unknown key 'thread'") != std::string::npos);
}

TEST_CASE("an unknown profile lists the known ones") {
  ::setenv("FRUGAL_PROFILES", FRUGAL_SOURCE_DIR "/configs/profiles", 1);
  try {
    find_hardware_profile("supercomputer");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == Code::usage);
    CHECK(error.hint().find("laptop-8g") != std::string::npos);
  }
}
