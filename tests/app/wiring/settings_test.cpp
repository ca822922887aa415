#include "app/wiring/settings.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "app/config/default_yaml.h"
#include "app/config/load.h"
#include "base/file.h"

using namespace frugal;

TEST_CASE("configs/default.yaml matches the option structs") {
  Settings settings;
  INFO("update it with: ninja -C build/release default-yaml");
  CHECK(default_yaml(SettingList(settings)) == read_file(FRUGAL_SOURCE_DIR "/configs/default.yaml"));
}

TEST_CASE("configs/default.yaml can be read and sets every key to its default") {
  Settings settings;
  const SettingList list(settings);
  const std::vector<std::string> defaults = list.texts();
  // Change every setting first: a key that is missing in the file would keep the changed value.
  for (const SettingField& field : list.fields()) {
    for (const char* other : {"true", "false", "77", "0.77"}) {
      if (field.text() != defaults[static_cast<size_t>(&field - list.fields().data())]) break;
      try {
        field.set(field.choices().empty() ? other : field.choices().back(), "test");
      } catch (const Error&) {
        continue;
      }
    }
  }
  apply_file(list, FRUGAL_SOURCE_DIR "/configs/default.yaml");
  CHECK(list.texts() == defaults);
}

TEST_CASE("a choice's documentation names every value that it takes") {
  Settings settings;
  const SettingList list(settings);
  for (const SettingField& field : list.fields())
    for (const std::string_view choice : field.choices()) {
      INFO(field.key());
      INFO(choice);
      CHECK(field.doc().find(choice) != std::string_view::npos);
    }
}

TEST_CASE("documentation is one line without a full stop") {
  Settings settings;
  const SettingList list(settings);
  for (const SettingField& field : list.fields()) {
    INFO(field.key());
    CHECK(field.doc().find('\n') == std::string_view::npos);
    CHECK(field.doc().back() != '.');
  }
}

TEST_CASE("a setting arrives in the option struct that the library reads") {
  Settings settings;
  const SettingList list(settings);
  for (const char* assignment : {"retrieval.dense_weight.pt=0.25", "retrieval.fusion=rrf", "answer.mode=extract",
                                 "memory.mode=cache", "memory.page_policy=lru", "generate.chat_family=llama3.1",
                                 "generate.kv_dtype=int8", "chunking.max_tokens=100", "cache.max_bytes=1MiB"})
    set_assignment(list, assignment);
  CHECK(settings.pipeline.retrieve.dense_weights.portuguese == 0.25f);
  CHECK(settings.pipeline.retrieve.fusion == Fusion::rrf);
  CHECK(settings.pipeline.answer == AnswerMode::extract);
  CHECK(settings.common.memory.mode == Manager::Mode::cache);
  CHECK(settings.common.memory.paging.policy == PagePolicyKind::lru);
  CHECK(settings.chat_family == ChatFamily::llama31);
  CHECK(settings.generator.kv_type == KvType::int8);
  CHECK(settings.chunks.max_tokens == 100);
  CHECK(settings.cache.max_bytes == 1 << 20);
  set_assignment(list, "generate.chat_family=auto");
  CHECK_FALSE(settings.chat_family);
}

TEST_CASE("keys of planned parts are unknown, not ignored") {
  Settings settings;
  const SettingList list(settings);
  for (const char* assignment :
       {"memory.limits.text_embeddings=1MiB", "memory.limits.vision_features=1MiB", "extract.hits_read=3"}) {
    INFO(assignment);
    std::string message;
    try {
      set_assignment(list, assignment);
    } catch (const Error& error) {
      message = error.message();
    }
    CHECK(message.find("unknown key") != std::string::npos);
  }
}
